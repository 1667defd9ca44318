//! Connections in memory, and turns for what waits on them.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::{cmp, io};

use hyper::rt::{Read, ReadBufCursor, Write};

/// What the peer sends over a connection, as far as it has.
#[derive(Debug, Default)]
pub struct Peer {
    input: Vec<u8>,
    taken: usize,
    ended: bool,
    waiting: Option<Waker>,
}

/// The connection's end of a reader. What is written to it is lost.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<RefCell<Peer>>);

impl Memory {
    /// Lets these bytes arrive.
    pub fn send(&self, bytes: &[u8]) {
        let mut peer = self.0.borrow_mut();
        peer.input.extend_from_slice(bytes);
        peer.wake();
    }

    /// Lets the connection end after what was sent.
    pub fn end(&self) {
        let mut peer = self.0.borrow_mut();
        peer.ended = true;
        peer.wake();
    }
}

impl Peer {
    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

impl Read for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut peer = self.0.borrow_mut();
        let length = cmp::min(peer.input.len() - peer.taken, buffer.remaining());
        if length == 0 && !peer.ended {
            peer.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buffer.put_slice(&peer.input[peer.taken..peer.taken + length]);
        peer.taken += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Knows whether anything was woken since it was asked.
#[derive(Debug, Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until it is ready, or until nothing is left that could make it so:
/// then none.
pub fn run<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&mut cx) {
            return Some(value);
        }
        if !bell.0.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
}
