//! Which answers refuse a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// An answer that says that the token is not good any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::refresh_on()))]
pub struct RefreshOn {
    /// Its status: 401, or what the API answers instead.
    #[schemars(range(min = 200, max = 599))]
    pub status: i32,

    /// Where in the body it says so, for APIs that use the status for other
    /// things too: errors.0.code. The body is looked at while it is passed on,
    /// up to 64 KiB of it, so the next call is the first with another token; and
    /// what callers say in Accept-Encoding is left out, so that it is readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub body_path: Option<String>,

    /// What it says there, as text: "601".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub body_equals: Option<String>,
}

/// When a call is made again whose token was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetryOnUnauthorized {
    /// Never.
    Never,
    /// When nothing can be done twice by that.
    #[default]
    Safe,
    /// Always.
    Always,
}
