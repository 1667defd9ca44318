//! The certificate with which the caller proves who he is.

use std::sync::Arc;

use jiff::Timestamp;

use super::certificate::{self, Certificate};
use super::private_key::{self, PrivateKey};
use super::{Case, SecretObject, Unresolved, message};
use crate::bundle::ClientCertificate;
use crate::collection::Method;

/// The type of Secret that it is in.
const TYPE: &str = "kubernetes.io/tls";
pub(super) const CHAIN: &str = "tls.crt";
pub(super) const KEY: &str = "tls.key";
/// Where cert-manager puts the authority of the *other* side.
const AUTHORITY: &str = "ca.crt";

/// What a Secret with a client certificate holds.
pub(super) struct Held<'a> {
    /// Name of the Secret.
    pub(super) secret: &'a str,
    /// What is shown.
    pub(super) certificate: Arc<ClientCertificate>,
    /// When it ceases to be valid.
    pub(super) not_after: Timestamp,
    /// PEM certificates that are to be trusted too.
    pub(super) trust: Option<String>,
}

impl<'a> Case<'a> {
    /// The environment's client certificate, if it names one or must have one.
    pub(super) fn client_certificate(&self) -> Result<Option<Held<'a>>, Unresolved> {
        let Some(name) = self.selected.settings.tls_secret.as_deref() else {
            return match self.collection.method {
                Method::ClientCertificate => {
                    Err(self.no_tls_secret_ref("spec.auth.clientCertificate"))
                }
                Method::None
                | Method::ApiKey { .. }
                | Method::Basic { .. }
                | Method::Token(_)
                | Method::SignedJwt(_)
                | Method::AwsSigV4(_) => Ok(None),
            };
        };
        let field = format!("{}.tlsSecretRef.name", self.selected.field());
        let secret = self.usable_secret(name, &field)?;
        if secret.kind != TYPE {
            return Err(message::not_tls(name, &secret.kind, field));
        }
        let key = text(secret, name, KEY, &field)?;
        let key = private_key::read(key)
            .map_err(|error| message::client_key(name, KEY, &error, &field))?;
        let chain = certificate::read(text(secret, name, CHAIN, &field)?)
            .ok_or_else(|| message::client_certificate(name, CHAIN, &field))?;
        let chain = ordered(chain, &key)
            .ok_or_else(|| message::client_key_mismatch(name, CHAIN, KEY, &field))?;
        let (not_before, not_after) = chain
            .first()
            .map(|own| (own.not_before, own.not_after))
            .unwrap_or_default();
        if self.now < not_before {
            return Err(message::not_yet_valid(name, not_before, field));
        }
        if self.now >= not_after {
            return Err(message::expired(name, not_after, field));
        }
        let trust = match secret.data.get(AUTHORITY) {
            // cert-manager leaves it empty where it does not know.
            Some(pem) if !pem.trim_ascii().is_empty() => Some(
                std::str::from_utf8(pem)
                    .ok()
                    .and_then(certificate::read)
                    .map(|authorities| certificate::write(&authorities))
                    .ok_or_else(|| message::not_pem("Secret", name, AUTHORITY, field))?,
            ),
            Some(_) | None => None,
        };
        Ok(Some(Held {
            secret: name,
            certificate: Arc::new(ClientCertificate {
                chain: certificate::write(&chain).into(),
                key: key.pem,
            }),
            not_after,
            trust,
        }))
    }
}

/// The value of a key; one that is no text is none that anybody can read.
fn text<'a>(
    secret: &'a SecretObject,
    name: &str,
    key: &str,
    field: &str,
) -> Result<&'a str, Unresolved> {
    let value = secret
        .data
        .get(key)
        .ok_or_else(|| message::secret_key(name, key, secret.data.keys(), field))?;
    Ok(std::str::from_utf8(value).unwrap_or_default())
}

/// With the certificate that the key belongs to in front, as TLS wants it (RFC
/// 8446 §4.4.2); none where it is not there.
fn ordered(mut chain: Vec<Certificate>, key: &PrivateKey) -> Option<Vec<Certificate>> {
    let own = chain
        .iter()
        .position(|certificate| certificate.public == key.public)?;
    chain.get_mut(..=own)?.rotate_right(1);
    Some(chain)
}
