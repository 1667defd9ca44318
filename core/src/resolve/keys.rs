//! Which keys of which Secrets a collection needs.

use std::collections::{BTreeMap, BTreeSet};

use super::client_certificate::{CHAIN, KEY};
use super::placing::sources;
use crate::Environment;
use crate::collection::{Collection, TrustKind};

/// The keys that must be in each Secret when `collection` is resolved for
/// `environment`, by the Secret's name.
pub fn secret_keys(
    collection: &Collection,
    environment: Environment,
) -> BTreeMap<String, BTreeSet<String>> {
    let settings = collection.selected(environment).settings;
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if let Some(secret) = &settings.secret {
        let read: BTreeSet<String> = sources(collection)
            .iter()
            .flat_map(|source| source.template.secret_keys(&settings.values))
            .map(str::to_owned)
            .collect();
        if !read.is_empty() {
            keys.insert(secret.clone(), read);
        }
    }
    if let Some(secret) = &settings.tls_secret {
        let read = keys.entry(secret.clone()).or_default();
        read.extend([CHAIN, KEY].map(str::to_owned));
    }
    if let Some(trust) = &settings.trust
        && trust.kind == TrustKind::Secret
    {
        let read = keys.entry(trust.name.clone()).or_default();
        read.insert(trust.key.clone());
    }
    keys
}
