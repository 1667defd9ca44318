//! The text that Prometheus reads.

use std::fmt::{Display, Write as _};

use credence_core::metric::Metric;

use super::histogram::{BUCKETS, Histogram};

/// What has been written so far.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// A metric and its samples, each with the values of its labels.
    pub(super) fn family<'a, const N: usize>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = ([&'a str; N], i64)>,
    ) {
        self.line(format_args!("{metric}"));
        for (values, sample) in samples {
            let name = metric.name;
            let labels: Vec<String> = metric
                .labels
                .iter()
                .zip(values)
                .map(|(label, value)| format!("{label}=\"{value}\""))
                .collect();
            if labels.is_empty() {
                self.line(format_args!("{name} {sample}\n"));
            } else {
                self.line(format_args!("{name}{{{}}} {sample}\n", labels.join(",")));
            }
        }
    }

    pub(super) fn histogram(&mut self, metric: &Metric, histogram: &Histogram) {
        self.line(format_args!("{metric}"));
        let name = metric.name;
        let mut cumulative = 0;
        for (bound, count) in BUCKETS.iter().zip(histogram.counts()) {
            cumulative += count;
            self.line(format_args!(
                "{name}_bucket{{le=\"{bound}\"}} {cumulative}\n"
            ));
        }
        let count = histogram.count();
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}\n"));
        let sum = histogram.sum().as_secs_f64();
        self.line(format_args!("{name}_sum {sum}\n{name}_count {count}\n"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String can not fail.
        let _ = write!(self.0, "{line}");
    }
}
