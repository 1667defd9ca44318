//! Chance, as far as it spreads work over time. Nothing here is hard to guess.

/// Numbers from 0 to 1, the same ones for the same seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_seeds_are_spread_evenly() {
        let mut tenths = [0; 10];
        for seed in 0..10_000 {
            let fraction = Dice::new(seed).fraction();
            assert!((0.0..1.0).contains(&fraction));
            for (tenth, count) in (1_u8..).zip(&mut tenths) {
                if fraction < f64::from(tenth) / 10.0 {
                    *count += 1;
                    break;
                }
            }
        }
        assert!(
            tenths.iter().all(|count| (900..1100).contains(count)),
            "{tenths:?}"
        );
    }
}
