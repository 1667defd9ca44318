//! What is measured: the rows of the report.

/// One kind of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Connections of the load.
    pub(crate) connections: usize,
    /// Bytes of each request's body; without one it is a GET.
    pub(crate) body: usize,
    /// Bytes of each answer.
    pub(crate) answer: usize,
    /// What the provider speaks.
    pub(crate) upstream: Upstream,
    /// A round makes the number of requests that was asked for divided by this.
    pub(crate) share: usize,
    /// The largest share of the better peer's processor time that is promised,
    /// if any is.
    pub(crate) most: Option<f64>,
}

/// What the provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    Http1,
    /// Offered by ALPN. nginx does not speak it with providers.
    Http2,
}

pub(crate) const ALL: [Scenario; 4] = [
    Scenario {
        name: "1 KiB answers, 32 connections",
        connections: 32,
        body: 0,
        answer: 1024,
        upstream: Upstream::Http1,
        share: 1,
        most: Some(0.75),
    },
    Scenario {
        name: "1 KiB answers, 1 connection",
        connections: 1,
        body: 0,
        answer: 1024,
        upstream: Upstream::Http1,
        share: 4,
        most: Some(0.9),
    },
    Scenario {
        name: "100 KiB both ways, 32 connections",
        connections: 32,
        body: 100 * 1024,
        answer: 100 * 1024,
        upstream: Upstream::Http1,
        share: 8,
        most: Some(1.0),
    },
    Scenario {
        name: "1 KiB answers, 32 connections, HTTP/2 to the provider",
        connections: 32,
        body: 0,
        answer: 1024,
        upstream: Upstream::Http2,
        share: 1,
        most: None,
    },
];
