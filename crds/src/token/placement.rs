//! Where a token goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// Where a token goes on calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::token_placement()))]
pub struct TokenPlacement {
    /// Header, Query, Cookie, or None: then spec.headers or spec.query refer to
    /// ${token} or a captured ${token.NAME}. Prefer Header: a token in a URL is
    /// written to logs.
    #[serde(rename = "in", default)]
    pub place: TokenPlace,

    /// Name of the header, query parameter or cookie. Left out for Header, it
    /// is Authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,

    /// What stands before the token. Left out, it is "Bearer " in the header
    /// Authorization, and nothing elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub prefix: Option<String>,
}

/// Where a token goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenPlace {
    /// A header.
    #[default]
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
    /// Where spec.headers and spec.query refer to it.
    None,
}
