//! Since when the sidecars of a collection are behind.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Kept in memory: status holds no times but those of transitions.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<HashMap<String, Timestamp>>);

impl Lags {
    /// Since when the collection of this uid lags, if it was seen to.
    pub(super) fn since(&self, uid: &str) -> Option<Timestamp> {
        self.lock().get(uid).copied()
    }

    /// Takes note of since when it lags, if it does.
    pub(super) fn note(&self, uid: &str, since: Option<Timestamp>) {
        match since {
            Some(since) => self.lock().insert(uid.to_owned(), since),
            None => self.lock().remove(uid),
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
