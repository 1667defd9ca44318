//! Who is connected, and what they have acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use credence_core::Environment;
use credence_core::reception::Said;
use credence_core::wire::{Ack, Report};
use tokio::sync::Notify;

use super::issue::Issue;
use super::pace::Pace;
use super::refusal::Refusal;
use super::reports::Reports;
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

/// A sidecar has one stream. Those of connections that broke without a word
/// are noticed after two pings.
const PER_POD: usize = 8;

/// By collection.
pub type Counts = BTreeMap<CollectionKey, Count>;

/// The streams of this replica.
#[derive(Clone)]
pub struct Streams {
    live: Arc<Mutex<HashMap<String, Live>>>,
    /// Of pods: who connects again is the same.
    pace: Arc<Mutex<Pace>>,
    changed: Arc<Notify>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Live {
    pod_uid: String,
    sent: Option<Sent>,
    acknowledged: Option<Acknowledged>,
    reports: Reports,
}

struct Sent {
    revision: String,
    environment: Environment,
    revisions: BTreeMap<CollectionKey, String>,
    at: Instant,
    /// Whether it replaced another bundle of the same stream.
    is_change: bool,
}

#[derive(PartialEq, Eq)]
struct Acknowledged {
    revisions: BTreeMap<CollectionKey, String>,
    refused: BTreeSet<CollectionKey>,
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
            live: Arc::default(),
            pace: Arc::default(),
            changed: Arc::default(),
            metrics,
        }
    }

    /// Adds a stream of a pod; none if it has too many.
    pub fn register(&self, id: Arc<str>, pod_uid: &str) -> Option<Registration> {
        let live = Live {
            pod_uid: pod_uid.to_owned(),
            ..Live::default()
        };
        let mut streams = self.lock();
        let others = streams.values().filter(|other| other.pod_uid == pod_uid);
        if others.count() >= PER_POD {
            return None;
        }
        streams.insert(id.to_string(), live);
        drop(streams);
        self.publish();
        Some(Registration {
            streams: self.clone(),
            id,
        })
    }

    /// Whether the stream of this id is open.
    pub fn has(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// Takes note of an acknowledgement by the stream of this id; says whether
    /// there is such a stream. One of an older bundle than the last sent says
    /// nothing about the last.
    pub fn acknowledge(&self, id: &str, ack: &Ack, now: Instant) -> bool {
        let mut streams = self.lock();
        let Some(live) = streams.get_mut(id) else {
            return false;
        };
        let Some(sent) = live
            .sent
            .as_mut()
            .filter(|sent| sent.revision == ack.revision)
        else {
            return true;
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
        drop(streams);
        if changed {
            self.publish();
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
        let mut streams = self.lock();
        let live = streams
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
        drop(streams);
        if news {
            self.changed.notify_one();
        }
        Ok(None)
    }

    /// What is connected, by collection.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for live in self.lock().values() {
            let Some(sent) = &live.sent else { continue };
            for (key, revision) in &sent.revisions {
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

    fn publish(&self) {
        let streams = self.lock();
        let current = streams.values().filter(|live| live.is_current()).count();
        let lagging = streams.len() - current;
        drop(streams);
        self.metrics.set_sidecars(current as i64, lagging as i64);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn is_current(&self) -> bool {
        match (&self.sent, &self.acknowledged) {
            (Some(sent), Some(acknowledged)) => sent.revisions == acknowledged.revisions,
            _ => false,
        }
    }
}

impl Registration {
    /// Takes note of a bundle that is about to be sent.
    pub fn sent(&self, issue: &Issue, now: Instant) {
        let mut streams = self.streams.lock();
        if let Some(live) = streams.get_mut(&*self.id) {
            live.sent = Some(Sent {
                revision: issue.bundle.revision.clone(),
                environment: issue.bundle.environment,
                revisions: issue.revisions.clone(),
                at: now,
                is_change: live.sent.is_some(),
            });
            live.reports.keep(&issue.revisions);
        }
        drop(streams);
        self.streams.publish();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.streams.lock().remove(&*self.id);
        self.streams.publish();
    }
}

#[cfg(test)]
mod tests {
    use credence_core::bundle::Bundle;

    use super::*;

    fn streams() -> Streams {
        Streams::new(Arc::default())
    }

    fn key(name: &str) -> CollectionKey {
        CollectionKey::in_namespace("shop", name.parse().unwrap())
    }

    fn bundle(revision: &str, entries: &[(&str, &str)]) -> Issue {
        Issue {
            bundle: Bundle {
                revision: revision.to_owned(),
                environment: Environment::Live,
                collections: BTreeMap::new(),
                tokens: BTreeMap::new(),
            },
            revisions: entries
                .iter()
                .map(|(name, revision)| (key(name), (*revision).to_owned()))
                .collect(),
        }
    }

    fn acknowledge(streams: &Streams, id: &str, revision: &str, refused: &[&str]) -> bool {
        let ack = Ack {
            stream: id.to_owned(),
            revision: revision.to_owned(),
            refused: refused
                .iter()
                .map(|name| ((*name).to_owned(), "feature x".to_owned()))
                .collect(),
        };
        streams.acknowledge(id, &ack, Instant::now())
    }

    fn count(streams: &Streams, name: &str) -> (i32, i32, i32) {
        let count = streams.counts().remove(&key(name)).unwrap_or_default();
        (count.connected, count.current, count.refused)
    }

    #[test]
    fn a_sidecar_is_current_when_it_acknowledged_the_last_version() {
        let streams = streams();
        let stream = streams.register("s".into(), "u").unwrap();
        stream.sent(&bundle("1", &[("a", "1"), ("b", "1")]), Instant::now());
        assert_eq!(count(&streams, "a"), (1, 0, 0));
        assert!(acknowledge(&streams, "s", "1", &["b"]));
        assert_eq!(count(&streams, "a"), (1, 1, 0));
        assert_eq!(count(&streams, "b"), (1, 0, 1));
        stream.sent(&bundle("2", &[("a", "2"), ("b", "1")]), Instant::now());
        assert_eq!(count(&streams, "a"), (1, 0, 0));
        assert_eq!(count(&streams, "b"), (1, 0, 1));
        assert!(
            acknowledge(&streams, "s", "1", &[]),
            "late, but from a stream of ours"
        );
        assert_eq!(count(&streams, "a"), (1, 0, 0));
        assert!(acknowledge(&streams, "s", "2", &[]));
        assert_eq!(count(&streams, "a"), (1, 1, 0));
    }

    fn report(
        streams: &Streams,
        revision: &str,
        collection: &str,
    ) -> Result<Option<RefusedToken>, Refusal> {
        report_of(streams, revision, collection, None)
    }

    fn report_of(
        streams: &Streams,
        revision: &str,
        collection: &str,
        generation: Option<u64>,
    ) -> Result<Option<RefusedToken>, Refusal> {
        let report = Report {
            stream: "s".to_owned(),
            revision: revision.to_owned(),
            collection: collection.to_owned(),
            said: Said {
                status: Some(401),
                worked: false,
                generation,
                named: false,
            },
        };
        streams.report("s", &report, Instant::now())
    }

    fn rejected(streams: &Streams) -> Vec<(CollectionKey, String)> {
        let counts = streams.counts().into_iter();
        counts
            .flat_map(|(key, count)| {
                let revisions = count.rejected.into_keys();
                revisions.map(move |revision| (key.clone(), revision))
            })
            .collect()
    }

    #[test]
    fn the_versions_that_are_counted_are_those_that_were_sent_last() {
        let streams = streams();
        let first = streams.register("s".into(), "u").unwrap();
        let second = streams.register("t".into(), "v").unwrap();
        first.sent(&bundle("1", &[("a", "1")]), Instant::now());
        second.sent(&bundle("1", &[("a", "1")]), Instant::now());
        let revisions = || streams.counts().remove(&key("a")).unwrap().revisions;
        assert_eq!(revisions(), BTreeSet::from(["1".to_owned()]));
        first.sent(&bundle("2", &[("a", "2")]), Instant::now());
        let both = ["1", "2"].map(str::to_owned);
        assert_eq!(revisions(), BTreeSet::from(both));
        drop(second);
        assert_eq!(revisions(), BTreeSet::from(["2".to_owned()]));
    }

    #[test]
    fn a_report_is_about_what_its_stream_was_sent_last() {
        let streams = streams();
        let stream = streams.register("s".into(), "u").unwrap();
        stream.sent(&bundle("1", &[("a", "1"), ("b", "1")]), Instant::now());
        assert_eq!(report(&streams, "1", "c"), Err(Refusal::NotInBundle));
        assert_eq!(report(&streams, "0", "a"), Ok(None), "late, but honest");
        assert!(rejected(&streams).is_empty());
        assert_eq!(report(&streams, "1", "a"), Ok(None));
        let refused = [(key("a"), "1".to_owned())];
        assert_eq!(rejected(&streams), refused);
        stream.sent(&bundle("2", &[("a", "1"), ("b", "2")]), Instant::now());
        assert_eq!(rejected(&streams), refused);
        stream.sent(&bundle("3", &[("a", "2"), ("b", "2")]), Instant::now());
        assert!(rejected(&streams).is_empty());
        drop(stream);
        assert_eq!(report(&streams, "3", "a"), Err(Refusal::NoStream));
    }

    #[test]
    fn a_refused_token_is_of_the_environment_that_its_stream_was_sent() {
        let streams = streams();
        let stream = streams.register("s".into(), "u").unwrap();
        stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
        let told = report_of(&streams, "1", "a", Some(7));
        let expected = RefusedToken {
            of: key("a"),
            environment: Environment::Live,
            generation: 7,
        };
        assert_eq!(told, Ok(Some(expected)));
        // Whether it is the credential's fault, a fresh token will show.
        assert!(rejected(&streams).is_empty());
        let late = report_of(&streams, "0", "a", Some(7));
        assert_eq!(late, Ok(None));
        let not_sent = report_of(&streams, "1", "b", Some(7));
        assert_eq!(not_sent, Err(Refusal::NotInBundle));
    }

    #[test]
    fn who_connects_again_may_not_tell_of_a_token_again_at_once() {
        let streams = streams();
        let connect = || {
            let stream = streams.register("s".into(), "u").unwrap();
            stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
            stream
        };
        let first = connect();
        assert!(matches!(
            report_of(&streams, "1", "a", Some(7)),
            Ok(Some(_))
        ));
        drop(first);
        let _second = connect();
        let again = report_of(&streams, "1", "a", Some(7));
        assert_eq!(again, Err(Refusal::TooSoon));
    }

    #[test]
    fn a_pod_has_a_few_streams_at_the_most() {
        let streams = streams();
        let open = |number: usize, pod| streams.register(number.to_string().into(), pod);
        let mut held: Vec<_> = (0..PER_POD)
            .map(|number| open(number, "u").unwrap())
            .collect();
        assert!(open(100, "u").is_none());
        let _other = open(101, "v").unwrap();
        held.pop();
        assert!(open(102, "u").is_some());
    }

    #[test]
    fn a_stream_that_ends_is_not_counted() {
        let streams = streams();
        let stream = streams.register("s".into(), "u").unwrap();
        stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
        drop(stream);
        assert!(streams.counts().is_empty());
        assert!(!acknowledge(&streams, "s", "1", &[]));
    }
}
