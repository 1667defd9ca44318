//! The controller of collections, on every replica.
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

mod carry_out;
mod conditions;
mod gather;
mod lag;
mod plan;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use credence_core::CollectionName;
use credence_crds::ApiCollection;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::catalogue::Catalogue;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::random;
use crate::readiness::{Check, Readiness};
use crate::watches::retry::patient;
use crate::watches::sources::Sources;

use gather::{Gatherer, Unanswered};

/// A collection, or what is left of one that this version cannot read: such an
/// object must not hide all others.
pub type Guarded = DeserializeGuard<ApiCollection>;

/// Collections that are planned at a time; each may wait for the API server.
const CONCURRENCY: u16 = 16;
/// What failed is tried again after one to two times this.
const RETRY: Duration = Duration::from_secs(2);

/// Everything that planning needs.
pub struct Controller {
    client: Client,
    catalogue: Arc<Catalogue>,
    sources: Arc<Sources>,
    queue: Queue,
    gatherer: Gatherer,
    leader: watch::Receiver<bool>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    store: Store<Guarded>,
}

impl Controller {
    /// The controller, and the task that shows it the collections.
    pub fn new(
        client: Client,
        catalogue: Arc<Catalogue>,
        sources: Arc<Sources>,
        queue: Queue,
        leader: watch::Receiver<bool>,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> (Arc<Self>, Collections) {
        let (store, writer) = reflector::store();
        let controller = Arc::new(Self {
            gatherer: Gatherer::new(client.clone(), catalogue.clone(), sources.clone()),
            client,
            catalogue,
            sources,
            queue,
            leader,
            readiness,
            metrics,
            store,
        });
        let collections = Collections {
            controller: controller.clone(),
            writer,
        };
        (controller, collections)
    }

    /// The collections as the watch has last shown them.
    pub fn store(&self) -> Store<Guarded> {
        self.store.clone()
    }

    /// Plans what is queued, for ever.
    pub async fn run(self: Arc<Self>) {
        let queue = self.queue.stream().map(|(namespace, name)| {
            let object = ObjectRef::<Guarded>::new(&name).within(&namespace);
            Ok::<_, std::convert::Infallible>(ReconcileRequest::from(object))
        });
        let config = controller::Config::default().concurrency(CONCURRENCY);
        let reconcile = |object: Arc<Guarded>, this: Arc<Self>| {
            Box::pin(async move { this.reconcile(&object).await })
        };
        let retry = |_: Arc<Guarded>, _: &Unanswered, _: Arc<Self>| {
            Action::requeue(RETRY + random::up_to(RETRY))
        };
        let mut results = pin!(applier(
            reconcile,
            retry,
            self.clone(),
            self.store.clone(),
            queue,
            config
        ));
        let mut leader = self.leader.clone();
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
                    self.queue_all();
                }
            }
        }
    }

    fn queue_all(&self) {
        for object in self.store.state() {
            self.queue
                .push(&object.namespace().unwrap_or_default(), &object.name_any());
        }
    }

    async fn reconcile(&self, object: &Guarded) -> Result<Action, Unanswered> {
        let started = Instant::now();
        let result = match self.plan_and_carry_out(object).await {
            // What the watch finds will queue it; this is for the case that
            // the watch finds nothing for long.
            Err(Unanswered::NotSeen) => Ok(Action::requeue(RETRY)),
            Err(error) => {
                if let Some((namespace, name)) = key(object) {
                    self.catalogue.failed(&namespace, &name);
                }
                Err(error)
            }
            Ok(action) => Ok(action),
        };
        if !self.readiness.holds(Check::Collections) && self.catalogue.is_complete() {
            self.readiness.set(Check::Collections, true);
        }
        self.metrics.reconciled(started.elapsed());
        result
    }

    async fn plan_and_carry_out(&self, object: &Guarded) -> Result<Action, Unanswered> {
        let Some((namespace, name)) = key(object) else {
            return Ok(Action::await_change()); // Nobody could call it.
        };
        let object = match &object.0 {
            Ok(object) => object,
            // Its text is not logged: it may quote the manifest.
            Err(InvalidObject { metadata, .. }) => {
                warn!(namespace, collection = %name, "this version cannot read the object");
                self.catalogue
                    .put(&namespace, &name, plan::unreadable(metadata));
                return Ok(Action::await_change());
            }
        };
        let now = Timestamp::now();
        let observed = self.gatherer.gather(&namespace, object, now).await?;
        let plan = plan::plan(&observed, now);
        let leads = *self.leader.borrow();
        carry_out::carry_out(
            &self.client,
            &self.catalogue,
            &namespace,
            &name,
            object,
            &plan,
            leads,
        )
        .await?;
        Ok(plan
            .look_again
            .map_or_else(Action::await_change, Action::requeue))
    }
}

/// Namespace and name; none for a name that no call can hold.
fn key(object: &Guarded) -> Option<(String, CollectionName)> {
    let name = object.meta().name.as_deref()?.parse().ok()?;
    Some((object.namespace()?, name))
}

/// Follows the collections of all namespaces.
pub struct Collections {
    controller: Arc<Controller>,
    writer: reflector::store::Writer<Guarded>,
}

impl Collections {
    /// Watches for ever.
    pub async fn follow(self) {
        let Self { controller, writer } = self;
        let api: Api<Guarded> = Api::all(controller.client.clone());
        let events = patient(watcher(api, watcher::Config::default()))
            .modify(|object| {
                object.meta_mut().managed_fields = None;
                object.meta_mut().annotations = None;
            })
            .reflect(writer);
        let mut events = pin!(events);
        let mut listed = HashSet::new();
        loop {
            match events.try_next().await {
                Ok(Some(event)) => controller.follow(event, &mut listed),
                Ok(None) => return,
                Err(error) => warn!(%error, "cannot watch collections"),
            }
        }
    }
}

impl Controller {
    fn follow(
        &self,
        event: watcher::Event<Guarded>,
        listed: &mut HashSet<(String, CollectionName)>,
    ) {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                if let Some((namespace, name)) = key(&object) {
                    self.catalogue.expect(&namespace, &name);
                    listed.insert((namespace, name));
                }
            }
            watcher::Event::InitDone => {
                let exists = |namespace: &str, name: &CollectionName| {
                    listed.contains(&(namespace.to_owned(), name.clone()))
                };
                for namespace in self.catalogue.retain(exists) {
                    self.sources.forget(&namespace);
                }
                self.queue_all();
                if self.catalogue.is_complete() {
                    self.readiness.set(Check::Collections, true);
                }
            }
            watcher::Event::Apply(object) => {
                if let Some((namespace, name)) = key(&object) {
                    self.catalogue.expect(&namespace, &name);
                    self.queue.push(&namespace, name.as_str());
                }
            }
            watcher::Event::Delete(object) => {
                if let Some((namespace, name)) = key(&object) {
                    info!(namespace, collection = %name, "a collection was deleted");
                    if !self.catalogue.remove(&namespace, name.as_str()) {
                        self.sources.forget(&namespace);
                    }
                }
            }
        }
    }
}
