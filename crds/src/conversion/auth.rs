//! How calls are authenticated.

mod aws_sig_v4;

use credence_core::collection::{Method, Placement};
use credence_core::template::Template;

use super::{Reader, late};
use crate::auth::{ApiKey, Auth, Basic, Place};

impl Reader {
    pub(super) fn method(
        &mut self,
        auth: Option<&Auth>,
        base_url_allow: &[String],
    ) -> Option<Method> {
        let Some(auth) = auth else {
            return Some(Method::None);
        };
        let there = auth.members().iter().filter(|(_, there)| *there).count();
        if there != 1 {
            self.problem("spec.auth", Auth::takes());
            return None;
        }
        if let Some(signed) = &auth.signed_jwt {
            let method = self.signed_jwt(signed);
            self.no_base_url_allow(base_url_allow);
            return method;
        }
        if let Some(method) = self.token_method(auth, base_url_allow) {
            return method;
        }
        self.no_base_url_allow(base_url_allow);
        if let Some(key) = &auth.api_key {
            return self.api_key(key);
        }
        if let Some(basic) = &auth.basic {
            return self.basic(basic);
        }
        if let Some(signed) = &auth.aws_sig_v4 {
            return self.aws_sig_v4(signed);
        }
        Some(match auth.client_certificate {
            Some(_) => Method::ClientCertificate,
            None => Method::None,
        })
    }

    fn no_base_url_allow(&mut self, base_url_allow: &[String]) {
        if !base_url_allow.is_empty() {
            self.problem(
                "spec.baseUrlAllow",
                "is used only with a method that obtains a token: remove it",
            );
        }
    }

    fn api_key(&mut self, key: &ApiKey) -> Option<Method> {
        let field = "spec.auth.apiKey.value";
        let placement = self.placement(key);
        let value = self.value(field, &key.value)?;
        if !value.refers_to_secret() {
            self.problem(
                field,
                "must take the key from the Secret, such as \"Bearer ${secret.api-key}\"",
            );
        }
        if placement == Some(Placement::Path) {
            self.path(field, &value);
        }
        Some(Method::ApiKey {
            placement: placement?,
            value,
        })
    }

    fn placement(&mut self, key: &ApiKey) -> Option<Placement> {
        let field = "spec.auth.apiKey.name";
        let placement = match (key.place, key.name.clone()) {
            (Place::Path, None) => Placement::Path,
            (Place::Path, Some(_)) => {
                self.problem(
                    field,
                    "is not used for Path, where value becomes part of the path itself: remove it",
                );
                return None;
            }
            (_, None) => {
                self.problem(
                    field,
                    "is required: write the name of the header, query parameter, cookie or member of the body",
                );
                return None;
            }
            (Place::Header, Some(name)) => Placement::Header(name),
            (Place::Query, Some(name)) => Placement::Query(name),
            (Place::Cookie, Some(name)) => Placement::Cookie(name),
            (Place::Body, Some(name)) => Placement::Body(name),
        };
        self.name(field, &placement);
        Some(placement)
    }

    /// The text of a template between two parts of a path. What its variables
    /// stand for is escaped, the text itself is not.
    fn path(&mut self, field: &str, value: &Template) {
        if let Some(found) = value.offending_in_path() {
            self.problem(
                field,
                format!("must not hold \"{found}\" for Path: write it percent-encoded (RFC 3986)"),
            );
        }
        if let Some(variable) = value.references().late.first() {
            self.problem(field, late(variable));
        }
    }

    fn basic(&mut self, basic: &Basic) -> Option<Method> {
        let username = self.value("spec.auth.basic.username", &basic.username);
        let password = self.value("spec.auth.basic.password", &basic.password);
        let (username, password) = (username?, password?);
        if username
            .as_literal()
            .is_some_and(|literal| literal.contains(':'))
        {
            self.problem(
                "spec.auth.basic.username",
                "must not hold a colon: HTTP Basic ends the user name there (RFC 7617)",
            );
        }
        if !username.refers_to_secret() && !password.refers_to_secret() {
            self.problem(
                "spec.auth.basic",
                "username or password must come from the Secret, such as \"${secret.password}\"",
            );
        }
        Some(Method::Basic { username, password })
    }
}
