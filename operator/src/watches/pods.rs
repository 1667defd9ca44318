//! The pods that carry a sidecar.

mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::names;
use futures::StreamExt as _;
use kube::runtime::watcher;
use kube::{Api, Client};
use tracing::warn;

use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::catalogue::Catalogue;
use crate::inject::{DialledFeed, FoundSidecar};
use crate::metrics::Metrics;
use crate::readiness::{Check, Readiness};

pub use view::PodView;

/// What is known of a pod with a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedPod {
    /// Tells it from an earlier pod of the same name.
    pub uid: String,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
    /// The native sidecar [`names::CONTAINER`], if there is one that runs what
    /// its image runs.
    pub sidecar: Option<FoundSidecar>,
    /// Whether it has the label [`names::INJECTED`], by which it is watched.
    pub injected: bool,
    /// Whether another container can read a token for the feed, or was added to
    /// look into the sidecar.
    pub token_elsewhere: bool,
    /// Whether its loopback is the node's.
    pub host_network: bool,
    /// Whether it ran to its end.
    pub finished: bool,
    /// Whether its containers see one another's memory.
    pub shares_processes: bool,
    /// Whether it asks for development in a live namespace.
    pub lowered: bool,
    /// The annotation [`names::COLLECTIONS`].
    pub collections: Option<String>,
    /// Which sidecar was injected: see [`crate::inject::template`]. The pod's
    /// author may have written it.
    pub template: Option<String>,
}

/// How many running pods trust each root by which the feed may be known to them.
pub type Roots = BTreeMap<String, i64>;

/// The pods with a sidecar, of all namespaces.
#[derive(Clone)]
pub struct Pods {
    client: Client,
    mirror: Arc<Mirror<InjectedPod>>,
}

impl Pods {
    /// Knows none until [`Pods::follow`] runs.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            mirror: Arc::default(),
        }
    }

    /// The pod as the watch has last shown it.
    pub fn seen(&self, namespace: &str, name: &str) -> Option<Arc<InjectedPod>> {
        self.mirror.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The pod as the API server knows it: one may connect before the watch
    /// has shown it.
    ///
    /// # Errors
    /// Those of the API server; a pod that does not exist is none.
    pub async fn read(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<InjectedPod>>, kube::Error> {
        let api: Api<PodView> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(name).await?.map(|view| Arc::new(view.into())))
    }

    /// The roots that sidecars trust, of all pods that may still run. Whoever
    /// would be refused because of what his sidecar dials counts for nothing.
    pub fn roots(&self) -> Roots {
        let mut roots = Roots::new();
        self.mirror.each(|pod| {
            let sidecar = pod.sidecar.as_ref().filter(|_| !pod.finished);
            let feed = sidecar.and_then(|sidecar| sidecar.feed.as_ref());
            for root in feed.into_iter().flat_map(DialledFeed::roots) {
                *roots.entry(root.to_owned()).or_default() += 1;
            }
        });
        roots
    }

    /// How many pods that may still run carry the sidecar of this template, and
    /// how many another one.
    pub fn by_template(&self, template: &str) -> (i64, i64) {
        let (mut current, mut outdated) = (0, 0);
        self.mirror.each(|pod| {
            if pod.finished || pod.sidecar.is_none() {
                return;
            }
            if pod.template.as_deref() == Some(template) {
                current += 1;
            } else {
                outdated += 1;
            }
        });
        (current, outdated)
    }

    /// Watches for ever. Tells the catalogue where pods ask for development,
    /// wakes the streams of a namespace when a pod's annotations changed, and
    /// counts the pods by whether their sidecar is of this template.
    pub async fn follow(
        self,
        catalogue: Arc<Catalogue>,
        readiness: Readiness,
        metrics: Arc<Metrics>,
        template: String,
    ) {
        let api: Api<PodView> = Api::all(self.client.clone());
        let config = watcher::Config::default().labels(names::INJECTED);
        let mut events = patient(watcher(api, config));
        let mut listing = Listing::default();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    warn!(%error, "cannot watch pods");
                    continue;
                }
            };
            let listed = matches!(event, watcher::Event::InitDone);
            self.apply(event, &mut listing, &catalogue);
            let (current, outdated) = self.by_template(&template);
            metrics.set_injected_pods(current, outdated);
            if listed {
                readiness.set(Check::Pods, true);
            }
        }
    }

    /// Follows what the watch says.
    pub fn apply(
        &self,
        event: watcher::Event<PodView>,
        listing: &mut Listing<InjectedPod>,
        catalogue: &Catalogue,
    ) {
        for change in self.mirror.apply(event, listing) {
            let namespace = change.key.0.as_str();
            let lowers = |pod: &Option<Arc<InjectedPod>>| {
                pod.as_ref().is_some_and(|pod| pod.asks_for_development())
            };
            if lowers(&change.before) != lowers(&change.after) {
                let lowered = self
                    .mirror
                    .any(|key, pod| key.0 == namespace && pod.asks_for_development());
                catalogue.set_lowered(namespace, lowered);
            }
            // What is given to a pod depends on nothing else that can change.
            let matters = |pod: &InjectedPod| {
                (
                    pod.lowered,
                    pod.token_elsewhere,
                    pod.sidecar.clone(),
                    pod.collections.clone(),
                )
            };
            if let (Some(before), Some(after)) = (&change.before, &change.after)
                && matters(before) != matters(after)
            {
                catalogue.touch(namespace);
            }
        }
    }
}

impl InjectedPod {
    fn asks_for_development(&self) -> bool {
        self.lowered && !self.finished
    }
}

#[cfg(test)]
mod tests;
