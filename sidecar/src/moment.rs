//! What the variables of one call stand for.

use std::cell::LazyCell;
use std::time::{SystemTime, UNIX_EPOCH};

use credence_core::template::Moment;

/// The moment of one call: found out when the first value needs it, and then
/// the same for all.
pub(crate) fn of_call() -> LazyCell<Moment> {
    LazyCell::new(now)
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    let mut random = [0; 16];
    // The library ends the process by itself where the system has no entropy;
    // going on with known bytes would make two calls look alike.
    aws_lc_rs::rand::fill(&mut random).expect("the system's random numbers");
    Moment {
        unix_seconds: seconds.try_into().unwrap_or(i64::MAX),
        random,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_moment_and_the_next_call_another() {
        let (first, second) = (of_call(), of_call());
        assert_eq!(first.random, first.random);
        assert_ne!(first.random, second.random);
        assert!(first.unix_seconds > 1_700_000_000);
    }
}
