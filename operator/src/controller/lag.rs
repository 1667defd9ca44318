//! Since when the sidecars of a collection are behind.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use credence_crds::FeedStatus;
use jiff::Timestamp;

/// Kept in memory: status holds no times but those of transitions.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<HashMap<String, Timestamp>>);

impl Lags {
    /// Since when the collection of this uid lags, if it does.
    pub(super) fn observe(
        &self,
        uid: &str,
        feeds: &[FeedStatus],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lags = feeds
            .iter()
            .any(|feed| feed.current + feed.refused < feed.connected);
        if lags {
            Some(*since.entry(uid.to_owned()).or_insert(now))
        } else {
            since.remove(uid);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(connected: i32, current: i32, refused: i32) -> FeedStatus {
        FeedStatus {
            replica: "r".to_owned(),
            connected,
            current,
            refused,
            ..FeedStatus::default()
        }
    }

    #[test]
    fn a_lag_lasts_from_its_first_sight_to_its_end() {
        let lags = Lags::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(lags.observe("u", &[feed(2, 2, 0)], at(1)), None);
        assert_eq!(lags.observe("u", &[feed(2, 1, 0)], at(2)), Some(at(2)));
        assert_eq!(lags.observe("u", &[feed(3, 1, 0)], at(3)), Some(at(2)));
        assert_eq!(lags.observe("u", &[feed(3, 2, 1)], at(4)), None);
        assert_eq!(lags.observe("u", &[feed(3, 2, 0)], at(5)), Some(at(5)));
    }
}
