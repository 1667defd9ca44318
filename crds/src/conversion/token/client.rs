//! Who asks for a token.

use credence_core::collection::{Client, ClientAuthentication, Flow};

use super::{Reader, Subject};

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
        let secret = secret.and_then(|text| self.of_secret(&field, "client-secret", text));
        let usual = match &client.secret {
            Some(_) => ClientAuthentication::Basic,
            None => ClientAuthentication::None,
        };
        let authentication = client.authentication.map_or(usual, Into::into);
        let needs_secret = match authentication {
            ClientAuthentication::Basic
            | ClientAuthentication::BasicRaw
            | ClientAuthentication::Body => true,
            ClientAuthentication::None => false,
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
            id_field: named(&client.id_field, "client_id"),
            secret_field: named(&client.secret_field, "client_secret"),
        })
    }
}
