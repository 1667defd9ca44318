//! Who asks for a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::super::Unresolved;
use super::{Asking, CLIENT_ID, CLIENT_SECRET, Field, known, late_field, source};
use crate::Secret;
use crate::collection::{Client, ClientAuthentication};
use crate::template::LateVariable;
use crate::token::fields::form_encoded;

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client of which all is known.
pub(super) struct Known<'a> {
    client: &'a Client,
    pub(super) id: Secret,
    secret: Option<Secret>,
}

impl Known<'_> {
    /// The same client, without its secret.
    pub(super) fn unproved(&self) -> Self {
        Self {
            client: self.client,
            id: self.id.clone(),
            secret: None,
        }
    }

    /// What of it the fields of a request say.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if self.client.authentication.is_in_fields() {
            fields.push(known(&self.client.id_field, &self.id));
        }
        match self.client.authentication {
            ClientAuthentication::Body => {
                let secret = self.secret.iter();
                fields.extend(secret.map(|secret| known(&self.client.secret_field, secret)));
            }
            // RFC 7521 §4.2.
            ClientAuthentication::PrivateKeyJwt | ClientAuthentication::ClientSecretJwt => {
                fields.extend([
                    known("client_assertion_type", &Secret::new(JWT_BEARER)),
                    late_field("client_assertion", LateVariable::ClientAssertion),
                ]);
            }
            ClientAuthentication::Basic
            | ClientAuthentication::BasicRaw
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => {}
        }
        fields
    }
}

impl<'c> Asking<'c, '_> {
    pub(super) fn client(&self) -> Result<Option<Known<'c>>, Unresolved> {
        let Some(client) = &self.method.client else {
            return Ok(None);
        };
        let secret = client.secret.as_ref();
        Ok(Some(Known {
            client,
            id: self.fixed(CLIENT_ID, &client.id)?,
            secret: secret
                .map(|secret| self.fixed(CLIENT_SECRET, secret))
                .transpose()?,
        }))
    }

    /// RFC 6749 §2.3.1, and what many take for it.
    pub(super) fn authorization(
        &self,
        client: Option<&Known<'_>>,
    ) -> Result<Option<Secret>, Unresolved> {
        let Some(known) = client else {
            return Ok(None);
        };
        let secret = known
            .secret
            .as_ref()
            .map(Secret::expose)
            .unwrap_or_default();
        let (id, secret) = match known.client.authentication {
            ClientAuthentication::Body
            | ClientAuthentication::PrivateKeyJwt
            | ClientAuthentication::ClientSecretJwt
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => return Ok(None),
            ClientAuthentication::Basic => (form_encoded(known.id.expose()), form_encoded(secret)),
            ClientAuthentication::BasicRaw => {
                let source = source(self.method, CLIENT_ID, &known.client.id);
                if known.id.expose().contains(':') {
                    return Err(self.case.colon_in_client_id(&source));
                }
                let owned = |text: &str| Zeroizing::new(text.to_owned());
                (owned(known.id.expose()), owned(secret))
            }
        };
        let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Ok(Some(Secret::new(format!("Basic {}", *encoded))))
    }
}
