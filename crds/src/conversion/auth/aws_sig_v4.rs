//! How calls are signed for AWS.

use credence_core::collection::{self, Method};
use credence_core::sigv4::offending_in_scope;
use credence_core::template::Template;

use super::super::{Reader, late};
use crate::auth::{AwsSigV4, SignedPayload};

impl Reader {
    pub(super) fn aws_sig_v4(&mut self, signed: &AwsSigV4) -> Option<Method> {
        let region = self.scope_part("region", &signed.region);
        let service = self.scope_part("service", &signed.service);
        let access_key_id = self.once("accessKeyId", &signed.access_key_id);
        let key = self.once("secretAccessKey", &signed.secret_access_key);
        self.must_be_secret("secretAccessKey", "secret-access-key", key.as_ref());
        let token = signed.session_token.as_deref();
        let session_token = token.and_then(|token| self.once("sessionToken", token));
        self.must_be_secret("sessionToken", "session-token", session_token.as_ref());
        Some(Method::AwsSigV4(collection::AwsSigV4 {
            region: region?,
            service: service?,
            access_key_id: access_key_id?,
            secret_access_key: key?,
            session_token,
            payload: match signed.payload {
                SignedPayload::Auto => collection::SignedPayload::Auto,
                SignedPayload::Signed => collection::SignedPayload::Signed,
                SignedPayload::Unsigned => collection::SignedPayload::Unsigned,
            },
        }))
    }

    /// What is said openly on every call.
    fn scope_part(&mut self, member: &str, text: &str) -> Option<Template> {
        let template = self.once(member, text)?;
        let field = field(member);
        if template.refers_to_secret() {
            self.problem(field, "must not refer to a Secret: write ${values.NAME}");
        } else if let Some(found) = template
            .as_literal()
            .as_deref()
            .and_then(offending_in_scope)
        {
            self.problem(
                field,
                format!("must not hold \"{found}\": write letters, digits and \"-\""),
            );
        }
        Some(template)
    }

    /// A template that is not rendered for each call.
    fn once(&mut self, member: &str, text: &str) -> Option<Template> {
        let field = field(member);
        let template = self.value(&field, text)?;
        if let Some(variable) = template.references().late.first() {
            self.problem(&field, late(variable));
        }
        Some(template)
    }

    fn must_be_secret(&mut self, member: &str, key: &str, template: Option<&Template>) {
        if template.is_some_and(|template| !template.refers_to_secret()) {
            self.problem(
                field(member),
                format!("must come from the Secret, such as \"${{secret.{key}}}\""),
            );
        }
    }
}

fn field(member: &str) -> String {
    format!("spec.auth.awsSigV4.{member}")
}
