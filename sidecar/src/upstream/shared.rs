//! Connections that many calls use at one time, and the wait for the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::pool::LONGEST_WAIT;
use crate::budget::Reserved;
use crate::http2::client::{Connection, Stream};
use crate::problem::Problem;

/// The connections of one provider that speak HTTP/2.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// What the provider chose the last time; without a lock, since calls to
    /// providers of HTTP/1.1 ask as well.
    multiplexes: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<Connection>,
    /// It has chosen HTTP/1.1: everybody connects for himself.
    alone: bool,
    /// Somebody is connecting.
    attempt: Option<watch::Receiver<Option<Outcome>>>,
}

/// What came of connecting.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// There may be a stream now.
    Shared,
    /// There is nothing to share.
    Alone,
    Failed(Problem),
}

/// Whose turn it is to connect.
pub(super) enum Turn {
    /// Ours, and nobody waits for it.
    Alone,
    /// Ours, and others wait for what comes of it.
    First(watch::Sender<Option<Outcome>>),
    /// Somebody else's.
    Wait(watch::Receiver<Option<Outcome>>),
}

impl Shared {
    /// A stream of a connection that is open.
    pub(super) fn take(&self) -> Option<Stream> {
        if !self.multiplexes() {
            return None;
        }
        self.locked().open.iter().find_map(Connection::stream)
    }

    /// Has as few connect as are needed: while nobody knows that the provider
    /// speaks HTTP/1.1, one at a time.
    pub(super) fn turn(&self) -> Turn {
        let mut state = self.locked();
        if state.alone {
            return Turn::Alone;
        }
        match &state.attempt {
            Some(attempt) if attempt.has_changed().is_ok() => Turn::Wait(attempt.clone()),
            Some(_) | None => {
                let (sender, receiver) = watch::channel(None);
                state.attempt = Some(receiver);
                Turn::First(sender)
            }
        }
    }

    /// Whether the provider's last choice was to share.
    pub(super) fn multiplexes(&self) -> bool {
        self.multiplexes.load(Ordering::Acquire)
    }

    /// Keeps a connection for whoever needs a stream. Returns the first one,
    /// which has this window.
    pub(super) fn add(&self, connection: Connection, window: Reserved) -> Option<Stream> {
        let stream = connection.stream_with(window);
        let mut state = self.locked();
        state.alone = false;
        state.open.push(connection);
        self.multiplexes.store(true, Ordering::Release);
        stream
    }

    /// Notes that the provider speaks HTTP/1.1.
    pub(super) fn go_alone(&self) {
        let mut state = self.locked();
        state.alone = true;
        self.multiplexes
            .store(!state.open.is_empty(), Ordering::Release);
    }

    /// Forgets the connections that are over.
    pub(super) fn sweep(&self) {
        let mut state = self.locked();
        state.open.retain(|open| !open.is_over(LONGEST_WAIT));
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
