//! `status.feeds`: how many sidecars each replica serves.
//!
//! Every replica owns one entry of each collection, under a field manager of
//! its own, so that replicas never overwrite one another. The leader sums them
//! up, and takes away the entries of replicas that are gone by applying
//! nothing in their name.

mod writes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use credence_crds::{FeedStatus, RejectedCredential};
use kube::Client;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};
use tracing::{debug, info, warn};
use writes::Writes;

use crate::controller::{Reported, Stores, status_patch};
use crate::feed::streams::{Count, Counts, Streams};
use crate::watches::pods::Pods;

/// Changes are collected for this long before they are written.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// How often the entries are compared when nothing is known to have changed.
const LOOK: Duration = Duration::from_secs(10);
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
    pub stores: Stores,
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
        let mut writes = Writes::default();
        let mut due = None;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.streams.changed() => sleep(DEBOUNCE).await,
                () = until(due) => {}
                _ = look.tick() => {
                    if *self.leader.borrow() {
                        self.sweep().await;
                    }
                }
            }
            due = self.write_some(&mut writes).await;
        }
    }

    /// Writes what may be written now, and tells when the next may be.
    async fn write_some(&self, writes: &mut Writes) -> Option<Instant> {
        let (counts, now) = (self.streams.counts(), Instant::now());
        let mut next = None;
        for reported in self.stores.reported() {
            let wanted = wanted(&reported, &counts, &self.replica);
            let said = entry(&reported, &self.replica);
            if said == wanted.as_ref() {
                continue;
            }
            match writes.wait(&reported.uid, said, wanted.as_ref(), now) {
                Some(due) => next = next.into_iter().chain([due]).min(),
                None => self.apply(&reported, &self.replica, wanted.as_ref()).await,
            }
        }
        writes.forget(now);
        next
    }

    /// Brings this replica's entries in line with the counts.
    pub async fn write(&self, counts: &Counts) {
        for reported in self.stores.reported() {
            let wanted = wanted(&reported, counts, &self.replica);
            if entry(&reported, &self.replica) != wanted.as_ref() {
                self.apply(&reported, &self.replica, wanted.as_ref()).await;
            }
        }
    }

    /// Takes away the entries of replicas whose pods are gone.
    async fn sweep(&self) {
        let collections = self.stores.reported();
        let others: BTreeSet<String> = collections
            .iter()
            .flat_map(|reported| &reported.feeds)
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
            for reported in &collections {
                if entry(reported, &replica).is_some() {
                    self.apply(reported, &replica, None).await;
                }
            }
        }
    }

    async fn apply(&self, reported: &Reported, replica: &str, entry: Option<&FeedStatus>) {
        let Reported { key, uid, .. } = reported;
        let (namespace, collection) = (&key.namespace, &key.name);
        let status = json!({"feeds": entry.into_iter().collect::<Vec<_>>()});
        let manager = manager(replica);
        match status_patch::apply(&self.client, key, uid, &manager, &status).await {
            Ok(true) => debug!(
                namespace,
                %collection,
                replica,
                ?entry,
                "sidecars were counted"
            ),
            Ok(false) => {} // Deleted, or created again meanwhile.
            Err(error) => warn!(namespace, %collection, %error, "cannot write status.feeds"),
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn entry<'a>(reported: &'a Reported, replica: &str) -> Option<&'a FeedStatus> {
    let mut feeds = reported.feeds.iter();
    feeds.find(|feed| feed.replica == replica)
}

/// The entry that a replica should have; none where it serves nobody.
fn wanted(reported: &Reported, counts: &Counts, replica: &str) -> Option<FeedStatus> {
    let Count {
        connected,
        current,
        refused,
        revisions,
        rejected,
    } = counts.get(&reported.key)?;
    let rejected = rejected
        .iter()
        .take(FeedStatus::MOST_REVISIONS)
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
        revisions: (revisions.iter().take(FeedStatus::MOST_REVISIONS))
            .cloned()
            .collect(),
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
    use super::*;
    use crate::collection_key::CollectionKey;

    #[test]
    fn a_replica_has_an_entry_where_it_serves_someone() {
        let name = || "openai".parse().unwrap();
        let (here, of_cluster) = (
            CollectionKey::in_namespace("shop", name()),
            CollectionKey::of_cluster(name()),
        );
        let reported = |key: &CollectionKey| Reported {
            key: key.clone(),
            uid: "u".to_owned(),
            feeds: vec![FeedStatus {
                replica: "a".to_owned(),
                connected: 1,
                current: 1,
                ..FeedStatus::default()
            }],
        };
        let count = Count {
            connected: 1,
            current: 1,
            ..Count::default()
        };
        let counts = Counts::from([(here.clone(), count)]);
        let served = reported(&here);
        assert_eq!(entry(&served, "a"), wanted(&served, &counts, "a").as_ref());
        assert_eq!(wanted(&served, &Counts::new(), "a"), None);
        assert_eq!(wanted(&reported(&of_cluster), &counts, "a"), None);
        assert_eq!(entry(&served, "b"), None);
    }

    #[test]
    fn the_manager_of_a_long_name_ends_as_the_name_does() {
        assert_eq!(manager("op-7f-x"), "credence-feed-op-7f-x");
        let long = format!("{}-abcde", "x".repeat(247));
        assert_eq!(manager(&long).len(), LONGEST_MANAGER);
        assert!(manager(&long).ends_with("-abcde"));
    }
}
