//! What the operator counts, in the Prometheus text format 0.0.4.
//!
//! Label values come from closed lists, or are names of collections and their
//! namespaces: no name of a pod becomes a label.

mod described;
mod exposition;
mod histogram;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::collection_key::CollectionKey;
pub use described::METRICS;
use exposition::Exposition;
use histogram::Histogram;

/// All counters of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    admissions: Mutex<BTreeMap<(&'static str, &'static str), i64>>,
    refusals: Mutex<BTreeMap<&'static str, i64>>,
    reconciles: Histogram,
    pushes: Histogram,
    current: AtomicI64,
    lagging: AtomicI64,
    certificate_expiry: AtomicI64,
    roots_in_use: Mutex<RootsInUse>,
    injected: AtomicI64,
    outdated: AtomicI64,
    token_refreshes: Mutex<BTreeMap<(&'static str, &'static str), i64>>,
}

/// Pods with a sidecar, by the certificate authority that it trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootsInUse {
    /// The one that new pods are given.
    pub current: i64,
    /// One that is still served.
    pub retired: i64,
    /// One that is not held, or nobody knows which.
    pub unknown: i64,
}

/// What is shown of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which it is.
    pub key: CollectionKey,
    /// When the values of its Secrets were last written: of several, those
    /// that have been there for longest.
    pub secret_written_at: Option<Timestamp>,
    /// When its token ends: of several, the first.
    pub token_expires_at: Option<Timestamp>,
}

impl Observed {
    fn labels(&self) -> [&str; 2] {
        let namespace = self.key.namespace.as_deref().unwrap_or_default();
        [namespace, self.key.name.as_str()]
    }
}

impl Metrics {
    /// Counts an answered AdmissionReview.
    pub fn admission(&self, decision: &'static str, reason: &'static str) {
        *locked(&self.admissions)
            .entry((decision, reason))
            .or_default() += 1;
    }

    /// Counts a refused request to the feed.
    pub fn feed_refusal(&self, reason: &'static str) {
        *locked(&self.refusals).entry(reason).or_default() += 1;
    }

    /// Records one reconciliation of a collection.
    pub fn reconciled(&self, took: Duration) {
        self.reconciles.record(took);
    }

    /// Records the time from a changed bundle being sent until a sidecar
    /// acknowledged it.
    pub fn pushed(&self, took: Duration) {
        self.pushes.record(took);
    }

    /// States how many connected sidecars have, and have not, acknowledged
    /// what they were last sent.
    pub fn set_sidecars(&self, current: i64, lagging: i64) {
        self.current.store(current, Ordering::Relaxed);
        self.lagging.store(lagging, Ordering::Relaxed);
    }

    /// States when the serving certificate ends, in seconds since 1970.
    pub fn set_certificate_expiry(&self, seconds: i64) {
        self.certificate_expiry.store(seconds, Ordering::Relaxed);
    }

    /// States which authorities pods trust.
    pub fn set_roots_in_use(&self, roots: RootsInUse) {
        *locked(&self.roots_in_use) = roots;
    }

    /// States how many pods carry the sidecar that would be injected now, and
    /// how many one of an earlier time.
    pub fn set_injected_pods(&self, current: i64, outdated: i64) {
        self.injected.store(current, Ordering::Relaxed);
        self.outdated.store(outdated, Ordering::Relaxed);
    }

    /// Counts what came of asking for a token by a method.
    pub fn token_refreshed(&self, method: &'static str, result: &'static str) {
        *locked(&self.token_refreshes)
            .entry((method, result))
            .or_default() += 1;
    }

    /// The exposition; of collections with what is known of each.
    pub fn render(&self, collections: &[Observed], now: Timestamp) -> String {
        let mut out = Exposition::default();
        out.family(&described::BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1)]);
        let admissions = locked(&self.admissions).clone();
        let samples = admissions.into_iter();
        out.family(
            &described::ADMISSIONS,
            samples.map(|((decision, reason), count)| ([decision, reason], count)),
        );
        out.histogram(&described::RECONCILES, &self.reconciles);
        let sidecars = [("current", &self.current), ("lagging", &self.lagging)];
        out.family(
            &described::SIDECARS,
            sidecars.map(|(state, count)| ([state], count.load(Ordering::Relaxed))),
        );
        out.histogram(&described::PUSHES, &self.pushes);
        let refusals = locked(&self.refusals).clone();
        let samples = refusals.into_iter();
        out.family(
            &described::REFUSALS,
            samples.map(|(reason, count)| ([reason], count)),
        );
        let expiry = self.certificate_expiry.load(Ordering::Relaxed);
        out.family(&described::CERTIFICATE_EXPIRY, [([], expiry)]);
        let roots = *locked(&self.roots_in_use);
        let samples = [
            ("current", roots.current),
            ("retired", roots.retired),
            ("unknown", roots.unknown),
        ];
        out.family(
            &described::ROOTS_IN_USE,
            samples.map(|(root, pods)| ([root], pods)),
        );
        let pods = [("current", &self.injected), ("outdated", &self.outdated)];
        out.family(
            &described::INJECTED_PODS,
            pods.map(|(sidecar, count)| ([sidecar], count.load(Ordering::Relaxed))),
        );
        let aged = collections.iter().filter_map(|collection| {
            let age = now.duration_since(collection.secret_written_at?);
            Some((collection.labels(), age.as_secs().max(0)))
        });
        out.family(&described::SECRET_AGE, aged);
        let ending = collections.iter().filter_map(|collection| {
            let end = collection.token_expires_at?.as_second();
            Some((collection.labels(), end))
        });
        out.family(&described::TOKEN_EXPIRY, ending);
        let refreshes = locked(&self.token_refreshes).clone();
        let samples = refreshes.into_iter();
        out.family(
            &described::TOKEN_REFRESHES,
            samples.map(|((method, result), count)| ([method, result], count)),
        );
        out.into_text()
    }
}

fn locked<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    // An addition leaves them in order.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// One of a namespace, one of the cluster whose clock is ahead, and one
    /// without a Secret.
    fn collections() -> [Observed; 3] {
        let name = |name: &str| name.parse().unwrap();
        let observed = |key, second: Option<i64>| Observed {
            key,
            secret_written_at: second.map(at),
            token_expires_at: second.map(|second| at(second + 60)),
        };
        [
            observed(
                CollectionKey::in_namespace("shop", name("openai")),
                Some(100),
            ),
            observed(CollectionKey::of_cluster(name("shared")), Some(1_100)),
            observed(CollectionKey::in_namespace("shop", name("public")), None),
        ]
    }

    #[test]
    fn every_series_is_shown_with_its_labels() {
        let metrics = Metrics::default();
        metrics.admission("skip", "host-network");
        metrics.feed_refusal("wrong-audience");
        metrics.feed_refusal("wrong-audience");
        metrics.set_sidecars(3, 1);
        metrics.set_certificate_expiry(1_800_000_000);
        metrics.set_roots_in_use(RootsInUse {
            current: 2,
            retired: 1,
            unknown: 0,
        });
        metrics.set_injected_pods(5, 2);
        metrics.token_refreshed("jwtBearer", "Obtained");
        let text = metrics.render(&collections(), at(1_000));
        for line in [
            "credence_admission_requests_total{decision=\"skip\",reason=\"host-network\"} 1",
            "credence_feed_refusals_total{reason=\"wrong-audience\"} 2",
            "credence_feed_sidecars{state=\"current\"} 3",
            "credence_feed_sidecars{state=\"lagging\"} 1",
            "credence_certificate_expiry_timestamp_seconds 1800000000",
            "credence_feed_roots_in_use{root=\"current\"} 2",
            "credence_feed_roots_in_use{root=\"retired\"} 1",
            "credence_feed_roots_in_use{root=\"unknown\"} 0",
            "credence_injected_pods{sidecar=\"current\"} 5",
            "credence_injected_pods{sidecar=\"outdated\"} 2",
            "credence_secret_age_seconds{namespace=\"shop\",collection=\"openai\"} 900",
            "credence_secret_age_seconds{namespace=\"\",collection=\"shared\"} 0",
            "credence_token_expiry_timestamp_seconds{namespace=\"shop\",collection=\"openai\"} 160",
            "credence_token_refreshes_total{method=\"jwtBearer\",result=\"Obtained\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_the_count() {
        let metrics = Metrics::default();
        for millis in [1, 20, 60_000] {
            metrics.pushed(Duration::from_millis(millis));
        }
        let text = metrics.render(&[], at(0));
        for line in [
            "credence_push_duration_seconds_bucket{le=\"0.001\"} 1",
            "credence_push_duration_seconds_bucket{le=\"0.05\"} 2",
            "credence_push_duration_seconds_bucket{le=\"30\"} 2",
            "credence_push_duration_seconds_bucket{le=\"+Inf\"} 3",
            "credence_push_duration_seconds_sum 60.021",
            "credence_push_duration_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    /// Name and label names of each sample of an exposition, without what a
    /// histogram adds to them.
    fn samples(text: &str) -> BTreeSet<(String, Vec<String>)> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}').split(',');
            let names = labels.filter_map(|label| label.split_once('='));
            let histogram = ["_bucket", "_sum", "_count"]
                .into_iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            (
                histogram.unwrap_or(name).to_owned(),
                names
                    .map(|(name, _)| name.to_owned())
                    .filter(|name| name != "le")
                    .collect(),
            )
        };
        lines.map(sample).collect()
    }

    #[test]
    fn what_is_shown_is_what_the_table_describes() {
        let metrics = Metrics::default();
        metrics.admission("inject", "opted-in");
        metrics.feed_refusal("no-token");
        metrics.token_refreshed("jwtBearer", "TokenRefused");
        let text = metrics.render(&collections(), at(1_000));
        let described = METRICS.map(|metric| {
            let labels = metric.labels.iter().map(|label| (*label).to_owned());
            (metric.name.to_owned(), labels.collect())
        });
        assert_eq!(samples(&text), BTreeSet::from(described));
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let expected = METRICS.map(|metric| metric.to_string()).concat();
        assert_eq!(headings, expected.lines().collect::<Vec<_>>());
    }
}
