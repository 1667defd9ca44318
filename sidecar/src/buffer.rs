//! Memory for bytes on their way, lent out while there are any.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroize;

/// Holds a TLS record's content, and most requests and answers whole.
const BLOCK: usize = 16 * 1024;

/// Pieces of memory that are kept when nobody needs them: as many as a busy
/// pod's connections use at one time, and no more than a mebibyte of blocks.
const KEPT: usize = 64;

thread_local! {
    static BLOCKS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static ROOMS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn keep(shelf: &RefCell<Vec<Vec<u8>>>, memory: Vec<u8>) {
    let mut shelf = shelf.borrow_mut();
    if shelf.len() < KEPT {
        shelf.push(memory);
    }
}

fn take_block() -> Vec<u8> {
    BLOCKS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| vec![0; BLOCK])
}

fn put_block(block: Vec<u8>) {
    // One that has grown for a large head goes back to the allocator.
    if block.len() == BLOCK {
        BLOCKS.with(|shelf| keep(shelf, block));
    }
}

/// An empty vector, probably one with memory.
pub(crate) fn take_room() -> Vec<u8> {
    ROOMS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

fn put_room(mut room: Vec<u8>) {
    if (1..=BLOCK).contains(&room.capacity()) {
        room.clear();
        ROOMS.with(|shelf| keep(shelf, room));
    } else {
        // A whole body, with a credential in it.
        room.zeroize();
    }
}

/// What was read and not yet used. It holds memory only while it is not empty
/// or about to be filled, so that an idle connection costs none. Its `Debug`
/// shows only how much there is, since it may be secret.
#[derive(Default)]
pub(crate) struct Inbound {
    block: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbound {
    /// What is there.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.block.len()
    }

    /// Forgets the first bytes.
    pub(crate) fn consume(&mut self, length: usize) {
        self.start += length;
        debug_assert!(self.start <= self.end, "more was consumed than is there");
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Reads once. What is there stays in one piece; when it fills the block,
    /// the block is doubled, so the caller bounds what it lets pile up.
    ///
    /// Ready with the number of bytes; none of them is the end of the stream.
    pub(crate) fn poll_fill(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.block.is_empty() {
            self.block = take_block();
        } else if self.end == self.block.len() {
            if self.start > 0 {
                self.block.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.block.resize(self.block.len() * 2, 0);
            }
        }
        let mut spare = ReadBuf::new(&mut self.block[self.end..]);
        let polled = Pin::new(io).poll_read(cx, &mut spare);
        let length = spare.filled().len();
        self.end += length;
        self.release();
        ready!(polled)?;
        Poll::Ready(Ok(length))
    }

    /// Gives the memory back if there is nothing in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() && !self.block.is_empty() {
            put_block(std::mem::take(&mut self.block));
        }
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({} bytes)", self.bytes().len())
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        put_block(std::mem::take(&mut self.block));
    }
}

/// What is to be written. Its `Debug` shows only how much there is: the head
/// of a request holds the credential.
#[derive(Default)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    written: usize,
    forgotten: bool,
}

impl Outbound {
    /// Begins with these bytes.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            written: 0,
            forgotten: false,
        }
    }

    /// Where more is to be put.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = take_room();
        }
        if self.written > 0 && self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            self.forgotten = true;
        }
        &mut self.bytes
    }

    /// How much is left to be written.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Whether nothing of it was written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.written == 0 && !self.forgotten
    }

    /// Begins again with the first byte, if all of them are still here.
    pub(crate) fn rewind(&mut self) -> bool {
        if !self.forgotten {
            self.written = 0;
        }
        !self.forgotten
    }

    /// Gives the memory back; whatever was not written is lost.
    pub(crate) fn release(&mut self) {
        put_room(std::mem::take(&mut self.bytes));
        self.written = 0;
        self.forgotten = false;
    }

    /// Writes once, first what is here, then `after`, which stays the
    /// caller's. Ready with the number of bytes of `after` that were written.
    pub(crate) fn poll_write(
        &mut self,
        after: &[u8],
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let first = &self.bytes[self.written..];
        let io = Pin::new(io);
        let length = ready!(match (first.is_empty(), after.is_empty()) {
            (_, true) => io.poll_write(cx, first),
            (true, _) => io.poll_write(cx, after),
            _ => io.poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(after)]),
        })?;
        if length == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_first = length.min(first.len());
        self.written += of_first;
        let of_after = length - of_first;
        // What did not pass through here cannot be written again from here.
        self.forgotten |= of_after > 0;
        Poll::Ready(Ok(of_after))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({} bytes)", self.pending())
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        put_room(std::mem::take(&mut self.bytes));
    }
}

/// One side of an exchange.
#[derive(Debug)]
pub(crate) struct Side<I> {
    pub(crate) io: I,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Side<I> {
    pub(crate) fn new(io: I) -> Self {
        Self {
            io,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
        }
    }

    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbound.poll_fill(&mut self.io, cx)
    }

    /// Writes all there is to write.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.outbound.pending() > 0 {
            ready!(self.outbound.poll_write(&[], &mut self.io, cx))?;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }
}
