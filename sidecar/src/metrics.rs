//! What is counted, and its text form for Prometheus.
//!
//! Label sets are closed: collections are those of the bundle, everything that
//! no collection answered for is counted under the empty name. Recording is a
//! few additions to counters that were made when the bundle was applied.

mod described;
mod histogram;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use credence_core::CollectionName;
use tokio::time::Instant;

pub use described::METRICS;
use histogram::Histogram;

/// The counters of one proxy.
#[derive(Debug, Default)]
pub struct Metrics {
    collections: Mutex<BTreeMap<CollectionName, Arc<CollectionMetrics>>>,
    unrouted: CollectionMetrics,
    client_connections: Arc<AtomicU64>,
    upstream_connections: Arc<AtomicU64>,
}

/// The counters of one collection.
#[derive(Debug, Default)]
pub struct CollectionMetrics {
    /// Its name; empty where no collection answered.
    name: String,
    requests: [[[AtomicU64; SOURCES.len()]; CLASSES.len()]; METHODS.len()],
    duration: Histogram,
    /// Since when the credential in use is there, if there is one.
    credential_since: Mutex<Option<Instant>>,
}

/// The label `method`; the last one stands for all that are not listed.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// The label `code_class`, by the first digit of the status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The label `source`, in the order of [`Source`].
const SOURCES: [&str; 2] = ["upstream", "sidecar"];

/// Who made the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The provider.
    Upstream,
    /// The sidecar itself: a refusal, or an error on the way.
    Sidecar,
}

impl CollectionMetrics {
    fn of(collection: &CollectionName) -> Self {
        Self {
            name: collection.to_string(),
            ..Self::default()
        }
    }

    /// Counts one answered request, and logs it for who looks closely: neither
    /// its path nor anything else that a caller wrote. `duration` is from the end of its head to
    /// the end of the answer.
    pub fn request(&self, method: &str, status: u16, source: Source, duration: Duration) {
        let method = METHODS
            .iter()
            .position(|known| *known == method)
            .unwrap_or(METHODS.len() - 1);
        tracing::debug!(
            collection = self.name,
            method = METHODS[method],
            status,
            source = SOURCES[source as usize],
            ms = duration.as_millis(),
            "answered"
        );
        let class = usize::from(status / 100)
            .saturating_sub(1)
            .min(CLASSES.len() - 1);
        self.requests[method][class][source as usize].fetch_add(1, Ordering::Relaxed);
        self.duration.observe(duration);
    }

    /// States since when the credential in use is there; none where calls have
    /// none.
    pub fn set_credential(&self, since: Option<Instant>) {
        *self
            .credential_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn credential_since(&self) -> Option<Instant> {
        *self
            .credential_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one open connection, of a client or to a provider, for as long as it
/// lives.
#[derive(Debug)]
pub struct OpenConnection(Arc<AtomicU64>);

impl OpenConnection {
    fn new(open: &Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// The counters of the collections of a bundle, by name: those that were
    /// there before go on, those of other collections end.
    pub fn collections<'a>(
        &self,
        names: impl Iterator<Item = &'a CollectionName>,
    ) -> BTreeMap<CollectionName, Arc<CollectionMetrics>> {
        let mut known = self.locked();
        let next: BTreeMap<_, _> = names
            .map(|name| {
                let counters = known
                    .get(name)
                    .map_or_else(|| Arc::new(CollectionMetrics::of(name)), Arc::clone);
                (name.clone(), counters)
            })
            .collect();
        known.clone_from(&next);
        next
    }

    /// The counters of what belongs to no collection.
    pub fn unrouted(&self) -> &CollectionMetrics {
        &self.unrouted
    }

    /// Counts a connection of a client until the value is dropped.
    pub fn client_connection(&self) -> OpenConnection {
        OpenConnection::new(&self.client_connections)
    }

    /// Counts a connection to a provider until the value is dropped.
    pub fn open_connection(&self) -> OpenConnection {
        OpenConnection::new(&self.upstream_connections)
    }

    /// Everything in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        let known = self.locked().clone();
        let all = || {
            let named = known
                .iter()
                .map(|(name, counters)| (name.as_str(), &**counters));
            std::iter::once(("", &self.unrouted)).chain(named)
        };
        let mut text = String::new();
        line(&mut text, described::REQUESTS);
        for (name, counters) in all() {
            counters.write_requests(&mut text, described::REQUESTS.name, name);
        }
        line(&mut text, described::REQUEST_DURATION);
        for (name, counters) in all() {
            let metric = described::REQUEST_DURATION.name;
            counters.duration.write(&mut text, metric, name);
        }
        line(&mut text, described::CREDENTIAL_AGE);
        for (name, counters) in all() {
            if let Some(since) = counters.credential_since() {
                let metric = described::CREDENTIAL_AGE.name;
                let age = since.elapsed().as_secs();
                let sample = format_args!("{metric}{{collection=\"{name}\"}} {age}\n");
                line(&mut text, sample);
            }
        }
        for (metric, value) in [
            (
                described::CLIENT_CONNECTIONS,
                self.client_connections.load(Ordering::Relaxed),
            ),
            (
                described::UPSTREAM_CONNECTIONS,
                self.upstream_connections.load(Ordering::Relaxed),
            ),
            (described::TASKS, tasks()),
        ] {
            let name = metric.name;
            line(&mut text, format_args!("{metric}{name} {value}\n"));
        }
        let (build, version) = (described::BUILD_INFO, env!("CARGO_PKG_VERSION"));
        let name = build.name;
        line(
            &mut text,
            format_args!("{build}{name}{{version=\"{version}\"}} 1\n"),
        );
        text
    }

    fn locked(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<CollectionName, Arc<CollectionMetrics>>> {
        // The map is replaced whole, so a panic elsewhere leaves it in order.
        self.collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl CollectionMetrics {
    /// One line for each series that has been counted at all.
    fn write_requests(&self, text: &mut String, metric: &str, collection: &str) {
        for (method, by_class) in METHODS.iter().zip(&self.requests) {
            for (class, by_source) in CLASSES.iter().zip(by_class) {
                for (source, count) in SOURCES.iter().zip(by_source) {
                    let count = count.load(Ordering::Relaxed);
                    if count > 0 {
                        line(
                            text,
                            format_args!(
                                "{metric}{{collection=\"{collection}\",method=\"{method}\",code_class=\"{class}\",source=\"{source}\"}} {count}\n"
                            ),
                        );
                    }
                }
            }
        }
    }
}

/// Those of the runtime that this is called in, if it is called in one.
fn tasks() -> u64 {
    tokio::runtime::Handle::try_current()
        .map_or(0, |runtime| runtime.metrics().num_alive_tasks() as u64)
}

fn line(text: &mut String, content: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{content}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<CollectionName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn lines_of<'a>(text: &'a str, metric: &str) -> Vec<&'a str> {
        text.lines()
            .filter(|line| line.starts_with(metric))
            .collect()
    }

    #[test]
    fn a_request_is_counted_under_its_closed_labels() {
        let metrics = Metrics::default();
        let counters = &metrics.collections(names(&["openai"]).iter())["openai"];
        let took = Duration::from_millis(1);
        counters.request("GET", 200, Source::Upstream, took);
        counters.request("GET", 204, Source::Upstream, took);
        counters.request("PROPFIND", 599, Source::Upstream, took);
        metrics
            .unrouted()
            .request("get", 999, Source::Sidecar, took);
        let text = metrics.render();
        assert_eq!(
            lines_of(&text, "credence_requests_total"),
            [
                r#"credence_requests_total{collection="",method="other",code_class="5xx",source="sidecar"} 1"#,
                r#"credence_requests_total{collection="openai",method="GET",code_class="2xx",source="upstream"} 2"#,
                r#"credence_requests_total{collection="openai",method="other",code_class="5xx",source="upstream"} 1"#,
            ]
        );
    }

    #[test]
    fn counters_outlive_a_bundle_that_keeps_their_collection_and_no_other() {
        let metrics = Metrics::default();
        let first = metrics.collections(names(&["a", "b"]).iter());
        for counters in first.values() {
            counters.request("GET", 200, Source::Upstream, Duration::ZERO);
        }
        let second = metrics.collections(names(&["b", "c"]).iter());
        assert!(Arc::ptr_eq(&first["b"], &second["b"]));
        let text = metrics.render();
        let counted = lines_of(&text, "credence_requests_total");
        assert_eq!(counted.len(), 1, "{counted:?}");
        assert!(counted[0].contains("collection=\"b\""));
    }

    #[test]
    fn a_connection_is_counted_while_it_lives() {
        let metrics = Metrics::default();
        let open = |metric: &str| lines_of(&metrics.render(), metric)[0].to_owned();
        let upstream = metrics.open_connection();
        let client = metrics.client_connection();
        let (clients, upstreams) = (
            "credence_client_connections ",
            "credence_upstream_connections ",
        );
        assert_eq!(open(clients), format!("{clients}1"));
        assert_eq!(open(upstreams), format!("{upstreams}1"));
        drop(upstream);
        assert_eq!(open(clients), format!("{clients}1"));
        assert_eq!(open(upstreams), format!("{upstreams}0"));
        drop(client);
        assert_eq!(open(clients), format!("{clients}0"));
    }

    #[test]
    fn the_age_is_that_of_the_credential_in_use() {
        let metrics = Metrics::default();
        let counters = &metrics.collections(names(&["openai"]).iter())["openai"];
        let age = |text: &str| lines_of(text, "credence_credential_age_seconds").join(" ");
        assert_eq!(age(&metrics.render()), "");
        counters.set_credential(Some(Instant::now() - Duration::from_secs(90)));
        assert_eq!(
            age(&metrics.render()),
            r#"credence_credential_age_seconds{collection="openai"} 90"#
        );
        counters.set_credential(None);
        assert_eq!(age(&metrics.render()), "");
    }

    /// The names of a sample's labels, without what a histogram adds.
    fn labels(sample: &str) -> Vec<&str> {
        let labels = sample
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        let labels = labels.map_or("", |(labels, _)| labels).split(',');
        labels
            .filter_map(|label| label.split_once('='))
            .map(|(name, _)| name)
            .filter(|name| *name != "le")
            .collect()
    }

    #[test]
    fn what_is_shown_is_what_the_table_describes() {
        let metrics = Metrics::default();
        let counters = &metrics.collections(names(&["openai"]).iter())["openai"];
        counters.request("GET", 200, Source::Upstream, Duration::ZERO);
        counters.set_credential(Some(Instant::now()));
        let text = metrics.render();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let expected = METRICS.map(|metric| metric.to_string()).concat();
        assert_eq!(headings, expected.lines().collect::<Vec<_>>());
        for metric in METRICS {
            let samples = lines_of(&text, metric.name);
            assert!(!samples.is_empty(), "{}", metric.name);
            for sample in samples {
                assert_eq!(labels(sample), metric.labels, "{sample}");
            }
        }
    }
}
