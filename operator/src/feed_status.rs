//! `status.feeds`: how many sidecars each replica serves.
//!
//! Every replica owns one entry of each collection, under a field manager of
//! its own, so that replicas never overwrite one another. The leader sums them
//! up, and takes away the entries of replicas that are gone by applying
//! nothing in their name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use credence_core::CollectionName;
use credence_crds::{ApiCollection, FeedStatus, RejectedCredential};
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::controller::Guarded;
use crate::feed::streams::{Count, Counts, Streams};
use crate::watches::pods::Pods;

/// Changes are collected for this long before they are written.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// How often the entries are compared when nothing is known to have changed.
const LOOK: Duration = Duration::from_secs(10);
/// An API server that takes longer is not going to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Kubernetes' limit for the name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// Writes this replica's entries.
pub struct FeedStatusWriter {
    /// For patches.
    pub client: Client,
    /// Name of this replica's pod.
    pub replica: Arc<str>,
    /// The operator's namespace.
    pub namespace: String,
    /// All collections.
    pub store: Store<Guarded>,
    /// The streams of this replica.
    pub streams: Streams,
    /// Where other replicas are looked for.
    pub pods: Pods,
    /// Whether this replica looks for others that are gone.
    pub leader: watch::Receiver<bool>,
}

impl FeedStatusWriter {
    /// Writes for ever.
    pub async fn run(&self) {
        loop {
            tokio::select! {
                () = self.streams.changed() => {
                    tokio::time::sleep(DEBOUNCE).await;
                    self.write(&self.streams.counts()).await;
                }
                () = tokio::time::sleep(LOOK) => {
                    self.write(&self.streams.counts()).await;
                    if *self.leader.borrow() {
                        self.sweep().await;
                    }
                }
            }
        }
    }

    /// Brings this replica's entries in line with the counts.
    pub async fn write(&self, counts: &Counts) {
        for object in self.store.state() {
            let Ok(object) = &object.0 else { continue };
            let wanted = wanted(object, counts, &self.replica);
            if entry(object, &self.replica) != wanted.as_ref() {
                self.apply(object, &self.replica, wanted.as_ref()).await;
            }
        }
    }

    /// Takes away the entries of replicas whose pods are gone.
    async fn sweep(&self) {
        let objects = self.store.state();
        let others: BTreeSet<String> = objects
            .iter()
            .filter_map(|object| object.0.as_ref().ok()?.status.as_ref())
            .flat_map(|status| &status.feeds)
            .map(|feed| feed.replica.clone())
            .filter(|replica| **replica != *self.replica)
            .collect();
        for replica in others {
            match self.pods.read(&self.namespace, &replica).await {
                Ok(Some(pod)) if !pod.finished => continue,
                Ok(_) => info!(replica, "a replica is gone"),
                Err(error) => {
                    warn!(replica, %error, "cannot tell whether a replica is gone");
                    continue;
                }
            }
            for object in &objects {
                if let Ok(object) = &object.0
                    && entry(object, &replica).is_some()
                {
                    self.apply(object, &replica, None).await;
                }
            }
        }
    }

    async fn apply(&self, object: &ApiCollection, replica: &str, entry: Option<&FeedStatus>) {
        let name = object.name_any();
        let namespace = object.namespace().unwrap_or_default();
        let api: Api<ApiCollection> = Api::namespaced(self.client.clone(), &namespace);
        let patch = json!({
            "apiVersion": "credence.dev/v1alpha1",
            "kind": "ApiCollection",
            "metadata": {"name": name, "uid": object.metadata.uid},
            "status": {"feeds": entry.into_iter().collect::<Vec<_>>()},
        });
        let params = PatchParams::apply(&manager(replica)).force();
        let patch = Patch::Apply(&patch);
        match tokio::time::timeout(TIMEOUT, api.patch_status(&name, &params, &patch)).await {
            Ok(Ok(_)) => debug!(
                namespace,
                collection = name,
                replica,
                ?entry,
                "sidecars were counted"
            ),
            // Deleted or created again meanwhile.
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() || status.is_conflict() => {}
            Ok(Err(error)) => {
                warn!(namespace, collection = name, %error, "cannot write status.feeds")
            }
            Err(_) => warn!(
                namespace,
                collection = name,
                "cannot write status.feeds in time"
            ),
        }
    }
}

fn entry<'a>(object: &'a ApiCollection, replica: &str) -> Option<&'a FeedStatus> {
    let feeds = &object.status.as_ref()?.feeds;
    feeds.iter().find(|feed| feed.replica == replica)
}

/// The entry that a replica should have; none where it serves nobody.
fn wanted(object: &ApiCollection, counts: &Counts, replica: &str) -> Option<FeedStatus> {
    let name: CollectionName = object.name_any().parse().ok()?;
    let Count {
        connected,
        current,
        refused,
        rejected,
    } = counts.get(&(object.namespace()?, name))?;
    let rejected = rejected
        .iter()
        .take(FeedStatus::MOST_REJECTED)
        .map(|(revision, said)| RejectedCredential {
            revision: revision.clone(),
            status: said.status.map(i32::from),
            worked: said.worked,
        });
    Some(FeedStatus {
        replica: replica.to_owned(),
        connected: *connected,
        current: *current,
        refused: *refused,
        rejected: rejected.collect(),
    })
}

/// A replica's field manager. The end of a pod's name is what tells it from
/// the others of its Deployment.
fn manager(replica: &str) -> String {
    const PREFIX: &str = "credence-feed-";
    let skipped = replica.len().saturating_sub(LONGEST_MANAGER - PREFIX.len());
    format!("{PREFIX}{}", replica.get(skipped..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn object(feeds: &serde_json::Value) -> ApiCollection {
        serde_json::from_value(json!({
            "apiVersion": "credence.dev/v1alpha1",
            "kind": "ApiCollection",
            "metadata": {"name": "openai", "namespace": "shop"},
            "spec": {},
            "status": {"feeds": feeds},
        }))
        .unwrap()
    }

    #[test]
    fn a_replica_has_an_entry_where_it_serves_someone() {
        let object = object(&json!([{"replica": "a", "connected": 1, "current": 1, "refused": 0}]));
        let count = Count {
            connected: 1,
            current: 1,
            refused: 0,
            rejected: BTreeMap::new(),
        };
        let counts = Counts::from([(("shop".to_owned(), "openai".parse().unwrap()), count)]);
        assert_eq!(entry(&object, "a"), wanted(&object, &counts, "a").as_ref());
        assert_eq!(wanted(&object, &Counts::new(), "a"), None);
        assert_eq!(entry(&object, "b"), None);
    }

    #[test]
    fn the_manager_of_a_long_name_ends_as_the_name_does() {
        assert_eq!(manager("op-7f-x"), "credence-feed-op-7f-x");
        let long = format!("{}-abcde", "x".repeat(247));
        assert_eq!(manager(&long).len(), LONGEST_MANAGER);
        assert!(manager(&long).ends_with("-abcde"));
    }
}
