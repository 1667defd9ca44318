//! What differs between the environments.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// What one environment uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::environment_settings()))]
pub struct EnvironmentSettings {
    /// Where calls of this environment go, instead of spec.baseUrl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = rule::base_url()))]
    pub base_url: Option<String>,

    /// The Secret in this namespace that ${secret.KEY} refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// A Secret of type kubernetes.io/tls in this namespace: the certificate in
    /// tls.crt and its key in tls.key are shown to the API when it asks for a
    /// client certificate, whatever the method of auth. Authorities in ca.crt
    /// are trusted as if caRef named them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret_ref: Option<SecretRef>,

    /// PEM certificates of authorities that are trusted besides the public
    /// ones, for APIs with a certificate of a private authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,

    /// What ${values.NAME} refers to: things that differ between environments
    /// and are not secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = rule::text(1, 1024)))]
    pub values: BTreeMap<String, String>,

    /// Allows baseUrl to begin with http://, where everybody on the way can read
    /// the credential. For mocks, and for APIs behind a service mesh.
    #[serde(default)]
    pub allow_insecure_http: bool,

    /// Allows the API to be at a private or loopback address. Addresses of
    /// cloud metadata services stay forbidden.
    #[serde(default)]
    pub allow_private_networks: bool,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = rule::OBJECT_NAME))]
    pub name: String,
}

/// PEM certificates in a ConfigMap or Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaRef {
    /// ConfigMap or Secret.
    pub kind: CaKind,

    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = rule::OBJECT_NAME))]
    pub name: String,

    /// The key that holds the certificates.
    #[serde(default = "default_ca_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rule::DATA_KEY))]
    pub key: String,
}

/// Kinds of object that can hold certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CaKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// Where cert-manager and the cluster itself put certificates of authorities.
fn default_ca_key() -> String {
    "ca.crt".to_owned()
}
