//! Plans one collection, of either kind.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Client, Resource as _};
use tokio::sync::watch;
use tracing::warn;

use super::gather::Gatherer;
use super::manifest::{Guarded, Kind, Manifest, key, outline};
use super::unanswered::Unanswered;
use super::{RETRY, carry_out, plan};
use crate::catalogue::Catalogue;
use crate::events::{Announcer, Events};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::readiness::{Check, Readiness};
use crate::watches::sources::Sources;

/// Everything that planning needs.
pub struct Planner {
    pub(super) client: Client,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) sources: Arc<Sources>,
    pub(super) queue: Queue,
    pub(super) leader: watch::Receiver<bool>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    events: Events,
    gatherer: Gatherer,
}

impl Planner {
    /// Plans nothing until it is told to.
    pub fn new(
        client: Client,
        catalogue: Arc<Catalogue>,
        sources: Arc<Sources>,
        queue: Queue,
        announcer: Announcer,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let Announcer { events, leader } = announcer;
        Arc::new(Self {
            gatherer: Gatherer::new(client.clone(), catalogue.clone(), sources.clone()),
            client,
            catalogue,
            sources,
            queue,
            leader,
            readiness,
            metrics,
            events,
        })
    }

    pub(super) async fn reconcile<K: Kind>(
        &self,
        object: &Guarded<K>,
    ) -> Result<Action, Unanswered> {
        let started = Instant::now();
        let _planning = self.gatherer.begin();
        let result = match self.plan_and_carry_out(object).await {
            // What the watch finds will queue it; this is for the case that
            // the watch finds nothing for long.
            Err(Unanswered::NotSeen) => Ok(Action::requeue(RETRY)),
            Err(error) => {
                if let Some(key) = key(object) {
                    self.catalogue.failed(&key, Instant::now());
                }
                Err(error)
            }
            Ok(action) => Ok(action),
        };
        self.note_completeness();
        self.metrics.reconciled(started.elapsed());
        result
    }

    async fn plan_and_carry_out<K: Kind>(&self, object: &Guarded<K>) -> Result<Action, Unanswered> {
        let Some(key) = key(object) else {
            return Ok(Action::await_change()); // Nobody could call it.
        };
        let Ok(readable) = &object.0 else {
            // Its text is not logged: it may quote the manifest.
            warn!(
                namespace = key.namespace,
                collection = %key.name,
                "this version cannot read the object"
            );
            let generation = object.meta().generation.unwrap_or_default();
            let planned = plan::unreadable(Arc::new(outline(object)), generation);
            self.catalogue.put(&key, planned);
            return Ok(Action::await_change());
        };
        let manifest = Manifest::of(key, readable);
        let now = Timestamp::now();
        let observed = self.gatherer.gather(manifest, now).await?;
        let plan = plan::plan(&observed, now);
        self.gatherer.planned(&observed.manifest, &plan);
        let leads = *self.leader.borrow();
        let manifest = &observed.manifest;
        carry_out::carry_out(
            &self.client,
            &self.catalogue,
            &self.events,
            manifest,
            &plan,
            leads,
        )
        .await?;
        Ok(plan
            .look_again
            .map_or_else(Action::await_change, Action::requeue))
    }

    /// This replica may serve once everything was planned, or at least tried.
    pub(super) fn note_completeness(&self) {
        if !self.readiness.holds(Check::Collections) && self.catalogue.is_complete() {
            self.readiness.set(Check::Collections, true);
        }
    }
}
