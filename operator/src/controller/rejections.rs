//! Which credentials sidecars say that their providers refuse.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use credence_core::reception::Said;
use credence_crds::FeedStatus;
use jiff::{SignedDuration, Timestamp};

/// A refusal that no replica tells of any more counts for this much longer: a
/// sidecar that moves to another replica tells that one anew.
const MOVING: SignedDuration = SignedDuration::from_secs(10);

/// The refusals of all collections as they were last seen, by uid and by the
/// revision of what is refused.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<HashMap<String, BTreeMap<String, Seen>>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    said: Said,
    last: Timestamp,
}

/// A refused credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    /// What the provider said.
    pub(super) said: Said,
    /// When this will be forgotten, unless it is said again.
    pub(super) until: Option<Timestamp>,
}

impl Rejections {
    /// The refusals that the replicas tell of, or did a moment ago.
    pub(super) fn observe(
        &self,
        uid: &str,
        feeds: &[FeedStatus],
        now: Timestamp,
    ) -> BTreeMap<String, Rejection> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, seen| {
            seen.retain(|_, seen| now.duration_since(seen.last) < MOVING);
            !seen.is_empty()
        });
        let told = told(feeds);
        if !told.is_empty() {
            let seen = all.entry(uid.to_owned()).or_default();
            seen.extend(told.iter().map(|(revision, said)| {
                let seen = Seen {
                    said: *said,
                    last: now,
                };
                (revision.clone(), seen)
            }));
        }
        let seen = all.get(uid).into_iter().flatten();
        seen.map(|(revision, seen)| {
            let rejection = Rejection {
                said: seen.said,
                until: (!told.contains_key(revision))
                    .then(|| seen.last.checked_add(MOVING).unwrap_or(Timestamp::MAX)),
            };
            (revision.clone(), rejection)
        })
        .collect()
    }
}

/// What all replicas say together, by revision.
fn told(feeds: &[FeedStatus]) -> BTreeMap<String, Said> {
    let mut told = BTreeMap::<String, Said>::new();
    for rejected in feeds.iter().flat_map(|feed| &feed.rejected) {
        let said = Said {
            status: rejected.status.and_then(|status| status.try_into().ok()),
            worked: rejected.worked,
            generation: None,
            named: false,
        };
        told.entry(rejected.revision.clone())
            .and_modify(|all| *all = all.and(said))
            .or_insert(said);
    }
    told
}

#[cfg(test)]
mod tests {
    use credence_crds::RejectedCredential;

    use super::*;

    fn feed(revision: &str, worked: bool) -> FeedStatus {
        FeedStatus {
            rejected: vec![RejectedCredential {
                revision: revision.to_owned(),
                status: Some(401),
                worked,
            }],
            ..FeedStatus::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_several_replicas_say_is_one_refusal() {
        let rejections = Rejections::default();
        let feeds = [feed("1", false), feed("1", true), feed("2", false)];
        let seen = rejections.observe("u", &feeds, at(0));
        let seen: Vec<_> = seen
            .iter()
            .map(|(revision, rejected)| (revision.as_str(), rejected.said.worked, rejected.until))
            .collect();
        assert_eq!(seen, [("1", true, None), ("2", false, None)]);
    }

    #[test]
    fn a_sidecar_that_changes_the_replica_does_not_end_a_refusal() {
        let rejections = Rejections::default();
        rejections.observe("u", &[feed("1", false)], at(0));
        let moving = rejections.observe("u", &[], at(4));
        assert_eq!(moving["1"].until, Some(at(10)));
        let moved = rejections.observe("u", &[feed("1", false)], at(8));
        assert_eq!(moved["1"].until, None);
        assert_eq!(rejections.observe("u", &[], at(17)).len(), 1);
        assert!(rejections.observe("u", &[], at(18)).is_empty());
        assert!(rejections.0.lock().unwrap().is_empty());
    }
}
