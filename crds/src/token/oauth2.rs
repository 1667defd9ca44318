//! The methods that differ in what is exchanged for a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Token;
use crate::jwt::Jwt;
use crate::rule;

/// A token for the client's own credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Oauth2ClientCredentials {
    /// How the token is obtained, and where it goes. Needs client.
    pub token: Token,
}

/// A token for a user's name and password (RFC 6749, section 4.3). Where the
/// answer has a refresh token, that is used from then on. The standards have
/// given this method up (RFC 9700, section 2.4): use it where the provider
/// offers no other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::oauth2_password()))]
pub struct Oauth2Password {
    /// The user's name.
    #[serde(default = "username")]
    #[schemars(length(min = 1, max = 4096))]
    pub username: String,

    /// The user's password, taken from the Secret.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 4096))]
    pub password: String,

    /// How the token is obtained, and where it goes.
    pub token: Token,
}

/// A token for a refresh token that somebody has obtained before (RFC 6749,
/// section 6). A provider may replace it with each answer: the one in the
/// Secret is then only the first, and must be given to nobody else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::oauth2_refresh_token()))]
pub struct Oauth2RefreshToken {
    /// The refresh token to begin with, taken from the Secret. Another one
    /// there begins anew.
    #[serde(default = "refresh_token")]
    #[schemars(length(min = 1, max = 4096))]
    pub refresh_token: String,

    /// How the token is obtained, and where it goes.
    pub token: Token,
}

/// A token by a request of the collection's own: for providers whose request
/// has another format, further headers or a body of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Oauth2CustomToken {
    /// How the token is obtained, and where it goes.
    pub token: Token,

    /// A JSON Web Token that is signed for each request, which refers to it by
    /// ${jwt}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
}

/// A token for a JSON Web Token that is signed for each request (RFC 7523,
/// section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtBearer {
    /// What it says: the field assertion.
    pub jwt: Jwt,

    /// How the token is obtained, and where it goes.
    pub token: Token,
}

/// A token for another token (RFC 8693), such as one of the company's own
/// identity provider for one of a partner's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::token_exchange()))]
pub struct TokenExchange {
    /// The token that is given, taken from the Secret. Whoever writes that
    /// Secret renews it: each change gives a new token.
    #[serde(default = "subject_token")]
    #[schemars(length(min = 1, max = 4096))]
    pub subject_token: String,

    /// What kind of token that is, as a URI.
    #[serde(default = "access_token_type")]
    #[schemars(length(min = 1, max = 256))]
    pub subject_token_type: String,

    /// How the token is obtained, and where it goes. The fields resource,
    /// requested_token_type and actor_token are written as params.
    pub token: Token,
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn username() -> String {
    "${secret.username}".to_owned()
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn password() -> String {
    "${secret.password}".to_owned()
}

fn subject_token() -> String {
    "${secret.subject-token}".to_owned()
}

/// RFC 8693, section 3.
fn access_token_type() -> String {
    "urn:ietf:params:oauth:token-type:access_token".to_owned()
}

fn refresh_token() -> String {
    "${secret.refresh-token}".to_owned()
}
