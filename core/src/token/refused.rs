//! Tokens that an API refuses before their end: each is renewed once, and
//! ever more rarely where that does not help.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use super::setback::doubled;
use super::terms::Terms;

/// Renewals that were forced are a series while no more than this lies between
/// two of them: twice the longest wait before the next one.
const SERIES: Duration = Duration::from_secs(600);

/// Renewals that were made because an API refused a token. What is refused for
/// another reason is refused again: so the wait before the next one doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forced {
    /// The last one.
    pub at: Timestamp,
    /// How many of them there were in the series, from 1.
    pub times: u32,
}

impl Forced {
    /// The next one, after those before it.
    pub(super) fn after(before: Option<Self>, at: Timestamp) -> Self {
        let series = before.filter(|before| at < before.is_over());
        Self {
            at,
            times: series.map_or(1, |series| series.times.saturating_add(1)),
        }
    }

    /// When the next one may be: half a minute after the first of a series,
    /// five minutes after the fifth and each later one.
    pub(super) fn next(&self) -> Timestamp {
        plus(self.at, doubled(self.times))
    }

    /// From when on another one would not belong to the series.
    fn is_over(&self) -> Timestamp {
        plus(self.at, SERIES)
    }
}

impl Record {
    /// An API refused the token of a generation. One that was renewed, or never
    /// given out, says nothing.
    #[must_use]
    pub fn refusing(&self, generation: u64) -> Self {
        Self {
            refused: (generation == self.generation)
                .then_some(generation)
                .or(self.refused),
            ..self.clone()
        }
    }

    /// Whether the API refuses also what was obtained because it had refused
    /// the token before: then it is not the token's age. Says until when that
    /// counts if nothing else happens.
    pub fn rejected_until(&self, terms: &Terms, now: Timestamp) -> Option<Timestamp> {
        self.held_for(terms)?;
        let forced = self.forced?;
        let again = forced.times > 1 || self.is_refused();
        let until = forced.is_over();
        (again && now < until).then_some(until)
    }

    /// Whether an API has refused the newest access token.
    pub(super) fn is_refused(&self) -> bool {
        self.refused == Some(self.generation)
    }
}

fn plus(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| time.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_wait_before_the_next_forced_renewal_doubles_from_half_a_minute_to_five() {
        let mut waits = Vec::new();
        let mut forced = None;
        for _ in 0..6 {
            let now = forced.map_or_else(|| at(0), |forced: Forced| forced.next());
            let next = Forced::after(forced, now);
            waits.push(next.next().duration_since(now).as_secs());
            forced = Some(next);
        }
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn a_series_ends_when_nothing_was_forced_for_ten_minutes() {
        let before = Some(Forced {
            at: at(0),
            times: 7,
        });
        assert_eq!(Forced::after(before, at(599)).times, 8);
        assert_eq!(Forced::after(before, at(600)).times, 1);
    }
}
