//! All collections as their watches have last shown them.

use credence_crds::{ApiCollection, ClusterApiCollection, FeedStatus};
use kube::runtime::reflector::Store;

use super::manifest::{Guarded, Kind, key};
use crate::collection_key::CollectionKey;

/// The collections of both kinds.
#[derive(Clone)]
pub struct Stores {
    pub(super) of_namespaces: Store<Guarded<ApiCollection>>,
    pub(super) of_cluster: Store<Guarded<ClusterApiCollection>>,
}

/// What replicas have written into the status of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Which collection.
    pub key: CollectionKey,
    /// Its uid.
    pub uid: String,
    /// Its `status.feeds`.
    pub feeds: Vec<FeedStatus>,
}

impl Stores {
    /// What replicas have written, of every collection that can be read.
    pub fn reported(&self) -> Vec<Reported> {
        let mut all = reported(&self.of_namespaces);
        all.extend(reported(&self.of_cluster));
        all
    }
}

fn reported<K: Kind>(store: &Store<Guarded<K>>) -> Vec<Reported> {
    let objects = store.state();
    let readable = objects.iter().filter_map(|object| object.0.as_ref().ok());
    readable
        .filter_map(|object| {
            Some(Reported {
                key: key(object)?,
                uid: object.meta().uid.clone().unwrap_or_default(),
                feeds: object
                    .status()
                    .map(|status| status.feeds.clone())
                    .unwrap_or_default(),
            })
        })
        .collect()
}
