//! Who may try to connect: everybody, but whoever fails again and again only
//! at a pace that keeps nobody else waiting.
//!
//! The token that is shown proves nothing before the API server was asked, so
//! it is the address that is bound.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::allowance::{Allowance, Rate};

/// One pod needs one. A node that hides its pods behind its own address may
/// bring as many at once as it has, most of whose sidecars try again.
const RATE: Rate = Rate {
    burst: 32,
    every: Duration::from_secs(1),
};
/// Addresses that are remembered. Beyond them, the bound on what is asked of
/// the API server at a time remains.
const KEPT: usize = 8192;

/// What each address has tried in vain, or is trying.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, Allowance>>);

impl Attempts {
    /// Counts an attempt; false if there were too many.
    pub fn begin(&self, source: IpAddr, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT && !known.contains_key(&source) {
            known.retain(|_, allowance| !allowance.is_whole(now));
            if known.len() >= KEPT {
                return true;
            }
        }
        let allowance = known.entry(source).or_insert_with(|| Allowance::new(now));
        allowance.spend(RATE, now)
    }

    /// Takes an attempt back that did not fail by the fault of its source.
    pub fn forgive(&self, source: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowance) = known.get_mut(&source) {
            allowance.refund(RATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn failures_of_one_address_are_bounded_and_touch_no_other() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let tried = (0..10_000).filter(|_| attempts.begin(address(1), now));
        assert_eq!(tried.count(), 32);
        assert!(attempts.begin(address(2), now));
        assert!(attempts.begin(address(1), now + Duration::from_secs(1)));
    }

    #[test]
    fn successes_are_not_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..1000 {
            assert!(attempts.begin(address(1), now));
            attempts.forgive(address(1));
        }
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..100_000 {
            assert!(attempts.begin(address(number), now));
        }
        assert_eq!(attempts.0.lock().unwrap().len(), KEPT);
        let later = now + Duration::from_secs(2);
        assert!(attempts.begin(address(200_000), later));
        assert_eq!(attempts.0.lock().unwrap().len(), 1);
    }
}
