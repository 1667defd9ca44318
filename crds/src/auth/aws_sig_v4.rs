//! How calls are signed for AWS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// A signature over each call, as AWS wants it (Signature Version 4). The
/// secret access key goes to no pod: sidecars get signing keys made from it,
/// which are good for one region and service, and each for one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::aws_sig_v4()))]
pub struct AwsSigV4 {
    /// The region of the service, such as eu-central-1. May hold
    /// ${values.NAME}.
    #[schemars(length(min = 1, max = 256))]
    pub region: String,

    /// The name of the service in signatures, such as s3, bedrock, sts or
    /// execute-api. May hold ${values.NAME}.
    #[schemars(length(min = 1, max = 256))]
    pub service: String,

    /// The access key id, such as "${secret.access-key-id}".
    #[schemars(length(min = 1, max = 4096))]
    pub access_key_id: String,

    /// The secret access key, taken from the Secret:
    /// "${secret.secret-access-key}".
    #[schemars(length(min = 1, max = 4096))]
    pub secret_access_key: String,

    /// The session token of temporary credentials, taken from the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub session_token: Option<String>,

    /// Whether bodies are signed: Signed (each is kept until it is whole, and
    /// one of more than 1 MiB is refused), Unsigned (they are streamed; S3
    /// takes that) or Auto, which is Unsigned for S3 over TLS and else Signed.
    #[serde(default)]
    pub payload: SignedPayload,
}

/// Whether bodies are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SignedPayload {
    /// Unsigned for S3 over TLS, else Signed.
    #[default]
    Auto,
    /// Each body is kept until it is whole.
    Signed,
    /// Bodies are streamed.
    Unsigned,
}
