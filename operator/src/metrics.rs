//! What the operator counts, in the Prometheus text format 0.0.4.
//!
//! Label values come from closed lists only: no pod, namespace or collection
//! name becomes a label.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds in seconds. A push is expected below 0.1, a reconcile below
/// 0.05; the tail shows an API server in trouble.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// All counters of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    admissions: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    reconciles: Histogram,
    pushes: Histogram,
    current: AtomicU64,
    lagging: AtomicU64,
    certificate_expiry: AtomicI64,
}

impl Metrics {
    /// Counts an answered AdmissionReview.
    pub fn admission(&self, decision: &'static str, reason: &'static str) {
        let mut admissions = self
            .admissions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *admissions.entry((decision, reason)).or_default() += 1;
    }

    /// Counts a refused request to the feed.
    pub fn feed_refusal(&self, reason: &'static str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(reason).or_default() += 1;
    }

    /// Records one reconciliation of a collection.
    pub fn reconciled(&self, took: Duration) {
        self.reconciles.record(took);
    }

    /// Records the time from a change of the catalogue until a sidecar
    /// acknowledged it.
    pub fn pushed(&self, took: Duration) {
        self.pushes.record(took);
    }

    /// States how many connected sidecars have, and have not, acknowledged
    /// what they were last sent.
    pub fn set_sidecars(&self, current: u64, lagging: u64) {
        self.current.store(current, Ordering::Relaxed);
        self.lagging.store(lagging, Ordering::Relaxed);
    }

    /// States when the serving certificate ends, in seconds since 1970.
    pub fn set_certificate_expiry(&self, seconds: i64) {
        self.certificate_expiry.store(seconds, Ordering::Relaxed);
    }

    /// The exposition.
    pub fn render(&self) -> String {
        let mut out = Exposition(String::new());
        out.family("credence_build_info", "gauge", "Version of the operator.");
        out.sample(
            &format!(
                "credence_build_info{{version=\"{}\"}}",
                env!("CARGO_PKG_VERSION")
            ),
            1,
        );
        out.family(
            "credence_admission_requests_total",
            "counter",
            "Pods reviewed by the injector.",
        );
        let admissions = self
            .admissions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for ((decision, reason), count) in &*admissions {
            out.sample(
                &format!("credence_admission_requests_total{{decision=\"{decision}\",reason=\"{reason}\"}}"),
                count,
            );
        }
        drop(admissions);
        out.histogram(
            "credence_reconcile_duration_seconds",
            "Time to plan and carry out one collection.",
            &self.reconciles,
        );
        out.family(
            "credence_feed_sidecars",
            "gauge",
            "Connected sidecars, by whether they acknowledged what they were last sent.",
        );
        let current = self.current.load(Ordering::Relaxed);
        let lagging = self.lagging.load(Ordering::Relaxed);
        out.sample("credence_feed_sidecars{state=\"current\"}", current);
        out.sample("credence_feed_sidecars{state=\"lagging\"}", lagging);
        out.histogram(
            "credence_push_duration_seconds",
            "Time from a change to its acknowledgement by a sidecar.",
            &self.pushes,
        );
        out.family(
            "credence_feed_refusals_total",
            "counter",
            "Requests that the feed refused.",
        );
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in &*refusals {
            out.sample(
                &format!("credence_feed_refusals_total{{reason=\"{reason}\"}}"),
                count,
            );
        }
        drop(refusals);
        out.family(
            "credence_certificate_expiry_timestamp_seconds",
            "gauge",
            "End of the certificate that webhook and feed are served with.",
        );
        let expiry = self.certificate_expiry.load(Ordering::Relaxed);
        out.sample("credence_certificate_expiry_timestamp_seconds", expiry);
        out.0
    }
}

#[derive(Debug, Default)]
struct Histogram {
    /// Not cumulative; what exceeds the last bound is in `count` only.
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(index) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            self.buckets[index].fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String can not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, series: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{series} {value}");
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut cumulative = 0;
        for (bound, bucket) in BUCKETS.iter().zip(&histogram.buckets) {
            cumulative += bucket.load(Ordering::Relaxed);
            self.sample(&format!("{name}_bucket{{le=\"{bound}\"}}"), cumulative);
        }
        let count = histogram.count.load(Ordering::Relaxed);
        self.sample(&format!("{name}_bucket{{le=\"+Inf\"}}"), count);
        let sum = Duration::from_micros(histogram.micros.load(Ordering::Relaxed));
        self.sample(&format!("{name}_sum"), sum.as_secs_f64());
        self.sample(&format!("{name}_count"), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_shown_with_its_labels() {
        let metrics = Metrics::default();
        metrics.admission("skip", "host-network");
        metrics.feed_refusal("wrong-audience");
        metrics.feed_refusal("wrong-audience");
        metrics.set_sidecars(3, 1);
        metrics.set_certificate_expiry(1_800_000_000);
        let text = metrics.render();
        for line in [
            "credence_admission_requests_total{decision=\"skip\",reason=\"host-network\"} 1",
            "credence_feed_refusals_total{reason=\"wrong-audience\"} 2",
            "credence_feed_sidecars{state=\"current\"} 3",
            "credence_feed_sidecars{state=\"lagging\"} 1",
            "credence_certificate_expiry_timestamp_seconds 1800000000",
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
        let text = metrics.render();
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
}
