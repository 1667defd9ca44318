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
    /// The token that is given, taken from the Secret:
    /// "${secret.subject-token}". Whoever writes that Secret renews it: each
    /// change gives a new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub subject_token: Option<String>,

    /// Instead of one in the Secret, a token that the cluster issues to the
    /// operator for each request, so that no secret is stored at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_token: Option<ServiceAccountToken>,

    /// What kind of token that is, as a URI. Left out, it is
    /// urn:ietf:params:oauth:token-type:access_token, and for
    /// serviceAccountToken urn:ietf:params:oauth:token-type:jwt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub subject_token_type: Option<String>,

    /// How the token is obtained, and where it goes. The fields resource,
    /// requested_token_type and actor_token are written as params.
    pub token: Token,
}

/// A token by which the cluster vouches for one of its ServiceAccounts. The
/// provider knows the cluster as an issuer, and this ServiceAccount at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::service_account_token()))]
pub struct ServiceAccountToken {
    /// The ServiceAccount, in the collection's namespace (of a
    /// ClusterApiCollection: in the namespace of its Secrets). Whoever writes
    /// the collection needs the verb create on serviceaccounts/token for it, and
    /// the operator is given that by the chart's value serviceAccountTokens.
    #[schemars(length(min = 1, max = 253), regex(pattern = rule::OBJECT_NAME))]
    pub name: String,

    /// For whom the token is: what the provider demands of the claim aud. Never
    /// one that the cluster's own API server accepts.
    #[schemars(length(min = 1, max = 1024))]
    pub audience: String,

    /// How long it is good for: it is asked for when it is sent, and used once.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 600, max = 86_400))]
    pub expiration_seconds: i32,
}

const fn an_hour() -> i32 {
    3600
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn username() -> String {
    "${secret.username}".to_owned()
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn password() -> String {
    "${secret.password}".to_owned()
}

fn refresh_token() -> String {
    "${secret.refresh-token}".to_owned()
}
