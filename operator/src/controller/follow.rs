//! Shows the controller which collections there are.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt as _;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Resource as _};
use tracing::{info, warn};

use super::manifest::{Guarded, Kind, key, outline};
use super::planner::Planner;
use crate::collection_key::CollectionKey;
use crate::watches::retry::patient;

/// Follows the collections of one kind.
pub struct Collections<K: Kind> {
    pub(super) planner: Arc<Planner>,
    pub(super) writer: reflector::store::Writer<Guarded<K>>,
}

impl<K: Kind> Collections<K> {
    /// Watches for ever.
    pub async fn follow(self) {
        let Self { planner, writer } = self;
        let api: Api<Guarded<K>> = Api::all(planner.client.clone());
        let events = patient(watcher(api, watcher::Config::default()))
            .modify(|object| {
                object.meta_mut().managed_fields = None;
                object.meta_mut().annotations = None;
            })
            .reflect(writer);
        let mut events = pin!(events);
        let mut listed = BTreeSet::new();
        loop {
            match events.try_next().await {
                Ok(Some(event)) => planner.follow(event, &mut listed),
                Ok(None) => return,
                Err(error) => warn!(%error, kind = %K::kind(&()), "cannot watch collections"),
            }
        }
    }
}

impl Planner {
    fn follow<K: Kind>(
        &self,
        event: watcher::Event<Guarded<K>>,
        listed: &mut BTreeSet<CollectionKey>,
    ) {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                if let Some(key) = key(&object) {
                    self.catalogue.announce(&key, outline(&object));
                    listed.insert(key);
                }
            }
            watcher::Event::InitDone => {
                for namespace in self.catalogue.retain(K::OF_CLUSTER, listed) {
                    self.sources.forget(&namespace);
                }
            }
            watcher::Event::Apply(object) => {
                if let Some(key) = key(&object) {
                    self.catalogue.announce(&key, outline(&object));
                    self.queue.push(key);
                }
            }
            watcher::Event::Delete(object) => {
                if let Some(key) = key(&object) {
                    info!(
                        namespace = key.namespace,
                        collection = %key.name,
                        "a collection was deleted"
                    );
                    if let Some(namespace) = self.catalogue.remove(&key) {
                        self.sources.forget(&namespace);
                    }
                }
            }
        }
        // What is deleted need not be planned any more.
        self.note_completeness();
    }
}
