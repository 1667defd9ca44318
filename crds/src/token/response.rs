//! What an answer means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// What the answer of a token endpoint means. Paths are names with dots
/// between them, and numbers for the items of lists: data.0.token. A dot within
/// a name is written \. ("" is the whole body).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenResponse {
    /// Where the access token is; "" where the body is nothing else.
    #[serde(default = "access_token")]
    #[schemars(length(max = 256))]
    pub access_token_path: String,

    /// Where it says when the token expires.
    #[serde(default = "expires_in")]
    #[schemars(length(min = 1, max = 256))]
    pub expires_path: String,

    /// How it says that: Auto (by its looks), Seconds or Milliseconds (from
    /// now), EpochSeconds or EpochMilliseconds (since 1970), Rfc3339 (a time) or
    /// DaysHoursMinutes (from now, as in 0:4:0).
    #[serde(default)]
    pub expires_kind: ExpiresKind,

    /// Where the refresh token is, if there is one.
    #[serde(default = "refresh_token")]
    #[schemars(length(min = 1, max = 256))]
    pub refresh_token_path: String,

    /// Where a URL is that replaces scheme and host of baseUrl, and its path if
    /// it has one. Needs spec.baseUrlAllow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub base_url_path: Option<String>,

    /// Fields of the answer that calls need besides: each is ${token.NAME} in
    /// spec.headers and spec.query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub capture: Vec<Capture>,

    /// What the answer must say to be a success, for providers that answer 200
    /// to everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Success>,
}

/// A field of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capture {
    /// Its name in ${token.NAME}.
    #[schemars(length(min = 1, max = 63), regex(pattern = rule::DATA_KEY))]
    pub name: String,

    /// Where it is: a path in the body, header:NAME or cookie:NAME.
    #[schemars(length(min = 1, max = 256))]
    pub path: String,
}

/// What an answer must say to be a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    /// Where it says so.
    #[schemars(length(min = 1, max = 256))]
    pub path: String,

    /// What it says, as text: "true", "0000".
    #[schemars(length(max = 256))]
    pub equals: String,
}

/// How an answer says when a token expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExpiresKind {
    /// By its looks.
    #[default]
    Auto,
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// A time.
    Rfc3339,
    /// Days, hours and minutes from now.
    DaysHoursMinutes,
}

/// How long a token is good for, and when it is renewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenLifetime {
    /// For answers that say nothing of it. Left out, it is what a token that is
    /// a JSON Web Token says itself, else 55 minutes where the token can be
    /// obtained anew, else until it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub default_seconds: Option<i32>,

    /// How long before its end a token is renewed, but not before half of its
    /// life is over.
    #[serde(default = "minute")]
    #[schemars(range(min = 0, max = 86_400))]
    pub refresh_before_seconds: i32,

    /// Renew at least so often, for refresh tokens that die unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8760))]
    pub keep_alive_hours: Option<i32>,

    /// For how long the provider still takes a refresh token that it has
    /// replaced: within it, a refresh whose outcome is not known is tried
    /// again. Set it only where the provider promises that.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub grace_seconds: i32,
}

impl Default for TokenResponse {
    fn default() -> Self {
        Self {
            access_token_path: access_token(),
            expires_path: expires_in(),
            expires_kind: ExpiresKind::Auto,
            refresh_token_path: refresh_token(),
            base_url_path: None,
            capture: Vec::new(),
            success: None,
        }
    }
}

fn access_token() -> String {
    "access_token".to_owned()
}

fn expires_in() -> String {
    "expires_in".to_owned()
}

fn refresh_token() -> String {
    "refresh_token".to_owned()
}

const fn minute() -> i32 {
    60
}
