//! Every metric of the sidecar: the documentation is made from this table.

use credence_core::metric::{Metric, MetricKind};

/// Answered requests.
pub(super) const REQUESTS: Metric = Metric {
    name: "credence_requests_total",
    kind: MetricKind::Counter,
    labels: &["collection", "method", "code_class", "source"],
    help: "Requests that were answered, by who made the answer (upstream, sidecar).",
};
/// How long they took.
pub(super) const REQUEST_DURATION: Metric = Metric {
    name: "credence_request_duration_seconds",
    kind: MetricKind::Histogram,
    labels: &["collection"],
    help: "From the end of a request's head to the end of its answer.",
};
/// How old the credentials are.
pub(super) const CREDENTIAL_AGE: Metric = Metric {
    name: "credence_credential_age_seconds",
    kind: MetricKind::Gauge,
    labels: &["collection"],
    help: "Since this process was given the credential that is in use.",
};
/// Connections of apps.
pub(super) const CLIENT_CONNECTIONS: Metric = Metric {
    name: "credence_client_connections",
    kind: MetricKind::Gauge,
    labels: &[],
    help: "Open connections of clients.",
};
/// Connections to providers.
pub(super) const UPSTREAM_CONNECTIONS: Metric = Metric {
    name: "credence_upstream_connections",
    kind: MetricKind::Gauge,
    labels: &[],
    help: "Open connections to providers.",
};
/// Tasks.
pub(super) const TASKS: Metric = Metric {
    name: "credence_tasks",
    kind: MetricKind::Gauge,
    labels: &[],
    help: "Tasks of the program that have not ended.",
};
/// Which program this is.
pub(super) const BUILD_INFO: Metric = Metric {
    name: "credence_build_info",
    kind: MetricKind::Gauge,
    labels: &["version"],
    help: "Always 1; the sidecar's version is the label.",
};

/// All of them, in the order in which they are shown.
pub const METRICS: [Metric; 7] = [
    REQUESTS,
    REQUEST_DURATION,
    CREDENTIAL_AGE,
    CLIENT_CONNECTIONS,
    UPSTREAM_CONNECTIONS,
    TASKS,
    BUILD_INFO,
];
