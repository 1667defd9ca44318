//! Connections that wait for their next exchange.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Connection;
use crate::budget::{Budget, Reserved};

/// How long a connection waits. Common servers and load balancers give up
/// after 60 or 75 seconds; whoever closes first must not be the one that a
/// request is just on its way to.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// Connections of all collections that wait at one time. As many as calls are
/// ever made at one time: between two calls of a busy connection its own waits
/// here, and to close it would cost a handshake, which is worth a hundred calls.
pub(crate) const MOST_WAITING: usize = 1024;

/// The last one put is the first one taken, so that a burst's connections
/// grow old and are closed.
#[derive(Debug)]
pub(super) struct Pool {
    waiting: Mutex<Vec<Waiting>>,
    places: Arc<Budget>,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
    _place: Reserved,
}

impl Pool {
    /// `places` is shared by all pools.
    pub(super) fn of(places: Arc<Budget>) -> Self {
        Self {
            waiting: Mutex::default(),
            places,
        }
    }

    pub(super) fn put(&self, connection: Connection) {
        let mut place = self.places.reserve();
        if !place.grow(1) {
            return;
        }
        let waiting = Waiting {
            connection,
            since: Instant::now(),
            _place: place,
        };
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(waiting);
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
            .retain_mut(|waiting| {
                waiting.since.elapsed() < LONGEST_WAIT && waiting.connection.is_silent(&mut cx)
            });
    }
}
