//! When which credential is verified: no call, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use credence_core::Environment;
use jiff::{SignedDuration, Timestamp};

use crate::collection_key::CollectionKey;
use crate::revision::Inputs;

/// What there is already when this replica begins to lead was verified by the
/// one before. It comes in this time...
const SETTLING: SignedDuration = SignedDuration::from_secs(60);
/// ... and its first calls are spread over this one.
const SPREAD: Duration = Duration::from_mins(5);
/// Whatever changes, an API is not called more often.
const LEAST: Duration = Duration::from_secs(60);
/// Calls are later than their interval by up to the interval divided by this:
/// what began together does not stay together.
const JITTER: u32 = 10;

/// A credential that is verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) of: CollectionKey,
    pub(crate) environment: Environment,
}

/// When the call for each credential is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    began: Timestamp,
    tracks: BTreeMap<Subject, Track>,
}

#[derive(Debug)]
struct Track {
    /// What the next call is made from.
    inputs: Inputs,
    interval: Duration,
    /// When the last call began.
    last: Option<Timestamp>,
    due: Timestamp,
    under_way: bool,
    /// What is not any more is kept for a while: it may come back, and must not
    /// be called more often by that.
    wanted: bool,
}

impl Schedule {
    /// Of a replica that begins to lead now.
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            began: now,
            tracks: BTreeMap::new(),
        }
    }

    /// Takes over what is to be verified: all of it, each subject with what its
    /// call is made from and its interval. `up_to` gives some time up to the
    /// one that it is given.
    pub(crate) fn follow<'a>(
        &mut self,
        wanted: impl Iterator<Item = (Subject, &'a Inputs, Duration)>,
        now: Timestamp,
        up_to: impl Fn(Duration) -> Duration,
    ) {
        let settling = now.duration_since(self.began) < SETTLING;
        let mut seen = BTreeSet::new();
        for (subject, inputs, interval) in wanted {
            seen.insert(subject.clone());
            let Some(track) = self.tracks.get_mut(&subject) else {
                let wait = match settling {
                    true => up_to(interval.min(SPREAD)),
                    false => Duration::ZERO,
                };
                let track = Track {
                    inputs: inputs.clone(),
                    interval,
                    last: None,
                    due: after(now, wait),
                    under_way: false,
                    wanted: true,
                };
                self.tracks.insert(subject, track);
                continue;
            };
            if !track.wanted || track.inputs != *inputs || track.interval != interval {
                track.inputs = inputs.clone();
                track.interval = interval;
                let least = track.last.map(|last| after(last, LEAST));
                track.due = least.map_or(now, |least| least.max(now));
            }
            // A clock that was set back must not put a call off for longer.
            track.due = track.due.min(after(now, interval + interval / JITTER));
        }
        self.tracks.retain(|subject, track| {
            track.wanted = seen.contains(subject);
            let recent = |last| after(last, LEAST) > now;
            track.wanted || track.last.is_some_and(recent)
        });
    }

    /// The subjects whose calls begin now, those that are due for longest first:
    /// no more than `most`, and of those only that `can` be called.
    pub(crate) fn begin(
        &mut self,
        most: usize,
        can: impl Fn(&Subject) -> bool,
        now: Timestamp,
        up_to: impl Fn(Duration) -> Duration,
    ) -> Vec<Subject> {
        let mut due: Vec<_> = (self.tracks.iter_mut())
            .filter(|(subject, track)| {
                track.wanted && track.due <= now && !track.under_way && can(subject)
            })
            .collect();
        due.sort_by_key(|(_, track)| track.due);
        due.truncate(most);
        let begun = due.into_iter().map(|(subject, track)| {
            track.under_way = true;
            track.last = Some(now);
            track.due = after(now, track.interval + up_to(track.interval / JITTER));
            subject.clone()
        });
        begun.collect()
    }

    /// The call for a subject is over.
    pub(crate) fn end(&mut self, subject: &Subject) {
        if let Some(track) = self.tracks.get_mut(subject) {
            track.under_way = false;
        }
    }

    /// When something is due next that is not due now.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = self.tracks.values().filter(|track| track.wanted);
        let due = wanted.map(|track| track.due);
        due.filter(|due| *due > now).min()
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
