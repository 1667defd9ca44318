//! How calls are passed on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of a call is passed on or changed beside the credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Adds Via: 1.1 credence (RFC 9110, 7.6.3). Switch it off only for APIs
    /// that refuse calls with it.
    #[serde(default = "yes")]
    pub via: bool,

    /// Passes on what the caller sends as Forwarded and X-Forwarded-*. Without
    /// it these headers are removed, as they tell the API about your network.
    #[serde(default)]
    pub forwarded: bool,

    /// Changes a redirect to the API itself so that it leads back through the
    /// sidecar. Redirects to other hosts are never changed, and none is
    /// followed.
    #[serde(default = "yes")]
    pub rewrite_location: bool,
}

/// How long the API is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// For a connection, with name resolution and TLS.
    #[serde(default = "connect_seconds")]
    #[schemars(range(min = 1, max = 300))]
    pub connect_seconds: i32,

    /// For the first byte of the answer, counted from the end of the upload.
    #[serde(default = "first_byte_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub first_byte_seconds: i32,

    /// Between two pieces of a body.
    #[serde(default = "idle_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub idle_seconds: i32,
}

const fn yes() -> bool {
    true
}

const fn connect_seconds() -> i32 {
    10
}

const fn first_byte_seconds() -> i32 {
    600
}

const fn idle_seconds() -> i32 {
    300
}
