//! Who is connected, and what they have acknowledged.

mod roll;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use credence_core::reception::Said;
use credence_core::wire::{Ack, Report};
use roll::{Acknowledged, Roll, Sent};
use tokio::sync::Notify;

use super::issue::Issue;
use super::pace::Pace;
use super::refusal::Refusal;
use crate::collection_key::CollectionKey;
use crate::metrics::Metrics;
use crate::tokens::refusals::RefusedToken;

/// How many sidecars use a collection through this replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that were sent it.
    pub connected: i32,
    /// Those that acknowledged its last version.
    pub current: i32,
    /// Those that acknowledged it, but cannot serve it.
    pub refused: i32,
    /// The versions of the collection that they were sent.
    pub revisions: BTreeSet<String>,
    /// What their providers said who refuse the credential, by the revision of
    /// the collection.
    pub rejected: BTreeMap<String, Said>,
}

/// By collection.
pub type Counts = BTreeMap<CollectionKey, Count>;

/// The streams of this replica.
#[derive(Clone)]
pub struct Streams {
    roll: Arc<Mutex<Roll>>,
    /// Of pods: who connects again is the same.
    pace: Arc<Mutex<Pace>>,
    changed: Arc<Notify>,
    metrics: Arc<Metrics>,
}

/// A registered stream; it is forgotten when this is dropped.
pub struct Registration {
    streams: Streams,
    id: Arc<str>,
}

impl Streams {
    /// None yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            roll: Arc::default(),
            pace: Arc::default(),
            changed: Arc::default(),
            metrics,
        }
    }

    /// Adds a stream of a pod; none if it has too many.
    pub fn register(&self, id: Arc<str>, pod_uid: &str) -> Option<Registration> {
        let mut roll = self.lock();
        if !roll.add(&id, pod_uid) {
            return None;
        }
        self.publish(&roll);
        drop(roll);
        Some(Registration {
            streams: self.clone(),
            id,
        })
    }

    /// Whether the stream of this id is open.
    pub fn has(&self, id: &str) -> bool {
        self.lock().has(id)
    }

    /// Takes note of an acknowledgement by the stream of this id; says whether
    /// there is such a stream. One of an older bundle than the last sent says
    /// nothing about the last.
    pub fn acknowledge(&self, id: &str, ack: &Ack, now: Instant) -> bool {
        let mut roll = self.lock();
        let Some(changed) = roll.change(id, |live| {
            let Some(sent) = live
                .sent
                .as_mut()
                .filter(|sent| sent.revision == ack.revision)
            else {
                return false;
            };
            if std::mem::take(&mut sent.is_change) {
                self.metrics.pushed(now.duration_since(sent.at));
            }
            let acknowledged = Some(Acknowledged {
                revisions: sent.revisions.clone(),
                refused: (sent.revisions.keys())
                    .filter(|key| ack.refused.contains_key(key.name.as_str()))
                    .cloned()
                    .collect(),
            });
            let changed = live.acknowledged != acknowledged;
            live.acknowledged = acknowledged;
            changed
        }) else {
            return false;
        };
        if changed {
            self.publish(&roll);
        }
        true
    }

    /// Takes note of a report by the stream of this id. One on an older bundle
    /// than the last sent says nothing about the last: it comes again. What it
    /// says about a token is returned.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn report(
        &self,
        id: &str,
        report: &Report,
        now: Instant,
    ) -> Result<Option<RefusedToken>, Refusal> {
        let mut roll = self.lock();
        let live = roll
            .get_mut(id)
            .filter(|_| report.stream == id)
            .ok_or(Refusal::NoStream)?;
        let Some(sent) = live
            .sent
            .as_ref()
            .filter(|sent| sent.revision == report.revision)
        else {
            return Ok(None);
        };
        let mut revisions = sent.revisions.iter();
        let (key, revision) = revisions
            .find(|(key, _)| key.name.as_str() == report.collection)
            .ok_or(Refusal::NotInBundle)?;
        if let Some(generation) = report.said.generation {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.take(&live.pod_uid, key, now)?;
            return Ok(Some(RefusedToken {
                of: key.clone(),
                environment: sent.environment,
                generation,
            }));
        }
        let news = live.reports.take(key, revision, report.said, now)?;
        drop(roll);
        if news {
            self.changed.notify_one();
        }
        Ok(None)
    }

    /// What is connected, by collection.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for live in self.lock().all() {
            let Some(sent) = &live.sent else { continue };
            for (key, revision) in &*sent.revisions {
                let count = counts.entry(key.clone()).or_default();
                count.connected += 1;
                if !count.revisions.contains(revision) {
                    count.revisions.insert(revision.clone());
                }
                if let Some(said) = live.reports.refusal(key, revision) {
                    let all = count.rejected.entry(revision.clone()).or_insert(said);
                    *all = all.and(said);
                }
                let Some(acknowledged) = &live.acknowledged else {
                    continue;
                };
                if acknowledged.revisions.get(key) != Some(revision) {
                    continue;
                }
                if acknowledged.refused.contains(key) {
                    count.refused += 1;
                } else {
                    count.current += 1;
                }
            }
        }
        counts
    }

    /// Waits until the counts may have changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn publish(&self, roll: &Roll) {
        let (current, lagging) = roll.totals();
        self.metrics.set_sidecars(current as i64, lagging as i64);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Takes note of a bundle that is about to be sent.
    pub fn sent(&self, issue: &Issue, now: Instant) {
        let mut roll = self.streams.lock();
        roll.change(&self.id, |live| {
            live.sent = Some(Sent {
                revision: issue.bundle.revision.clone(),
                environment: issue.bundle.environment,
                revisions: Arc::new(issue.revisions.clone()),
                at: now,
                is_change: live.sent.is_some(),
            });
            live.reports.keep(&issue.revisions);
        });
        self.streams.publish(&roll);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut roll = self.streams.lock();
        roll.remove(&self.id);
        self.streams.publish(&roll);
    }
}

#[cfg(test)]
mod tests;
