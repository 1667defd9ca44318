//! Who asks for a token.

use credence_core::collection::{Client, ClientAuthentication, Flow, JwtSettings};
use credence_core::jwt::Algorithm;
use credence_core::jwt::algorithm::KeyKind;
use credence_core::template::Template;

use super::super::jwt::JwtBlock;
use super::{Reader, Subject, needed_beside};
use crate::jwt::Jwt;
use crate::token::TokenClient;

impl Reader {
    pub(super) fn client(&mut self, subject: &Subject<'_>) -> Option<Client> {
        let Some(client) = &subject.token.client else {
            if matches!(subject.flow, Flow::ClientCredentials) {
                self.problem(
                    subject.field("client"),
                    "is required: write id and secret, such as \"${secret.client-id}\" and \"${secret.client-secret}\"",
                );
            }
            return None;
        };
        let id = self.fixed(&subject.field("client.id"), &client.id);
        let field = subject.field("client.secret");
        let secret = client.secret.as_deref();
        let mut secret = secret.and_then(|text| self.of_secret(&field, "client-secret", text));
        let usual = match &client.secret {
            Some(_) => ClientAuthentication::Basic,
            None => ClientAuthentication::None,
        };
        let authentication = client.authentication.map_or(usual, Into::into);
        let needs_secret = match authentication {
            ClientAuthentication::Basic
            | ClientAuthentication::BasicRaw
            | ClientAuthentication::Body
            | ClientAuthentication::ClientSecretJwt => true,
            ClientAuthentication::PrivateKeyJwt
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => false,
        };
        let name = authentication.as_str();
        match (needs_secret, &client.secret) {
            (true, None) => self.problem(
                field,
                format!(
                    "is required by authentication: {name}: write \"${{secret.client-secret}}\""
                ),
            ),
            (false, Some(_)) => self.problem(
                field,
                format!("is not sent by authentication: {name}: remove one of the two"),
            ),
            (true, Some(_)) | (false, None) => {}
        }
        let assertion = self.assertion(subject, client, authentication, &mut secret);
        let in_body = matches!(authentication, ClientAuthentication::Body);
        for (member, given, used) in [
            ("idField", &client.id_field, authentication.is_in_fields()),
            ("secretField", &client.secret_field, in_body),
        ] {
            if given.is_some() && !used {
                self.problem(
                    subject.field(&format!("client.{member}")),
                    format!("is not used by authentication: {name}: remove it"),
                );
            }
        }
        if authentication.is_in_fields() && subject.token.body.is_some() {
            self.problem(
                subject.field("client"),
                format!("is not sent by authentication: {name} beside body: write it into body"),
            );
        }
        let named =
            |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Some(Client {
            id: id?,
            secret,
            authentication,
            assertion: assertion?,
            id_field: named(&client.id_field, "client_id"),
            secret_field: named(&client.secret_field, "client_secret"),
        })
    }

    /// The JWT by which the client proves who it is. Its secret is that one's
    /// key, where there is no other.
    fn assertion(
        &mut self,
        subject: &Subject<'_>,
        client: &TokenClient,
        authentication: ClientAuthentication,
        secret: &mut Option<Template>,
    ) -> Option<Option<Box<JwtSettings>>> {
        let field = subject.field("client.assertion");
        let empty = Jwt::default();
        let (usual, key) = match (authentication, &client.assertion) {
            (ClientAuthentication::PrivateKeyJwt, Some(_)) => (Algorithm::Rs256, None),
            (ClientAuthentication::PrivateKeyJwt, None) => {
                self.problem(
                    field,
                    "is required by authentication: PrivateKeyJwt: write {key: \"${secret.private-key}\"}",
                );
                return None;
            }
            (ClientAuthentication::ClientSecretJwt, _) => (Algorithm::Hs256, Some(secret.take()?)),
            (_, Some(_)) => {
                let name = authentication.as_str();
                self.problem(
                    field,
                    format!("is not used by authentication: {name}: remove it"),
                );
                return None;
            }
            (_, None) => return Some(None),
        };
        let block = JwtBlock {
            usual,
            key,
            audience_needed: needed_beside(&subject.token.url),
            numbered: true,
            ..JwtBlock::new(field.clone(), client.assertion.as_ref().unwrap_or(&empty))
        };
        let jwt = self.jwt(&block)?;
        let is_shared = jwt.algorithm.key_kind() == KeyKind::Shared;
        if is_shared != (authentication == ClientAuthentication::ClientSecretJwt) {
            let (name, algorithm) = (authentication.as_str(), jwt.algorithm);
            self.problem(
                format!("{field}.algorithm"),
                format!("must not be {algorithm} for authentication: {name}: write another or leave it out"),
            );
        }
        Some(Some(Box::new(jwt)))
    }
}
