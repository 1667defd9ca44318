//! How long to wait before the next connection.

use std::time::Duration;

/// Before the first attempt after a stream that worked.
const FIRST: Duration = Duration::from_millis(200);

/// The longest wait: an operator that is back is found within this.
const CAP: Duration = Duration::from_secs(10);

/// The wait after so many failures in a row: doubling up to the cap, of which
/// the random half keeps a thousand sidecars from coming back as one.
pub(super) fn delay(failures: u32, random: u64) -> Duration {
    let longest = FIRST
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .min(CAP);
    let half = longest / 2;
    let part = u32::try_from(random % 1000).unwrap_or_default();
    half + half * part / 999
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let longest = |failures| delay(failures, 999);
        assert_eq!(longest(0), FIRST);
        assert_eq!(longest(1), 2 * FIRST);
        assert_eq!(longest(3), 8 * FIRST);
        for failures in [6, 31, 32, 33, u32::MAX] {
            assert_eq!(longest(failures), CAP, "{failures}");
        }
    }

    #[test]
    fn half_of_the_wait_is_random() {
        assert_eq!(delay(0, 0), FIRST / 2);
        assert_eq!(delay(0, 1000), FIRST / 2);
        let some = delay(0, 500);
        assert!(some > FIRST / 2 && some < FIRST);
    }
}
