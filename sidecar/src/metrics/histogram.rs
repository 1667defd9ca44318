//! Durations in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::line;

/// Upper bounds and their labels. APIs answer in tens of milliseconds, models
/// in tens of seconds.
const BOUNDS: [(Duration, &str); 13] = [
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(5), "5"),
    (Duration::from_secs(10), "10"),
    (Duration::from_secs(30), "30"),
    (Duration::from_secs(60), "60"),
];

/// Counts of durations by bucket, the last without a bound, and their sum.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let bucket = BOUNDS
            .iter()
            .position(|(bound, _)| duration <= *bound)
            .unwrap_or(BOUNDS.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Its lines, or none when nothing was observed.
    pub(super) fn write(&self, text: &mut String, metric: &str, collection: &str) {
        let counts = self
            .counts
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return;
        }
        let label = format!("collection=\"{collection}\"");
        let mut below = 0;
        for ((_, bound), count) in BOUNDS.iter().zip(counts) {
            below += count;
            line(
                text,
                format_args!("{metric}_bucket{{{label},le=\"{bound}\"}} {below}\n"),
            );
        }
        line(
            text,
            format_args!("{metric}_bucket{{{label},le=\"+Inf\"}} {total}\n"),
        );
        let sum = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        line(text, format_args!("{metric}_sum{{{label}}} {sum}\n"));
        line(text, format_args!("{metric}_count{{{label}}} {total}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_include_their_bound() {
        let histogram = Histogram::default();
        for milliseconds in [5, 6, 60_000, 61_000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let mut text = String::new();
        histogram.write(&mut text, "m", "c");
        for expected in [
            r#"m_bucket{collection="c",le="0.005"} 1"#,
            r#"m_bucket{collection="c",le="0.01"} 2"#,
            r#"m_bucket{collection="c",le="30"} 2"#,
            r#"m_bucket{collection="c",le="60"} 3"#,
            r#"m_bucket{collection="c",le="+Inf"} 4"#,
            r#"m_sum{collection="c"} 121.011"#,
            r#"m_count{collection="c"} 4"#,
        ] {
            assert!(
                text.lines().any(|line| line == expected),
                "{expected}\n{text}"
            );
        }
    }

    #[test]
    fn labels_and_bounds_agree() {
        for (bound, label) in BOUNDS {
            assert_eq!(label.parse(), Ok(bound.as_secs_f64()));
        }
    }
}
