//! HTTP/2, which the rest of the program knows as HTTP/1.1.
//!
//! ```text
//!  caller ── h2c ──► server::Stream ─┐ heads and bodies     ┌─► client::Stream ── h2 ──► provider
//!  caller ─ HTTP/1.1 ────────────────┴─► exchange ──────────┴─ HTTP/1.1 ────────────────► provider
//! ```
//!
//! A stream of either side reads and writes one request and its answer in
//! HTTP/1.1, so that route, decision, credential, limits and the exchange exist
//! once, for all four ways to cross. What HTTP/2 says with frames becomes
//! framing: a declared length stays one, everything else is chunks, and what
//! ends without END_STREAM ends without its last byte or its last chunk.
//! [`request`] and [`response`] are the heads, [`inflow`] and [`outflow`] the
//! bodies; none of them waits longer than the flow control of its peer says.
//!
//! It is spoken with `h2`, on which hyper's connections are built: hyper's own
//! answer no `Expect`, and put a task and a queue between a body and the
//! stream's window.

pub(crate) mod client;
mod inflow;
mod keepalive;
mod outflow;
mod request;
mod response;
pub(crate) mod server;

use std::io;

use h2::Reason;

/// What may wait in memory to be written to one stream.
const SEND_BUFFER: usize = 32 * 1024;

/// The largest header list that is read, as RFC 9113 §6.5.2 counts it: beyond
/// this, streams are answered without being looked at. Our own limit on heads
/// is lower, and its answer says why.
const MOST_HEADERS: u32 = 128 * 1024;

/// Streams that were reset and whose late frames are still expected.
const RESET_STREAMS: usize = 50;

/// Streams that a peer has reset before they were looked at, and those that we
/// had to reset for errors of his, before the connection is given up: resets
/// cost the peer nothing, so that they could be used to make us work.
const PENDING_RESETS: usize = 20;
const ERROR_RESETS: usize = 256;

/// The protocol's errors as those of a stream of bytes.
fn broken(error: h2::Error) -> io::Error {
    match error.into_io() {
        Some(error) => error,
        None => io::ErrorKind::ConnectionReset.into(),
    }
}

/// What a peer is told whose stream ends before its message does.
const CUT: Reason = Reason::INTERNAL_ERROR;
