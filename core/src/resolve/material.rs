//! What a collection refers to, as it was found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// The objects that have to be looked up: those of the active environment and
/// no others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Names of Secrets, in the collection's namespace.
    pub secrets: BTreeSet<String>,
    /// Names of ConfigMaps, in the collection's namespace.
    pub config_maps: BTreeSet<String>,
}

/// The objects that were found. What does not exist is left out.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretObject>,
    /// The `data` of ConfigMaps, by name.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The namespace that the collection's ServiceAccounts are in; absent where
    /// there is no cluster that could issue tokens of them.
    pub accounts_in: Option<String>,
}

/// What matters of a Kubernetes Secret. Its `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretObject {
    /// The Secret's `type`, such as `Opaque`.
    pub kind: String,
    /// The value of the label [`crate::names::ENVIRONMENT`].
    pub environment: Option<String>,
    /// When its values were last written, if that is known.
    pub written_at: Option<Timestamp>,
    /// Values by key, decoded from base64 already.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl SecretObject {
    /// Whether a Secret of this type may be sent to a provider at all: not the
    /// cluster's own credentials, not release records that happen to be
    /// Secrets, and not what Credence keeps for itself.
    pub fn may_be_sent(&self) -> bool {
        self.kind != "kubernetes.io/service-account-token"
            && self.kind != "bootstrap.kubernetes.io/token"
            && !self.kind.starts_with("helm.sh/release")
            && !self.kind.starts_with("credence.dev/")
    }
}

impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretObject")
            .field("kind", &self.kind)
            .field("environment", &self.environment)
            .field("written_at", &self.written_at)
            .field("keys", &self.data.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_keys_and_no_values() {
        let secret = SecretObject {
            data: BTreeMap::from([("api-key".to_owned(), b"sk_live_1".to_vec().into())]),
            ..SecretObject::default()
        };
        let shown = format!("{secret:?}");
        assert!(shown.contains("api-key"), "{shown}");
        assert!(
            !shown.contains("115") && !shown.contains("sk_live"),
            "{shown}"
        );
    }

    #[test]
    fn the_clusters_own_secrets_are_never_sent() {
        for (kind, sent) in [
            ("", true),
            ("Opaque", true),
            ("kubernetes.io/basic-auth", true),
            ("kubernetes.io/tls", true),
            ("kubernetes.io/service-account-token", false),
            ("bootstrap.kubernetes.io/token", false),
            ("helm.sh/release.v1", false),
            ("credence.dev/token", false),
        ] {
            let secret = SecretObject {
                kind: kind.to_owned(),
                ..SecretObject::default()
            };
            assert_eq!(secret.may_be_sent(), sent, "{kind}");
        }
    }
}
