//! The client connections that are open, as far as others must know them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::task::AbortHandle;

/// What one client connection is doing: one of the constants, or the lineage
/// of the collection that it calls.
#[derive(Debug, Default)]
pub(crate) struct Session {
    doing: AtomicU64,
    task: OnceLock<AbortHandle>,
}

/// Between requests.
const IDLE: u64 = 0;
/// To be closed without beginning another request.
const CLOSING: u64 = 1;
/// A request has begun to arrive.
const BUSY: u64 = 2;
/// Lineages begin after this.
pub(crate) const BEFORE_LINEAGES: u64 = 2;

impl Session {
    /// Says that a request has begun; `false` when it is too late for one.
    pub(crate) fn begin(&self) -> bool {
        self.doing
            .compare_exchange(IDLE, BUSY, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether a request has begun of which no more is known.
    pub(crate) fn has_begun(&self) -> bool {
        self.doing.load(Ordering::Acquire) == BUSY
    }

    /// Says which collection the request is for.
    pub(crate) fn call(&self, lineage: u64) {
        self.doing.store(lineage, Ordering::Release);
    }

    /// Says that the request has ended. What is to be closed stays so.
    pub(crate) fn end(&self) {
        let ended = |doing| (doing != CLOSING).then_some(IDLE);
        let _ = self
            .doing
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, ended);
    }

    fn abort(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<u64, Arc<Session>>>,
    opened: AtomicU64,
}

/// Removes its session when it is dropped, however its task ends.
#[derive(Debug)]
pub(crate) struct OpenSession {
    sessions: Arc<Sessions>,
    number: u64,
    session: Arc<Session>,
}

impl Sessions {
    /// Counts a connection in, unless there are so many already.
    pub(crate) fn open(self: &Arc<Self>, most: usize) -> Option<OpenSession> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= most {
            return None;
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::default());
        open.insert(number, Arc::clone(&session));
        Some(OpenSession {
            sessions: Arc::clone(self),
            number,
            session,
        })
    }

    /// Closes the connections that are calling a collection of this lineage.
    pub(crate) fn cut(&self, lineage: u64) {
        for session in self.all() {
            let calling = session.doing.compare_exchange(
                lineage,
                CLOSING,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if calling.is_ok() {
                session.abort();
            }
        }
    }

    /// Closes the connections that are between requests.
    pub(crate) fn close_idle(&self) {
        for session in self.all() {
            let idle =
                session
                    .doing
                    .compare_exchange(IDLE, CLOSING, Ordering::AcqRel, Ordering::Acquire);
            if idle.is_ok() {
                session.abort();
            }
        }
    }

    fn all(&self) -> Vec<Arc<Session>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().cloned().collect()
    }
}

impl OpenSession {
    /// Names the task that can be ended to close the connection.
    pub(crate) fn runs_in(session: &Arc<Session>, task: AbortHandle) {
        // It is named once, right after it was started.
        session.task.get_or_init(|| task);
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let mut open = self
            .sessions
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_counted_until_it_is_dropped() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.open(1).unwrap();
        assert!(sessions.open(1).is_none());
        drop(first);
        assert!(sessions.open(1).is_some());
    }

    #[test]
    fn a_connection_that_is_cut_does_not_go_on_to_another_call() {
        let sessions = Arc::new(Sessions::default());
        let [cut, other] = [3, 4].map(|lineage| {
            let open = sessions.open(2).unwrap();
            assert!(open.session().begin());
            open.session().call(lineage);
            open
        });
        sessions.cut(3);
        for (open, goes_on) in [(cut, false), (other, true)] {
            open.session().end();
            assert_eq!(open.session().begin(), goes_on);
        }
    }

    #[test]
    fn no_request_begins_on_a_connection_that_is_being_closed() {
        let sessions = Arc::new(Sessions::default());
        let idle = sessions.open(2).unwrap();
        let busy = sessions.open(2).unwrap();
        assert!(busy.session().begin());
        sessions.close_idle();
        assert!(!idle.session().begin());
        busy.session().end();
        assert!(busy.session().begin());
    }
}
