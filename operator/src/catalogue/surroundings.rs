//! What others have to do with a collection: the namespaces that it reaches,
//! those of its name, and those of its port.

use std::collections::BTreeSet;
use std::sync::Arc;

use credence_core::port_claim::PortClaim;
use credence_core::{CollectionName, Environment};

use super::{Outline, Shelf, State};
use crate::collection_key::CollectionKey;

/// What lies around a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment of its namespace; none for one of the cluster.
    pub environment: Option<Environment>,
    /// The environments that it is used in.
    pub environments: BTreeSet<Environment>,
    /// Whether its name meets one of the other kind.
    pub shadow: Option<Shadow>,
    /// Who has the port that it asks for.
    pub rival: Option<Rival>,
}

/// Two collections of one name meet in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shadow {
    /// In these namespaces another one is used.
    ByNamespaces(BTreeSet<String>),
    /// It is used instead of one of the cluster.
    OfCluster,
}

/// An older collection that asks for the same port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// The port.
    pub port: u16,
    /// Who has it.
    pub holder: CollectionKey,
}

impl State {
    /// Names of the collections of the cluster that are meant for a namespace.
    pub(super) fn reaching(&self, namespace: &str) -> BTreeSet<CollectionName> {
        let shelf = self.shelf(namespace);
        (self.cluster.iter())
            .filter(|(_, slot)| shelf.is_reached(namespace, &slot.outline.scope))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The shelves that a collection is meant for: its own, or those that its
    /// selector reaches.
    fn reached(
        &self,
        key: &CollectionKey,
        outline: &Outline,
    ) -> impl Iterator<Item = (&str, Arc<Shelf>)> {
        (self.shelves.iter()).filter_map(|(namespace, shelf)| {
            let shelf = shelf.borrow().clone();
            let reached = match &key.namespace {
                Some(own) => own == namespace,
                None => shelf.is_reached(namespace, &outline.scope),
            };
            reached.then_some((namespace.as_str(), shelf))
        })
    }

    /// None as long as the watch has not shown the collection's namespace.
    pub(super) fn surroundings(
        &self,
        key: &CollectionKey,
        outline: &Outline,
    ) -> Option<Surroundings> {
        let mut around = Surroundings::default();
        let mut shadowed_in = BTreeSet::new();
        if let Some(namespace) = &key.namespace {
            around.environment = Some(self.shelf(namespace).environment()?);
            let reaching = self.reaching(namespace).contains(&key.name);
            around.shadow = reaching.then_some(Shadow::OfCluster);
        }
        for (namespace, shelf) in self.reached(key, outline) {
            if key.namespace.is_none() && shelf.collections.contains_key(&key.name) {
                shadowed_in.insert(namespace.to_owned());
                continue;
            }
            around.environments.extend(shelf.environments());
            if around.rival.is_none() {
                around.rival = rival(namespace, &shelf, key, outline);
            }
        }
        if !shadowed_in.is_empty() {
            around.shadow = Some(Shadow::ByNamespaces(shadowed_in));
        }
        Some(around)
    }

    /// The collections for which it matters what this one says of itself.
    pub(super) fn neighbours(
        &self,
        key: &CollectionKey,
        outline: &Outline,
    ) -> BTreeSet<CollectionKey> {
        let mut neighbours = BTreeSet::new();
        if key.namespace.is_some() && self.cluster.contains_key(&key.name) {
            neighbours.insert(CollectionKey::of_cluster(key.name.clone()));
        }
        for (namespace, shelf) in self.reached(key, outline) {
            for (of_cluster, name, slot) in shelf.on_offer() {
                let same_port = outline.sidecar_port.is_some()
                    && slot.outline.sidecar_port == outline.sidecar_port;
                let other = Shelf::key(namespace, of_cluster, name);
                if (same_port || *name == key.name) && other != *key {
                    neighbours.insert(other);
                }
            }
        }
        neighbours
    }
}

/// The collection of a shelf that has the port of this one, where a pod may
/// use both.
fn rival(namespace: &str, shelf: &Shelf, key: &CollectionKey, outline: &Outline) -> Option<Rival> {
    let port = outline.sidecar_port?;
    let accounts = outline.scope.accounts(namespace);
    let together = |other: &Outline| match (&accounts, other.scope.accounts(namespace)) {
        (Some(ours), Some(theirs)) => !ours.is_disjoint(&theirs),
        (Some(some), None) => !some.is_empty(),
        (None, Some(some)) => !some.is_empty(),
        (None, None) => true,
    };
    let claim = |name, outline: &Outline| PortClaim {
        port,
        created: outline.created,
        name,
    };
    let ours = claim(&key.name, outline);
    shelf
        .on_offer()
        .filter(|(_, name, slot)| {
            **name != key.name
                && slot.outline.sidecar_port == Some(port)
                && claim(name, &slot.outline).comes_before(&ours)
                && together(&slot.outline)
        })
        .min_by_key(|(_, name, slot)| (slot.outline.created, (*name).clone()))
        .map(|(of_cluster, name, _)| Rival {
            port,
            holder: Shelf::key(namespace, of_cluster, name),
        })
}
