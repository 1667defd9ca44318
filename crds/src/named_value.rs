//! Headers and query parameters that are set on every call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// A header that is set on every call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::named_value()))]
pub struct HeaderValue {
    /// Name of the header. Sent as it is spelled here.
    #[schemars(length(min = 1, max = 256))]
    #[schemars(extend("x-kubernetes-validations" = rule::header_name()))]
    pub name: String,

    /// The value. May hold ${secret.KEY}, ${values.NAME}, ${baseUrl}, ${uuid},
    /// ${now.unix} and ${now.iso8601}, each with filters: ${secret.key|base64}.
    #[schemars(length(max = 4096))]
    pub value: String,

    /// What happens when the caller sends a header of this name himself:
    /// Replace removes it, IfAbsent keeps it and leaves ours out, Reject refuses
    /// the call with status 400.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// A query parameter that is set on every call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::named_value()))]
pub struct QueryValue {
    /// Name of the parameter, not percent-encoded.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,

    /// The value, not percent-encoded. May hold ${secret.KEY}, ${values.NAME},
    /// ${baseUrl}, ${uuid}, ${now.unix} and ${now.iso8601}, each with filters:
    /// ${secret.key|base64}.
    #[schemars(length(max = 4096))]
    pub value: String,

    /// What happens when the caller sends a parameter of this name himself:
    /// Replace removes it, IfAbsent keeps it and leaves ours out, Reject refuses
    /// the call with status 400.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What happens when the caller sends a header or parameter of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnConflict {
    /// The caller's are removed.
    #[default]
    Replace,
    /// The caller's are kept, and ours is left out.
    IfAbsent,
    /// The call is refused with status 400.
    Reject,
}
