//! When an entry is written: at once where sidecars use something else or can
//! do something else than is said, and every ten seconds at most where only
//! their number changed, as it does all the time during a rollout.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use credence_crds::FeedStatus;

/// Between two writes of one collection's numbers.
const LEAST: Duration = Duration::from_secs(10);

/// When each collection's entry was written last, by its uid.
#[derive(Debug, Default)]
pub(super) struct Writes(HashMap<String, Instant>);

impl Writes {
    /// When an entry may be replaced by another one: now, unless a later time
    /// is returned.
    pub(super) fn wait(
        &mut self,
        uid: &str,
        said: Option<&FeedStatus>,
        wanted: Option<&FeedStatus>,
        now: Instant,
    ) -> Option<Instant> {
        let due = self.0.get(uid).map(|last| *last + LEAST);
        match due.filter(|due| *due > now) {
            Some(due) if !is_news(said, wanted) => Some(due),
            Some(_) | None => {
                self.0.insert(uid.to_owned(), now);
                None
            }
        }
    }

    /// Forgets what keeps nobody waiting any more.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, last| *last + LEAST > now);
    }
}

/// Whether more than numbers changed. That a sidecar has fallen behind is not
/// told for ten seconds anyway; that all have caught up, at once.
fn is_news(said: Option<&FeedStatus>, wanted: Option<&FeedStatus>) -> bool {
    let (Some(said), Some(wanted)) = (said, wanted) else {
        return said.is_some() != wanted.is_some();
    };
    said.revisions != wanted.revisions
        || said.rejected != wanted.rejected
        || said.refused != wanted.refused
        || (lags(said) && !lags(wanted))
}

const fn lags(feed: &FeedStatus) -> bool {
    feed.current + feed.refused < feed.connected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(connected: i32, current: i32, revision: &str) -> FeedStatus {
        FeedStatus {
            connected,
            current,
            revisions: vec![revision.to_owned()],
            ..FeedStatus::default()
        }
    }

    /// How often a replica writes that looks at these once a second.
    fn writes(wanted: impl IntoIterator<Item = FeedStatus>) -> usize {
        let (mut writes, start) = (Writes::default(), Instant::now());
        let mut said: Option<FeedStatus> = None;
        let mut count = 0;
        for (second, wanted) in (0..).zip(wanted) {
            let now = start + Duration::from_secs(second);
            let differs = said.as_ref() != Some(&wanted);
            if differs
                && writes
                    .wait("u", said.as_ref(), Some(&wanted), now)
                    .is_none()
            {
                said = Some(wanted);
                count += 1;
            }
            writes.forget(now);
        }
        count
    }

    #[test]
    fn a_rollout_of_a_minute_writes_numbers_every_ten_seconds() {
        assert_eq!(writes((1..=60).map(|number| feed(number, number, "1"))), 6);
        // Some are always on their way, but not always the same.
        let busy = (1..=60).map(|number| feed(number, number - number % 3 % 2, "1"));
        assert!(writes(busy) <= 12);
    }

    #[test]
    fn what_sidecars_use_and_that_all_use_it_is_written_at_once() {
        let news = [
            feed(3, 3, "1"),
            feed(3, 0, "2"),
            feed(3, 1, "2"),
            feed(3, 3, "2"),
        ];
        assert_eq!(writes(news), 3, "all but that one of three has it");
        let refused = FeedStatus {
            refused: 1,
            ..feed(3, 2, "1")
        };
        assert_eq!(writes([feed(3, 3, "1"), refused]), 2);
    }

    #[test]
    fn the_first_and_the_last_sidecar_are_written_at_once() {
        let (mut writes, now) = (Writes::default(), Instant::now());
        let one = feed(1, 1, "1");
        assert_eq!(writes.wait("u", None, Some(&one), now), None);
        assert_eq!(writes.wait("u", Some(&one), None, now), None);
        assert_eq!(writes.wait("u", None, Some(&one), now), None);
        let two = feed(2, 2, "1");
        let due = Some(now + LEAST);
        assert_eq!(writes.wait("u", Some(&one), Some(&two), now), due);
        assert_eq!(writes.wait("v", Some(&one), Some(&two), now), None);
        assert_eq!(writes.wait("u", Some(&one), Some(&two), now + LEAST), None);
        writes.forget(now + 2 * LEAST);
        assert!(writes.0.is_empty());
    }
}
