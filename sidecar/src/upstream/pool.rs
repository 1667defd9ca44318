//! Connections that wait for their next exchange.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Connection;

/// How long a connection waits. Common servers and load balancers give up
/// after 60 or 75 seconds; whoever closes first must not be the one that a
/// request is just on its way to.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// Connections that wait at one time. As many as calls are ever made at one
/// time: between two calls of a busy connection its own waits here, and to
/// close it would cost a handshake, which is worth a hundred calls.
const MOST_WAITING: usize = 1024;

/// The last one put is the first one taken, so that a burst's connections
/// grow old and are closed.
#[derive(Debug, Default)]
pub(super) struct Pool {
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn put(&self, connection: Connection) {
        let since = Instant::now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(Waiting { connection, since });
        }
    }

    /// The runtime knows without a system call whether something has arrived.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> Option<Connection> {
        loop {
            let mut connection = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()?
                .connection;
            if connection.is_silent(cx) {
                return Some(connection);
            }
        }
    }

    pub(super) fn sweep(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain_mut(|Waiting { connection, since }| {
                since.elapsed() < LONGEST_WAIT && connection.is_silent(&mut cx)
            });
    }
}
