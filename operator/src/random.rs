//! Chance, for names and for spreading things over time.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::digest::sha256_hex;

/// A name that nobody else has.
pub fn name() -> String {
    let mut hex = sha256_hex(&bytes::<16>());
    hex.truncate(32);
    hex
}

/// Where other chance begins.
pub fn seed() -> u64 {
    u64::from_le_bytes(bytes())
}

/// A time from nothing to `longest`, evenly distributed.
pub fn up_to(longest: Duration) -> Duration {
    longest.mul_f64(f64::from(u32::from_le_bytes(bytes())) / f64::from(u32::MAX))
}

/// A failing generator gives zeros: less spread, and names that collide are
/// refused where they matter.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if rand::fill(&mut bytes).is_err() {
        tracing::warn!("the operating system gives no random numbers");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_times_are_bounded() {
        assert_ne!(name(), name());
        for _ in 0..100 {
            assert!(up_to(Duration::from_secs(3)) <= Duration::from_secs(3));
        }
    }
}
