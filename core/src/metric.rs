//! How what is counted is described, to Prometheus and in the documentation.

use std::fmt;

/// What can be read at `/metrics` under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// With its unit at the end.
    pub name: &'static str,
    /// What its values are.
    pub kind: MetricKind,
    /// The names of its labels, in the order in which they are written; none
    /// of them can take a value that a caller chooses.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// The types of Prometheus' text format that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, until the program starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets, with the additional label `le`.
    Histogram,
}

impl MetricKind {
    /// As the format spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The two lines that precede the samples (text format 0.0.4).
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, kind, help, ..
        } = self;
        writeln!(f, "# HELP {name} {help}")?;
        writeln!(f, "# TYPE {name} {}", kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_two_lines() {
        let metric = Metric {
            name: "credence_requests_total",
            kind: MetricKind::Counter,
            labels: &["collection"],
            help: "Requests that were answered.",
        };
        assert_eq!(
            metric.to_string(),
            "# HELP credence_requests_total Requests that were answered.\n\
             # TYPE credence_requests_total counter\n"
        );
    }
}
