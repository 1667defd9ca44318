//! What JWTs are made of.

use std::time::Duration;

use super::{FieldValue, TokenPlacement};
use crate::jwt::{Algorithm, KeyFormat};
use crate::template::Template;

/// How a JWT is made and signed (RFC 7519).
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// What it is signed with.
    pub key: Template,
    /// How the key is written.
    pub key_format: KeyFormat,
    /// The header `kid`.
    pub key_id: Option<Template>,
    /// The header `typ`; absent where there is to be none.
    pub kind: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, FieldValue<Template>)>,
    /// The certificate of the key, for the headers `x5t` and `x5t#S256`.
    pub certificate: Option<Template>,
    /// The claim `iss`.
    pub issuer: Option<Template>,
    /// The claim `sub`.
    pub subject: Option<Template>,
    /// The claim `aud`.
    pub audience: Audience,
    /// What is asked for: the claim `scope`, with spaces between them.
    pub scopes: Vec<Template>,
    /// Further claims.
    pub claims: Vec<(String, FieldValue<Template>)>,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
    /// How far before now `iat` is.
    pub backdate: Duration,
}

/// Whom a JWT is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The token endpoint, where there is one.
    Endpoint,
    /// This one.
    Given(Template),
    /// The manifest wants it not to be said, or says it among the claims.
    None,
}

impl JwtSettings {
    /// Whether a claim of this name is given among [`JwtSettings::claims`].
    pub fn claims(&self, name: &str) -> bool {
        self.claims.iter().any(|(claim, _)| claim == name)
    }
}

/// A JWT that is itself the token.
#[derive(Clone, Debug)]
pub struct SignedJwt {
    /// What it says.
    pub jwt: JwtSettings,
    /// Where it goes on calls; absent where only headers and query parameters
    /// of the collection refer to it.
    pub placement: Option<TokenPlacement>,
}
