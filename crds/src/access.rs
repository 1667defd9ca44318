//! Who may make calls.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// Who may make calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// ServiceAccounts of this namespace whose pods may make calls. Left out, it
    /// means all of them; an empty list means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253), regex(pattern = rule::OBJECT_NAME)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub service_accounts: Option<BTreeSet<String>>,
}
