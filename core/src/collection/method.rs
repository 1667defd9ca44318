//! How the credential is used, and where it goes.

use super::{SignedJwt, TokenMethod};
use crate::template::Template;

/// How the credential is used.
#[derive(Clone, Debug)]
pub enum Method {
    /// Nothing is added but `headers` and `query`.
    None,
    /// One value in one place.
    ApiKey {
        /// Where the value goes.
        placement: Placement,
        /// The value.
        value: Template,
    },
    /// RFC 7617.
    Basic {
        /// The user-id; holds no colon once rendered.
        username: Template,
        /// The password.
        password: Template,
    },
    /// The certificate of the environment is the whole credential.
    ClientCertificate,
    /// A token is obtained, and put on calls.
    Token(Box<TokenMethod>),
    /// A token is signed here, and put on calls.
    SignedJwt(Box<SignedJwt>),
    /// Each call is signed ([`crate::sigv4`]).
    AwsSigV4(AwsSigV4),
}

/// How calls are signed for AWS.
#[derive(Clone, Debug)]
pub struct AwsSigV4 {
    /// Such as `eu-central-1`; of `values` only.
    pub region: Template,
    /// The service's name in signatures, such as `s3`; of `values` only.
    pub service: Template,
    /// Tells AWS whose key it is.
    pub access_key_id: Template,
    /// What signing keys are made from. It goes to nobody.
    pub secret_access_key: Template,
    /// What temporary credentials have besides.
    pub session_token: Option<Template>,
    /// Whether bodies are signed.
    pub payload: SignedPayload,
}

/// Whether the bodies of calls are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedPayload {
    /// Unless the service is S3 and TLS protects them anyway.
    #[default]
    Auto,
    /// They are.
    Signed,
    /// They are not.
    Unsigned,
}

impl Method {
    /// As manifests spell it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ApiKey { .. } => "apiKey",
            Self::Basic { .. } => "basic",
            Self::ClientCertificate => "clientCertificate",
            Self::Token(method) => method.flow.as_str(),
            Self::SignedJwt(_) => "signedJwt",
            Self::AwsSigV4(_) => "awsSigV4",
        }
    }
}

/// Where a value goes on the request, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A header field.
    Header(String),
    /// A query parameter.
    Query(String),
    /// One pair of the header `Cookie`.
    Cookie(String),
    /// Segments between the path of the base URL and that of the caller.
    Path,
    /// A top-level member of a JSON object, or a field of a form.
    Body(String),
}

impl Placement {
    /// For a sentence: "which no … may hold".
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Query(_) => "query parameter",
            Self::Cookie(_) => "cookie",
            Self::Path => "path",
            Self::Body(_) => "member of a body",
        }
    }

    /// Whether both would set the same thing. Names of headers are compared
    /// without regard to case (RFC 9110 §5.1), all others as they are.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header(a), Self::Header(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_headers_are_compared_without_case() {
        let header = |name: &str| Placement::Header(name.to_owned());
        let query = |name: &str| Placement::Query(name.to_owned());
        assert!(header("X-A").is_same(&header("x-a")));
        assert!(!query("a").is_same(&query("A")));
        assert!(!query("a").is_same(&header("a")));
        assert!(Placement::Path.is_same(&Placement::Path));
    }
}
