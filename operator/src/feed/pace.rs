//! How often a pod may tell of a refused token: each time, somebody may have to
//! read it up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::refusal::Refusal;
use crate::collection_key::CollectionKey;

/// Between two reports of one pod on the tokens of one collection. A sidecar
/// takes longer.
const LEAST: Duration = Duration::from_secs(10);
/// Reports that are remembered before it is looked which are of no use any more.
const FEW: usize = 64;

/// When each pod told last, over whichever stream.
#[derive(Debug, Default)]
pub(super) struct Pace {
    told: HashMap<(String, CollectionKey), Instant>,
    /// How many there were when only useful ones had been left.
    useful: usize,
}

impl Pace {
    /// Takes note of a report on a token.
    ///
    /// # Errors
    /// A report that comes too soon after another.
    pub(super) fn take(
        &mut self,
        pod_uid: &str,
        key: &CollectionKey,
        now: Instant,
    ) -> Result<(), Refusal> {
        let is_recent = |last: &Instant| now.duration_since(*last) < LEAST;
        if self.told.len() >= FEW.max(2 * self.useful) {
            self.told.retain(|_, last| is_recent(last));
            self.useful = self.told.len();
        }
        let whose = (pod_uid.to_owned(), key.clone());
        if self.told.get(&whose).is_some_and(is_recent) {
            return Err(Refusal::TooSoon);
        }
        self.told.insert(whose, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CollectionKey {
        CollectionKey::of_cluster(name.parse().unwrap())
    }

    #[test]
    fn one_pod_tells_of_a_token_every_ten_seconds_at_most() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let openai = key("openai");
        assert_eq!(pace.take("u", &openai, now), Ok(()));
        let soon = pace.take("u", &openai, now + LEAST / 2);
        assert_eq!(soon, Err(Refusal::TooSoon));
        assert_eq!(pace.take("v", &openai, now), Ok(()));
        assert_eq!(pace.take("u", &key("stripe"), now), Ok(()));
        assert_eq!(pace.take("u", &openai, now + LEAST), Ok(()));
    }

    #[test]
    fn what_was_told_long_ago_takes_no_memory() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for number in 0..10_000 {
            let now = start + LEAST * number;
            assert_eq!(pace.take(&number.to_string(), &key("a"), now), Ok(()));
        }
        assert!(pace.told.len() <= FEW, "{}", pace.told.len());
    }
}
