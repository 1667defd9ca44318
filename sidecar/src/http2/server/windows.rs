//! What callers may send before it is read: memory that is promised to them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::budget::{Budget, Reserved};
use crate::http1::Framing;

/// What a caller may send on one stream before it is read. He is near, but with
/// less than this, one whose system holds back the end of what he sends until
/// the beginning is acknowledged (RFC 896) waits 40 ms for each window.
pub(super) const STREAM: u32 = 128 * 1024;

/// What he may send on all streams of a connection, so that those few that
/// their providers do not take stop no other.
pub(super) const CONNECTION: u32 = 8 * STREAM;

/// What all callers may send before it is read, in bytes.
pub(crate) const ALL_TOGETHER: usize = 12 * 1024 * 1024;

/// What one connection has been promised. However many streams it has, that is
/// no more than the window of the connection.
#[derive(Debug)]
pub(super) struct Windows(Mutex<Promised>);

#[derive(Debug)]
struct Promised {
    streams: usize,
    held: Reserved,
}

/// The window of one stream, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Window {
    of: Arc<Windows>,
    bytes: usize,
}

impl Windows {
    pub(super) fn of(all: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Promised {
            streams: 0,
            held: all.reserve(),
        })))
    }

    /// One for a body with this framing, if there is memory for it.
    pub(super) fn open(self: &Arc<Self>, framing: Framing) -> Option<Window> {
        let most = STREAM as usize;
        let bytes = match framing {
            Framing::None => 0,
            Framing::Length(length) => usize::try_from(length).map_or(most, |all| all.min(most)),
            Framing::Chunked | Framing::UntilClose => most,
        };
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = promised.streams + bytes;
        if !promised.held.grow_to(streams.min(CONNECTION as usize)) {
            return None;
        }
        promised.streams = streams;
        Some(Window {
            of: Arc::clone(self),
            bytes,
        })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let mut promised = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        promised.streams -= self.bytes;
        let left = promised.streams.min(CONNECTION as usize);
        promised.held.shrink_to(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_left(all: &Arc<Budget>, bytes: usize) -> bool {
        all.reserve().grow(bytes) && !all.reserve().grow(bytes + 1)
    }

    #[test]
    fn a_connection_is_promised_no_more_than_its_window() {
        const STREAM: usize = super::STREAM as usize;
        let all = Budget::of(10 * STREAM);
        let one = Windows::of(&all);
        let mut open: Vec<_> = (0..100).map(|_| one.open(Framing::Chunked)).collect();
        assert!(open.iter().all(Option::is_some) && is_left(&all, 2 * STREAM));
        let other = Windows::of(&all);
        let more: Vec<_> = (0..3).map(|_| other.open(Framing::Chunked)).collect();
        assert!(more[1].is_some() && more[2].is_none());
        open.truncate(8);
        assert!(other.open(Framing::Length(1)).is_none());
        open.truncate(7);
        assert!(other.open(Framing::Chunked).is_some());
    }

    #[test]
    fn a_body_that_is_small_takes_no_more_than_itself() {
        let all = Budget::of(1000);
        let windows = Windows::of(&all);
        let small = windows.open(Framing::Length(900));
        assert!(small.is_some() && is_left(&all, 100));
        assert!(windows.open(Framing::None).is_some());
        assert!(windows.open(Framing::Length(101)).is_none());
        drop(small);
        assert!(is_left(&all, 1000));
    }
}
