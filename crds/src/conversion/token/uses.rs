//! What headers and parameters of calls say of a token.

use credence_core::collection::{Collection, Method};
use credence_core::template::{CallVariable, LateVariable};

use super::Reader;

impl Reader {
    /// Whether headers and parameters refer to what there will be, and whether
    /// a token goes anywhere.
    pub(in super::super) fn tokens_in_fields(&mut self, collection: &Collection) {
        // What the answer gives besides, whether the token goes anywhere of
        // itself, and where that is said.
        let method = match &collection.method {
            Method::Token(method) => {
                let field = format!("spec.auth.{}.token.placement", method.flow.as_str());
                let captures = method.response.capture.as_slice();
                Some((captures, method.placement.is_some(), field))
            }
            Method::SignedJwt(signed) => {
                let field = "spec.auth.signedJwt.placement".to_owned();
                Some((&[][..], signed.placement.is_some(), field))
            }
            Method::None
            | Method::ApiKey { .. }
            | Method::Basic { .. }
            | Method::ClientCertificate
            | Method::AwsSigV4(_) => None,
        };
        let mut used = false;
        for (list, fields) in [
            ("spec.headers", &collection.headers),
            ("spec.query", &collection.query),
        ] {
            for (at, field) in fields.iter().enumerate() {
                for variable in field.value.references().late {
                    let LateVariable::Call(CallVariable::Token(name)) = variable else {
                        continue;
                    };
                    used = true;
                    let Some((captures, ..)) = &method else {
                        self.problem(
                            format!("{list}[{at}].value"),
                            format!(
                                "must not refer to ${{{variable}}}: spec.auth obtains no token"
                            ),
                        );
                        continue;
                    };
                    if let Some(name) = name
                        && !captures.iter().any(|capture| *capture.name == **name)
                    {
                        self.problem(
                            format!("{list}[{at}].value"),
                            format!(
                                "must not refer to ${{{variable}}}, which the answer does not give: \
                                 add {{name: {name}, path: …}} to token.response.capture"
                            ),
                        );
                    }
                }
            }
        }
        if let Some((_, false, field)) = method
            && !used
        {
            self.problem(
                field,
                "is None, and nothing refers to the token: write ${token} into spec.headers or spec.query",
            );
        }
    }
}
