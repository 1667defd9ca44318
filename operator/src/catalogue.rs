//! What every namespace may use now, in memory, on every replica.
//!
//! ```text
//! namespaces ─ labels ──────┐
//! pods ─────── lowered ─────┼─► shelf of a namespace ─► its streams
//! controller ─ planned ─────┘          │
//! sources ──── changed ──► queue ◄─────┘ (what must be planned again)
//! ```
//!
//! A shelf holds a resolution only under the environment that it was made for.
//! So a stream of a development namespace has no way to a live credential,
//! whatever happens to the namespace at the same moment. And it holds those
//! collections of the cluster that reach its namespace, no others.

mod earlier;
mod shelf;
mod surroundings;
mod tokens;
mod verifications;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use credence_core::CollectionName;
use tokio::sync::watch;

use crate::collection_key::CollectionKey;
use crate::metrics::Observed;
use crate::queue::Queue;
use crate::revision::SourceKind;

pub use shelf::{Namespace, Orders, Outline, Planned, Records, Shelf, Slot, Trouble};
pub use surroundings::{Rival, Shadow, Surroundings};
pub use tokens::{Kept, Wanted, Worth};
pub use verifications::Verifiable;
use verifications::Verifications;

/// The shelves of all namespaces, and the collections of the cluster.
pub struct Catalogue {
    state: Mutex<State>,
    queue: Queue,
    credentials_namespace: String,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    shelves: HashMap<String, watch::Sender<Arc<Shelf>>>,
    cluster: BTreeMap<CollectionName, Slot>,
    listed: Listed,
    /// By the names of their Secrets; those of collections that are not known
    /// (yet), too.
    records: HashMap<String, Kept>,
    verifications: Verifications,
}

/// Which watches have shown all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Listed {
    namespaces: bool,
    of_namespaces: bool,
    of_cluster: bool,
}

impl Catalogue {
    /// An empty one, that puts what must be planned again into `queue`.
    /// Collections of the cluster take their Secrets and ConfigMaps from
    /// `credentials_namespace`.
    pub fn new(queue: Queue, credentials_namespace: &str) -> Self {
        Self {
            state: Mutex::default(),
            queue,
            credentials_namespace: credentials_namespace.to_owned(),
            changes: watch::Sender::new(()),
        }
    }

    /// The namespace that a collection's Secrets and ConfigMaps are in.
    pub fn home<'a>(&'a self, key: &'a CollectionKey) -> &'a str {
        key.namespace
            .as_deref()
            .unwrap_or(&self.credentials_namespace)
    }

    /// The shelf of a namespace, now and whenever it changes.
    pub fn subscribe(&self, namespace: &str) -> watch::Receiver<Arc<Shelf>> {
        self.lock()
            .shelves
            .entry(namespace.to_owned())
            .or_default()
            .subscribe()
    }

    /// What was last planned for a collection.
    pub fn planned(&self, key: &CollectionKey) -> Option<Arc<Planned>> {
        self.lock().slot(key)?.planned
    }

    /// What lies around a collection with this outline; none until every
    /// listing is complete, since half of one would be taken for the whole.
    pub fn surroundings(&self, key: &CollectionKey, outline: &Outline) -> Option<Surroundings> {
        let state = self.lock();
        state
            .listed
            .all()
            .then(|| state.surroundings(key, outline))
            .flatten()
    }

    /// States what a namespace is; none when it was deleted.
    pub fn set_namespace(&self, name: &str, namespace: Option<Namespace>) {
        let mut state = self.lock();
        let before = state.shelf(name);
        if before.namespace == namespace {
            return;
        }
        let reached_before = state.reaching(name);
        state.set_namespace(name, namespace);
        let after = state.shelf(name);
        let reached = state.reaching(name);
        let concerned: BTreeSet<&CollectionName> = match before.environment() == after.environment()
        {
            true => reached.symmetric_difference(&reached_before).collect(),
            false => reached.union(&reached_before).collect(),
        };
        if before.environment() != after.environment() || !concerned.is_empty() {
            for own in after.collections.keys() {
                self.queue
                    .push(CollectionKey::in_namespace(name, own.clone()));
            }
        }
        for of_cluster in concerned {
            self.queue
                .push(CollectionKey::of_cluster(of_cluster.clone()));
        }
        state.tidy(name);
    }

    /// States that every namespace was shown.
    pub fn namespaces_listed(&self) {
        let mut state = self.lock();
        state.listed.namespaces = true;
        self.plan_all(&state);
    }

    /// States whether pods of a namespace ask for development.
    pub fn set_lowered(&self, namespace: &str, lowered: bool) {
        let mut state = self.lock();
        let shelf = state.shelves.entry(namespace.to_owned()).or_default();
        let changed = shelf.send_if_modified(|shelf| {
            let changes = shelf.lowered != lowered;
            if changes {
                Arc::make_mut(shelf).lowered = lowered;
            }
            changes
        });
        if changed {
            for (of_cluster, name, _) in state.shelf(namespace).on_offer() {
                self.queue.push(Shelf::key(namespace, of_cluster, name));
            }
        }
    }

    /// Wakes the streams of a namespace.
    pub fn touch(&self, namespace: &str) {
        if let Some(shelf) = self.lock().shelves.get(namespace) {
            shelf.send_modify(|_| {});
        }
    }

    /// What there is to be seen of every collection that is planned.
    pub fn observed(&self) -> Vec<Observed> {
        let state = self.lock();
        let planned = |key: CollectionKey| {
            let slot = state.slot(&key)?;
            let resolutions = slot.planned.as_ref()?.resolutions.values();
            let written = resolutions.filter_map(|resolution| resolution.secret_written_at);
            Some(Observed {
                key,
                secret_written_at: written.min(),
                token_expires_at: slot.token_ends(),
            })
        };
        state.keys().into_iter().filter_map(planned).collect()
    }

    /// Takes note of a collection as it is now. Until it is planned, nobody
    /// whom it is for gets a first bundle without it.
    pub fn announce(&self, key: &CollectionKey, outline: Outline) {
        let mut state = self.lock();
        let before = state.slot(key);
        let known = before.as_ref().map(|slot| slot.outline.clone());
        if known.as_deref() == Some(&outline) {
            return;
        }
        let outline = Arc::new(outline);
        let slot = match before {
            Some(before) if before.outline.uid == outline.uid => Slot {
                outline: outline.clone(),
                ..before
            },
            // What another object of this name was must not go on.
            Some(_) | None => Slot::new(outline.clone()),
        };
        let mut concerned = state.neighbours(key, &outline);
        if let Some(known) = known {
            concerned.extend(state.neighbours(key, &known));
        }
        state.set_slot(key, Some(slot));
        concerned.into_iter().for_each(|key| self.queue.push(key));
    }

    /// States that a collection could not be planned. What was planned before
    /// stays.
    pub fn failed(&self, key: &CollectionKey, now: Instant) {
        let mut state = self.lock();
        let Some(slot) = state.slot(key) else { return };
        let trouble = slot.trouble.after_failure(now);
        if trouble != slot.trouble {
            state.set_slot(key, Some(Slot { trouble, ..slot }));
        }
    }

    /// Takes over a plan for a collection that still exists.
    pub fn put(&self, key: &CollectionKey, planned: Planned) {
        let mut state = self.lock();
        let Some(slot) = state.slot(key) else { return };
        // It may have been deleted and created again while this was planned.
        if slot.outline.uid != planned.outline.uid {
            return;
        }
        let same = slot.planned.as_deref() == Some(&planned);
        if same && slot.trouble == Trouble::None {
            return;
        }
        let slot = Slot {
            earlier: match same {
                true => slot.earlier,
                false => slot.earlier_than(&planned),
            },
            planned: match same {
                true => slot.planned,
                false => Some(Arc::new(planned)),
            },
            trouble: Trouble::None,
            ..slot
        };
        state.set_slot(key, Some(slot));
        self.changes.send_replace(());
    }

    /// Removes a collection; returns the namespace that it took Secrets from,
    /// if no other collection takes any from there.
    pub fn remove(&self, key: &CollectionKey) -> Option<String> {
        let mut state = self.lock();
        if let Some(slot) = state.slot(key) {
            let concerned = state.neighbours(key, &slot.outline);
            state.set_slot(key, None);
            self.changes.send_replace(());
            concerned.into_iter().for_each(|key| self.queue.push(key));
        }
        if let Some(namespace) = &key.namespace {
            state.tidy(namespace);
        }
        let home = self.home(key);
        let needed = !state.shelf(home).collections.is_empty()
            || (home == self.credentials_namespace && !state.cluster.is_empty());
        (!needed).then(|| home.to_owned())
    }

    /// Removes all collections of a kind that a complete listing did not show;
    /// returns the namespaces that no collection takes Secrets from any more.
    pub fn retain(&self, of_cluster: bool, listed: &BTreeSet<CollectionKey>) -> Vec<String> {
        let keys = self.lock().keys();
        let gone = keys
            .into_iter()
            .filter(|key| key.namespace.is_none() == of_cluster && !listed.contains(key));
        let left = gone.filter_map(|key| self.remove(&key)).collect();
        let mut state = self.lock();
        match of_cluster {
            true => state.listed.of_cluster = true,
            false => state.listed.of_namespaces = true,
        }
        self.plan_all(&state);
        left
    }

    /// Whether every collection is known, and was planned or at least tried.
    pub fn is_complete(&self) -> bool {
        let state = self.lock();
        // Where there are none, nothing more is to come, whenever the
        // namespaces are listed.
        state.listed.collections()
            && state.cluster.values().all(Slot::is_tried)
            && state
                .shelves
                .values()
                .all(|shelf| shelf.borrow().collections.values().all(Slot::is_tried))
    }

    /// Has everything planned again, if everything is known.
    pub fn plan_everything(&self) {
        self.plan_all(&self.lock());
    }

    /// Has every collection planned again that takes Secrets from a namespace.
    pub fn plan_again(&self, namespace: &str) {
        for (key, _) in self.lock().at_home(namespace, &self.credentials_namespace) {
            self.queue.push(key);
        }
    }

    /// Has the collections planned again that refer to an object, or did when
    /// they were last planned.
    pub fn source_changed(&self, namespace: &str, kind: SourceKind, source: &str) {
        for (key, slot) in self.lock().at_home(namespace, &self.credentials_namespace) {
            let concerned = slot.planned.is_none_or(|planned| {
                let mut resolutions = planned.resolutions.values();
                resolutions.any(|resolution| resolution.refers_to(kind, source))
            });
            if concerned {
                self.queue.push(key);
            }
        }
    }

    fn plan_all(&self, state: &State) {
        if state.listed.all() {
            state
                .keys()
                .into_iter()
                .for_each(|key| self.queue.push(key));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    const fn all(self) -> bool {
        self.namespaces && self.collections()
    }

    const fn collections(self) -> bool {
        self.of_namespaces && self.of_cluster
    }
}

impl State {
    fn shelf(&self, namespace: &str) -> Arc<Shelf> {
        self.shelves
            .get(namespace)
            .map(|shelf| shelf.borrow().clone())
            .unwrap_or_default()
    }

    fn slot(&self, key: &CollectionKey) -> Option<Slot> {
        match &key.namespace {
            Some(namespace) => self.shelf(namespace).collections.get(&key.name).cloned(),
            None => self.cluster.get(&key.name).cloned(),
        }
    }

    fn keys(&self) -> Vec<CollectionKey> {
        let mut keys: Vec<_> = (self.cluster.keys().cloned())
            .map(CollectionKey::of_cluster)
            .collect();
        for (namespace, shelf) in &self.shelves {
            let shelf = shelf.borrow();
            let own = shelf.collections.keys().cloned();
            keys.extend(own.map(|name| CollectionKey::in_namespace(namespace, name)));
        }
        keys
    }

    /// The collections that take Secrets from a namespace.
    fn at_home(&self, namespace: &str, of_cluster: &str) -> Vec<(CollectionKey, Slot)> {
        let shelf = self.shelf(namespace);
        let own = shelf.collections.iter().map(|(name, slot)| {
            let key = CollectionKey::in_namespace(namespace, name.clone());
            (key, slot.clone())
        });
        let cluster = (self.cluster.iter())
            .filter(|_| namespace == of_cluster)
            .map(|(name, slot)| (CollectionKey::of_cluster(name.clone()), slot.clone()));
        own.chain(cluster).collect()
    }

    fn set_slot(&mut self, key: &CollectionKey, slot: Option<Slot>) {
        let slot = slot.map(|slot| self.with_records(slot));
        let Some(namespace) = &key.namespace else {
            place(&mut self.cluster, &key.name, slot.clone());
            for (namespace, shelf) in &self.shelves {
                stock(shelf, namespace, &key.name, slot.as_ref());
            }
            return;
        };
        let shelf = self.shelves.entry(namespace.clone()).or_default();
        shelf.send_modify(|shelf| place(&mut Arc::make_mut(shelf).collections, &key.name, slot));
    }

    fn set_namespace(&mut self, name: &str, namespace: Option<Namespace>) {
        let shelf = self.shelves.entry(name.to_owned()).or_default();
        shelf.send_modify(|shelf| {
            let shelf = Arc::make_mut(shelf);
            shelf.namespace = namespace;
            shelf.of_cluster = (self.cluster.iter())
                .filter(|(_, slot)| belongs(shelf, name, slot))
                .map(|(name, slot)| (name.clone(), slot.clone()))
                .collect();
        });
    }

    /// Forgets the shelf of a namespace that is gone.
    fn tidy(&mut self, namespace: &str) {
        let unused = |shelf: &watch::Sender<Arc<Shelf>>| {
            let content = shelf.borrow();
            content.namespace.is_none()
                && content.collections.is_empty()
                && shelf.receiver_count() == 0
        };
        if self.shelves.get(namespace).is_some_and(unused) {
            self.shelves.remove(namespace);
        }
    }
}

/// Puts a collection of the cluster onto a shelf, or takes it away, and wakes
/// the streams if that is a change.
fn stock(
    shelf: &watch::Sender<Arc<Shelf>>,
    namespace: &str,
    name: &CollectionName,
    slot: Option<&Slot>,
) {
    shelf.send_if_modified(|shelf| {
        let wanted = slot.filter(|slot| belongs(shelf, namespace, slot));
        let changes = match (shelf.of_cluster.get(name), wanted) {
            (None, None) => false,
            (Some(before), Some(after)) => !before.is_same(after),
            (None, Some(_)) | (Some(_), None) => true,
        };
        if changes {
            let wanted = wanted.cloned();
            place(&mut Arc::make_mut(shelf).of_cluster, name, wanted);
        }
        changes
    });
}

fn belongs(shelf: &Shelf, namespace: &str, slot: &Slot) -> bool {
    slot.scopes()
        .all(|scope| shelf.is_reached(namespace, scope))
}

fn place(slots: &mut BTreeMap<CollectionName, Slot>, name: &CollectionName, slot: Option<Slot>) {
    match slot {
        Some(slot) => slots.insert(name.clone(), slot),
        None => slots.remove(name),
    };
}

#[cfg(test)]
mod tests;
