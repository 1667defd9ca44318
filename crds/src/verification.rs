//! The call that shows whether a credential works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// A call that the operator makes with the collection's credential from time to
/// time. Whether the API accepts it is told by the condition Verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::verification()))]
pub struct Verification {
    /// GET or HEAD: the call must change nothing.
    #[serde(default)]
    pub method: VerificationMethod,

    /// What is asked for, as a caller would write it behind the collection's
    /// name: /models, also with a query. Choose something small that needs the
    /// credential. Left out, it is the base URL itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub path: Option<String>,

    /// The statuses by which the API says that it accepts the credential. A
    /// redirect is not followed.
    #[serde(default = "ok")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 200, max = 599)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub expect_status: Vec<i32>,

    /// From one call to the next, for each environment in use. A change of the
    /// collection or of its Secret is verified within a minute.
    #[serde(default = "hourly")]
    #[schemars(range(min = 5, max = 10080))]
    pub interval_minutes: i32,
}

/// A method that changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationMethod {
    /// GET.
    #[default]
    Get,
    /// HEAD.
    Head,
}

fn ok() -> Vec<i32> {
    vec![200]
}

const fn hourly() -> i32 {
    60
}
