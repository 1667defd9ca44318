//! What was found out, and how it is told.

use std::time::Duration;

use crate::scenario::Scenario;

/// The most memory that is accepted.
const MOST_MEMORY: u64 = 12_000_000;

/// What was found out about one proxy in one scenario.
pub(crate) struct Found {
    pub(crate) name: &'static str,
    /// Processor time by request, in the order of the rounds.
    pub(crate) rounds: Vec<Duration>,
    /// How long each request took, in all rounds.
    pub(crate) took: Vec<Duration>,
    /// Bytes that were resident at the end.
    pub(crate) resident: u64,
}

impl Found {
    pub(crate) fn nothing_yet(name: &'static str) -> Self {
        Self {
            name,
            rounds: Vec::new(),
            took: Vec::new(),
            resident: 0,
        }
    }

    /// The middle round: one that something else disturbed does not count.
    fn cost(&self) -> Duration {
        let mut rounds = self.rounds.clone();
        rounds.sort_unstable();
        rounds.get(rounds.len() / 2).copied().unwrap_or_default()
    }

    fn line(&self) -> String {
        let mut took = self.took.clone();
        took.sort_unstable();
        let rounds: Vec<String> = self
            .rounds
            .iter()
            .map(|round| format!("{:.1}", microseconds(*round)))
            .collect();
        format!(
            "{:<10} {:>12.1} {:>8.1} {:>9.0} {:>9.0}   {}",
            self.name,
            microseconds(self.cost()),
            self.resident as f64 / 1e6,
            microseconds(percentile(&took, 50)),
            microseconds(percentile(&took, 99)),
            rounds.join(" ")
        )
    }
}

/// Prints what was found out, ours first, and says whether it is as promised.
pub(crate) fn report(scenario: &Scenario, found: &[Found]) -> bool {
    println!("\n{}", scenario.name);
    println!(
        "{:<10} {:>12} {:>8} {:>9} {:>9}   rounds (µs/request)",
        "proxy", "CPU µs/req", "RSS MB", "p50 µs", "p99 µs"
    );
    for each in found {
        println!("{}", each.line());
    }
    let Some((ours, peers)) = found.split_first() else {
        return false;
    };
    let mut good = ours.resident <= MOST_MEMORY;
    if let Some(better) = peers.iter().min_by_key(|peer| peer.cost()) {
        let ratio = ours.cost().as_secs_f64() / better.cost().as_secs_f64();
        let promise = match scenario.most {
            Some(most) => format!("at most {most:.2}"),
            None => "nothing is promised".to_owned(),
        };
        println!("{} : {} = {ratio:.2} ({promise})", ours.name, better.name);
        good &= scenario.most.is_none_or(|most| ratio <= most);
    }
    let verdict = match good {
        true => "as promised",
        false => "not as promised",
    };
    println!("{verdict}");
    good
}

/// The value that so many per cent of the sorted ones do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_at_its_rank() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_micros(100));
        assert_eq!(percentile(&sorted, 99), Duration::from_micros(198));
        assert_eq!(percentile(&sorted[..1], 99), Duration::from_micros(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn the_cost_is_that_of_the_middle_round() {
        let mut found = Found::nothing_yet("proxy");
        found.rounds = [9, 1, 2].map(Duration::from_micros).to_vec();
        assert_eq!(found.cost(), Duration::from_micros(2));
    }
}
