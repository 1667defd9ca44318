//! The streams one by one, and how many of them are current. There may be
//! thousands, and one change of a collection changes them all: so their number
//! is kept, and a change of a stream looks at no other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use credence_core::Environment;

use super::super::reports::Reports;
use crate::collection_key::CollectionKey;

/// A sidecar has one stream. Those of connections that broke without a word
/// are noticed after two pings.
pub(super) const PER_POD: usize = 8;

type Revisions = Arc<BTreeMap<CollectionKey, String>>;

#[derive(Default)]
pub(super) struct Roll {
    live: HashMap<String, Live>,
    /// How many streams each pod has.
    of_pods: HashMap<String, usize>,
    current: usize,
    /// How often the revisions of a stream were compared.
    #[cfg(test)]
    pub(super) compared: usize,
}

#[derive(Default)]
pub(super) struct Live {
    pub(super) pod_uid: String,
    pub(super) sent: Option<Sent>,
    pub(super) acknowledged: Option<Acknowledged>,
    pub(super) reports: Reports,
    is_current: bool,
}

pub(super) struct Sent {
    pub(super) revision: String,
    pub(super) environment: Environment,
    pub(super) revisions: Revisions,
    pub(super) at: Instant,
    /// Whether it replaced another bundle of the same stream.
    pub(super) is_change: bool,
}

#[derive(PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) revisions: Revisions,
    pub(super) refused: BTreeSet<CollectionKey>,
}

impl Roll {
    /// Adds a stream of a pod; false if it has too many.
    pub(super) fn add(&mut self, id: &str, pod_uid: &str) -> bool {
        let others = self.of_pods.entry(pod_uid.to_owned()).or_default();
        if *others >= PER_POD {
            return false;
        }
        *others += 1;
        let live = Live {
            pod_uid: pod_uid.to_owned(),
            ..Live::default()
        };
        self.live.insert(id.to_owned(), live);
        true
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(live) = self.live.remove(id) else {
            return;
        };
        self.current -= usize::from(live.is_current);
        if let Some(others) = self.of_pods.get_mut(&live.pod_uid) {
            *others -= 1;
            if *others == 0 {
                self.of_pods.remove(&live.pod_uid);
            }
        }
    }

    /// Changes what a stream was sent or has acknowledged; none if there is no
    /// such stream.
    pub(super) fn change<R>(&mut self, id: &str, change: impl FnOnce(&mut Live) -> R) -> Option<R> {
        let live = self.live.get_mut(id)?;
        let changed = change(live);
        let is_current = live.has_acknowledged();
        self.current -= usize::from(live.is_current);
        self.current += usize::from(is_current);
        live.is_current = is_current;
        #[cfg(test)]
        {
            self.compared += 1;
        }
        Some(changed)
    }

    /// For what does not decide whether the stream is current.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Live> {
        self.live.get_mut(id)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }

    /// How many are current, and how many are not.
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.current, self.live.len() - self.current)
    }
}

impl Live {
    fn has_acknowledged(&self) -> bool {
        match (&self.sent, &self.acknowledged) {
            // Mostly they are the same in memory, too, and not compared.
            (Some(sent), Some(acknowledged)) => sent.revisions == acknowledged.revisions,
            _ => false,
        }
    }
}
