//! The controller of collections, on every replica, once for each kind.
//!
//! ```text
//! collections ─┐
//! sources ─────┼─► queue ─► gather (reads) ─► plan (pure) ─► carry out ─► catalogue
//! namespaces ──┤                                                 └ leader ─► status
//! leadership ──┘
//! ```
//!
//! It never asks why a collection was queued: each time everything about it is
//! looked at again. Objects are read only if a version changed since.

mod announcements;
mod carry_out;
mod conditions;
mod follow;
mod gather;
mod lag;
mod manifest;
mod plan;
mod planner;
mod reads;
mod rejections;
pub(crate) mod status_patch;
mod stores;
mod unanswered;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use credence_crds::{ApiCollection, ClusterApiCollection};
use futures::StreamExt as _;
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{self, ObjectRef, Store};
use tracing::{debug, warn};

use crate::random;

pub use follow::Collections;
pub use manifest::{Guarded, Kind};
pub use planner::Planner;
pub use stores::{Reported, Stores};
use unanswered::Unanswered;

/// Collections of a kind that are planned at a time; each may wait for the API
/// server.
const CONCURRENCY: u16 = 16;
/// What failed is tried again after one to two times this.
const RETRY: Duration = Duration::from_secs(2);

/// Plans the collections of one kind.
pub struct Controller<K: Kind> {
    planner: Arc<Planner>,
    store: Store<Guarded<K>>,
}

/// The controllers of both kinds, and the tasks that show them the
/// collections.
pub struct Controllers {
    /// Of those of namespaces.
    pub of_namespaces: (Controller<ApiCollection>, Collections<ApiCollection>),
    /// Of those of the cluster.
    pub of_cluster: (
        Controller<ClusterApiCollection>,
        Collections<ClusterApiCollection>,
    ),
}

impl Controllers {
    /// What shares this planner.
    pub fn new(planner: &Arc<Planner>) -> Self {
        Self {
            of_namespaces: Controller::new(planner.clone()),
            of_cluster: Controller::new(planner.clone()),
        }
    }

    /// The collections as the watches have last shown them.
    pub fn stores(&self) -> Stores {
        Stores {
            of_namespaces: self.of_namespaces.0.store.clone(),
            of_cluster: self.of_cluster.0.store.clone(),
        }
    }
}

impl<K: Kind> Controller<K> {
    fn new(planner: Arc<Planner>) -> (Self, Collections<K>) {
        let (store, writer) = reflector::store();
        let collections = Collections {
            planner: planner.clone(),
            writer,
        };
        (Self { planner, store }, collections)
    }

    /// Plans what is queued, for ever.
    pub async fn run(self) {
        let Self { planner, store } = self;
        let queue = planner.queue.stream(K::OF_CLUSTER).map(|key| {
            let object = ObjectRef::<Guarded<K>>::new(key.name.as_str());
            let object = match &key.namespace {
                Some(namespace) => object.within(namespace),
                None => object,
            };
            Ok::<_, std::convert::Infallible>(ReconcileRequest::from(object))
        });
        let config = controller::Config::default().concurrency(CONCURRENCY);
        let reconcile = |object: Arc<Guarded<K>>, planner: Arc<Planner>| {
            Box::pin(async move { planner.reconcile(&object).await })
        };
        let retry = |_: Arc<Guarded<K>>, _: &Unanswered, _: Arc<Planner>| {
            Action::requeue(RETRY + random::up_to(RETRY))
        };
        let mut leader = planner.leader.clone();
        let mut results = pin!(applier(
            reconcile,
            retry,
            planner.clone(),
            store,
            queue,
            config
        ));
        loop {
            tokio::select! {
                result = results.next() => match result {
                    Some(Ok((object, action))) => debug!(%object, ?action, "planned"),
                    // Deleted between being queued and being planned.
                    Some(Err(controller::Error::ObjectNotFound(_))) => {}
                    Some(Err(error)) => warn!(%error, "a collection cannot be planned"),
                    None => return,
                },
                changed = leader.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // A new leader finds what the old one left to be written.
                    planner.catalogue.plan_everything();
                }
            }
        }
    }
}
