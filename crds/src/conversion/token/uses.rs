//! What headers and parameters of calls say of a token.

use credence_core::collection::{Collection, Method};
use credence_core::template::{CallVariable, LateVariable};

use super::Reader;

impl Reader {
    /// Whether headers and parameters refer to what there will be, and whether
    /// a token goes anywhere.
    pub(in super::super) fn tokens_in_fields(&mut self, collection: &Collection) {
        let method = match &collection.method {
            Method::Token(method) => Some(method),
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
                    let Some(method) = method else {
                        self.problem(
                            format!("{list}[{at}].value"),
                            format!(
                                "must not refer to ${{{variable}}}: spec.auth obtains no token"
                            ),
                        );
                        continue;
                    };
                    let captures = &method.response.capture;
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
        if let Some(method) = method
            && method.placement.is_none()
            && !used
        {
            self.problem(
                format!("spec.auth.{}.token.placement", method.flow.as_str()),
                "is None, and nothing refers to the token: write ${token} into spec.headers or spec.query",
            );
        }
    }
}
