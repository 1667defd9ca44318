//! How often somebody may do something: so many times at once, and then at a
//! steady pace.

use std::time::{Duration, Instant};

/// A bound.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many times at once.
    pub burst: u32,
    /// After which time it may be done once more.
    pub every: Duration,
}

/// What somebody has used of a bound.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// When all of it may be used again.
    whole: Instant,
}

impl Allowance {
    /// All of it is left.
    pub const fn new(now: Instant) -> Self {
        Self { whole: now }
    }

    /// Uses one; false if none is left.
    pub fn spend(&mut self, rate: Rate, now: Instant) -> bool {
        let whole = self.whole.max(now) + rate.every;
        let is_left = whole.duration_since(now) <= rate.every * rate.burst;
        if is_left {
            self.whole = whole;
        }
        is_left
    }

    /// Gives one back.
    pub fn refund(&mut self, rate: Rate) {
        // An instant before the clock's beginning is all the same: none used.
        self.whole = self.whole.checked_sub(rate.every).unwrap_or(self.whole);
    }

    /// Whether all of it is left.
    pub fn is_whole(&self, now: Instant) -> bool {
        self.whole <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        every: Duration::from_secs(1),
    };

    #[test]
    fn what_is_used_comes_back_at_a_steady_pace() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut spent = |millis| allowance.spend(RATE, start + Duration::from_millis(millis));
        assert_eq!([0, 0, 0, 0].map(&mut spent), [true, true, true, false]);
        assert_eq!([999, 1000, 1001].map(&mut spent), [false, true, false]);
        let long_after = [60_000; 4].map(&mut spent);
        assert_eq!(
            long_after,
            [true, true, true, false],
            "no more than a burst"
        );
    }

    #[test]
    fn what_is_given_back_was_not_used() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        for _ in 0..100 {
            assert!(allowance.spend(RATE, now));
            assert!(!allowance.is_whole(now));
            allowance.refund(RATE);
        }
        assert!(allowance.is_whole(now));
    }
}
