//! What differs between the environments.

use std::collections::BTreeMap;

use crate::template::Template;

/// What differs between the environments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Overrides [`super::Collection::base_url`].
    pub base_url: Option<Template>,
    /// Name of the Secret that `${secret.…}` refers to.
    pub secret: Option<String>,
    /// Name of the Secret of type `kubernetes.io/tls` with the client
    /// certificate.
    pub tls_secret: Option<String>,
    /// Certificates trusted besides the public roots.
    pub trust: Option<TrustRef>,
    /// What `${values.…}` refers to.
    pub values: BTreeMap<String, String>,
    /// Whether the base URL may be one of `http`.
    pub allow_insecure_http: bool,
    /// Whether private and loopback addresses may be dialled.
    pub allow_private_networks: bool,
}

impl Settings {
    /// Those of an environment of which nothing is said.
    pub(super) const NONE: Self = Self {
        base_url: None,
        secret: None,
        tls_secret: None,
        trust: None,
        values: BTreeMap::new(),
        allow_insecure_http: false,
        allow_private_networks: false,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::NONE
    }
}

/// Where the PEM certificates of a private authority are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRef {
    /// Which kind of object holds them.
    pub kind: TrustKind,
    /// The object's name, in the collection's namespace.
    pub name: String,
    /// The key in its data.
    pub key: String,
}

/// Kinds of object that can hold certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl TrustKind {
    /// As manifests spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}
