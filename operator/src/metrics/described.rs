//! Every metric of the operator: the documentation is made from this table.

use credence_core::metric::{Metric, MetricKind};

/// Which program this is.
pub(super) const BUILD_INFO: Metric = Metric {
    name: "credence_build_info",
    kind: MetricKind::Gauge,
    labels: &["version"],
    help: "Always 1; the operator's version is the label.",
};
/// Pods at the webhook.
pub(super) const ADMISSIONS: Metric = Metric {
    name: "credence_admission_requests_total",
    kind: MetricKind::Counter,
    labels: &["decision", "reason"],
    help: "Pods reviewed by the injector.",
};
/// Planning.
pub(super) const RECONCILES: Metric = Metric {
    name: "credence_reconcile_duration_seconds",
    kind: MetricKind::Histogram,
    labels: &[],
    help: "Time to plan and carry out one collection.",
};
/// Connected sidecars.
pub(super) const SIDECARS: Metric = Metric {
    name: "credence_feed_sidecars",
    kind: MetricKind::Gauge,
    labels: &["state"],
    help: "Sidecars connected to this replica, by whether they acknowledged what they were last sent (current, lagging).",
};
/// Changes on their way.
pub(super) const PUSHES: Metric = Metric {
    name: "credence_push_duration_seconds",
    kind: MetricKind::Histogram,
    labels: &[],
    help: "Time from a changed bundle being sent to its acknowledgement by a sidecar.",
};
/// Refusals of the feed.
pub(super) const REFUSALS: Metric = Metric {
    name: "credence_feed_refusals_total",
    kind: MetricKind::Counter,
    labels: &["reason"],
    help: "Requests that the feed refused.",
};
/// The serving certificate.
pub(super) const CERTIFICATE_EXPIRY: Metric = Metric {
    name: "credence_certificate_expiry_timestamp_seconds",
    kind: MetricKind::Gauge,
    labels: &[],
    help: "End of the certificate that webhook and feed are served with, in seconds since 1970.",
};
/// Authorities that pods trust.
pub(super) const ROOTS_IN_USE: Metric = Metric {
    name: "credence_feed_roots_in_use",
    kind: MetricKind::Gauge,
    labels: &["root"],
    help: "Pods with a sidecar, by the certificate authority that it trusts: the one that new pods are given (current), one that is still served (retired), or one that nobody knows (unknown).",
};
/// Sidecars of an earlier time.
pub(super) const INJECTED_PODS: Metric = Metric {
    name: "credence_injected_pods",
    kind: MetricKind::Gauge,
    labels: &["sidecar"],
    help: "Pods that have not finished, by whether their sidecar is what would be injected now (current) or of an earlier time (outdated).",
};
/// Secrets that should be changed some day.
pub(super) const SECRET_AGE: Metric = Metric {
    name: "credence_secret_age_seconds",
    kind: MetricKind::Gauge,
    labels: &["namespace", "collection"],
    help: "Since the values of the Secret that a collection uses were last written; namespace is empty for a ClusterApiCollection.",
};

/// Tokens that nobody renews.
pub(super) const TOKEN_EXPIRY: Metric = Metric {
    name: "credence_token_expiry_timestamp_seconds",
    kind: MetricKind::Gauge,
    labels: &["namespace", "collection"],
    help: "End of the token that a collection's calls are made with, in seconds since 1970, of several environments the first; namespace is empty for a ClusterApiCollection.",
};

/// Requests for tokens.
pub(super) const TOKEN_REFRESHES: Metric = Metric {
    name: "credence_token_refreshes_total",
    kind: MetricKind::Counter,
    labels: &["method", "result"],
    help: "Times that the replica that leads asked for a token, by the method of the collection and what came of it: Obtained, or the reason that TokenReady then has.",
};

/// All of them, in the order in which they are shown.
pub const METRICS: [Metric; 12] = [
    BUILD_INFO,
    ADMISSIONS,
    RECONCILES,
    SIDECARS,
    PUSHES,
    REFUSALS,
    CERTIFICATE_EXPIRY,
    ROOTS_IN_USE,
    INJECTED_PODS,
    SECRET_AGE,
    TOKEN_EXPIRY,
    TOKEN_REFRESHES,
];
