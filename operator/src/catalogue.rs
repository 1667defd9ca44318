//! What every namespace may use now, in memory, on every replica.
//!
//! ```text
//! namespaces ─ environment ─┐
//! pods ─────── lowered ─────┼─► shelf of a namespace ─► its streams
//! controller ─ planned ─────┘          │
//! sources ──── changed ──► queue ◄─────┘ (what must be planned again)
//! ```
//!
//! A shelf holds a resolution only under the environment that it was made for.
//! So a stream of a development namespace has no way to a live credential,
//! whatever happens to the namespace at the same moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credence_core::bundle::Entry;
use credence_core::{CollectionName, Environment};
use tokio::sync::watch;

use crate::queue::Queue;
use crate::resolution::Resolution;
use crate::revision::SourceKind;

/// The collections of one namespace.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// Of the namespace; none until the watch has shown it.
    pub environment: Option<Environment>,
    /// Whether pods of a live namespace ask for development.
    pub lowered: bool,
    /// By name.
    pub collections: BTreeMap<CollectionName, Slot>,
}

/// A collection that exists.
#[derive(Clone, Debug)]
pub enum Slot {
    /// It has not been planned yet.
    Awaited {
        /// Whether it was tried: then something is wrong with the cluster, and
        /// the replica is as ready as it can be.
        tried: bool,
    },
    /// It has.
    Planned(Arc<Planned>),
}

/// What one namespace's sidecars may know of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// ServiceAccounts that may use it; absent means all.
    pub service_accounts: Option<BTreeSet<String>>,
    /// Its resolutions, each under the environment it was made for.
    pub resolutions: BTreeMap<Environment, Arc<Resolution>>,
}

impl Shelf {
    /// The environments that collections of this namespace are resolved for.
    pub fn environments(&self) -> BTreeSet<Environment> {
        let lowered = self.lowered.then_some(Environment::Development);
        self.environment.into_iter().chain(lowered).collect()
    }
}

/// The shelves of all namespaces.
pub struct Catalogue {
    shelves: Mutex<HashMap<String, watch::Sender<Arc<Shelf>>>>,
    queue: Queue,
}

impl Catalogue {
    /// An empty one, that puts what must be planned again into `queue`.
    pub fn new(queue: Queue) -> Self {
        Self {
            shelves: Mutex::default(),
            queue,
        }
    }

    /// The shelf of a namespace, now and whenever it changes.
    pub fn subscribe(&self, namespace: &str) -> watch::Receiver<Arc<Shelf>> {
        self.lock()
            .entry(namespace.to_owned())
            .or_default()
            .subscribe()
    }

    /// The shelf of a namespace as it is now.
    pub fn shelf(&self, namespace: &str) -> Arc<Shelf> {
        self.lock()
            .get(namespace)
            .map(|shelf| shelf.borrow().clone())
            .unwrap_or_default()
    }

    /// What was last planned for a collection.
    pub fn planned(&self, namespace: &str, name: &str) -> Option<Arc<Planned>> {
        match self.shelf(namespace).collections.get(name)? {
            Slot::Planned(planned) => Some(planned.clone()),
            Slot::Awaited { .. } => None,
        }
    }

    /// States a namespace's environment; none when it was deleted.
    pub fn set_environment(&self, namespace: &str, environment: Option<Environment>) {
        let changed = self.change(namespace, |shelf| {
            std::mem::replace(&mut shelf.environment, environment) != environment
        });
        if changed {
            self.plan_again(namespace);
        }
    }

    /// States whether pods of a namespace ask for development.
    pub fn set_lowered(&self, namespace: &str, lowered: bool) {
        let changed = self.change(namespace, |shelf| {
            std::mem::replace(&mut shelf.lowered, lowered) != lowered
        });
        if changed {
            self.plan_again(namespace);
        }
    }

    /// Wakes the streams of a namespace.
    pub fn touch(&self, namespace: &str) {
        self.change(namespace, |_| true);
    }

    /// Announces a collection. Until it is planned, nobody is sent a bundle
    /// without it.
    pub fn expect(&self, namespace: &str, name: &CollectionName) {
        self.change(namespace, |shelf| {
            let known = shelf.collections.contains_key(name);
            if !known {
                shelf
                    .collections
                    .insert(name.clone(), Slot::Awaited { tried: false });
            }
            !known
        });
    }

    /// States that a collection could not be planned. What was planned before
    /// stays.
    pub fn failed(&self, namespace: &str, name: &CollectionName) {
        self.change(namespace, |shelf| match shelf.collections.get_mut(name) {
            Some(Slot::Awaited { tried }) => !std::mem::replace(tried, true),
            Some(Slot::Planned(_)) | None => false,
        });
    }

    /// Takes over a plan for a collection that still exists.
    pub fn put(&self, namespace: &str, name: &CollectionName, planned: Planned) {
        self.change(namespace, |shelf| match shelf.collections.get_mut(name) {
            Some(Slot::Planned(old)) if **old == planned => false,
            Some(slot) => {
                *slot = Slot::Planned(Arc::new(planned));
                true
            }
            None => false,
        });
    }

    /// Removes a collection; says whether the namespace has any left.
    pub fn remove(&self, namespace: &str, name: &str) -> bool {
        self.change(namespace, |shelf| shelf.collections.remove(name).is_some());
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get(namespace) else {
            return false;
        };
        let left = !shelf.borrow().collections.is_empty();
        if !left && shelf.receiver_count() == 0 && shelf.borrow().environment.is_none() {
            shelves.remove(namespace);
        }
        left
    }

    /// Removes all collections that a complete listing did not show; returns
    /// the namespaces that have none left.
    pub fn retain(&self, exists: impl Fn(&str, &CollectionName) -> bool) -> Vec<String> {
        let gone: Vec<(String, CollectionName)> = self
            .lock()
            .iter()
            .flat_map(|(namespace, shelf)| {
                let shelf = shelf.borrow();
                shelf
                    .collections
                    .keys()
                    .filter(|name| !exists(namespace, name))
                    .map(|name| (namespace.clone(), name.clone()))
                    .collect::<Vec<_>>()
            })
            .collect();
        gone.into_iter()
            .filter(|(namespace, name)| !self.remove(namespace, name.as_str()))
            .map(|(namespace, _)| namespace)
            .collect()
    }

    /// Whether every collection was planned, or at least tried.
    pub fn is_complete(&self) -> bool {
        self.lock().values().all(|shelf| {
            shelf
                .borrow()
                .collections
                .values()
                .all(|slot| !matches!(slot, Slot::Awaited { tried: false }))
        })
    }

    /// Has every collection of a namespace planned again.
    pub fn plan_again(&self, namespace: &str) {
        for name in self.shelf(namespace).collections.keys() {
            self.queue.push(namespace, name.as_str());
        }
    }

    /// Has the collections planned again that refer to an object, or did when
    /// they were last planned.
    pub fn source_changed(&self, namespace: &str, kind: SourceKind, source: &str) {
        for (name, slot) in &self.shelf(namespace).collections {
            let concerned = match slot {
                Slot::Awaited { .. } => true,
                Slot::Planned(planned) => planned
                    .resolutions
                    .values()
                    .any(|resolution| resolution.refers_to(kind, source)),
            };
            if concerned {
                self.queue.push(namespace, name.as_str());
            }
        }
    }

    /// Changes a shelf and wakes its streams if that is worth it.
    fn change(&self, namespace: &str, change: impl FnOnce(&mut Shelf) -> bool) -> bool {
        let mut shelves = self.lock();
        let shelf = shelves.entry(namespace.to_owned()).or_default();
        shelf.send_if_modified(|shelf| change(Arc::make_mut(shelf)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Arc<Shelf>>>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Planned {
    /// The entry for an environment; none if it was not resolved for that.
    pub fn entry(&self, environment: Environment) -> Option<(&Entry, &str)> {
        let resolution = self.resolutions.get(&environment)?;
        Some((&resolution.entry, &resolution.revision))
    }
}
