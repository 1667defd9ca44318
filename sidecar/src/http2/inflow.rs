//! A body that arrives in frames, read as one of HTTP/1.1.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use http::HeaderMap;
use tokio::io::ReadBuf;

use super::broken;
use crate::http1::{Framing, chunk, field};

/// The receiving half of a stream.
pub(super) struct Inflow {
    body: RecvStream,
    /// Set whenever something arrives.
    heard: Arc<AtomicBool>,
    state: State,
    /// The framing that comes before the data.
    lines: Bytes,
    data: Bytes,
    /// The line that ends the chunk is still to be read.
    in_chunk: bool,
}

enum State {
    Chunks,
    /// So much of the declared length is to come.
    Length(u64),
    /// All of the declared length is here. A peer that has declared too little
    /// or takes its word back shows so now: then nobody gets the last bytes.
    Withheld(Bytes),
    /// It was not what was declared.
    Wrong,
    Ended,
}

impl Inflow {
    pub(super) fn new(body: RecvStream, framing: Framing, heard: Arc<AtomicBool>) -> Self {
        let state = match framing {
            Framing::None => State::Ended,
            Framing::Length(0) => State::Withheld(Bytes::new()),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked | Framing::UntilClose => State::Chunks,
        };
        Self {
            body,
            heard,
            state,
            lines: Bytes::new(),
            data: Bytes::new(),
            in_chunk: false,
        }
    }

    /// Reads as much as there is room for and does not have to be waited for;
    /// nothing once the body has ended.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        loop {
            self.give(out);
            if out.remaining() == 0 || matches!(self.state, State::Ended) {
                return Poll::Ready(Ok(()));
            }
            match self.poll_frame(cx) {
                Poll::Ready(Ok(())) => {}
                // An error is there again when it is asked for again.
                Poll::Pending | Poll::Ready(Err(_)) if out.filled().len() > before => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether everything has been read.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended) && self.lines.is_empty() && self.data.is_empty()
    }

    fn give(&mut self, out: &mut ReadBuf<'_>) {
        loop {
            take(&mut self.lines, out);
            if !self.lines.is_empty() {
                return;
            }
            let taken = take(&mut self.data, out);
            if taken > 0 {
                // What was read makes room for as much again, unless the
                // stream is gone meanwhile.
                let _ = self.body.flow_control().release_capacity(taken);
            }
            if !self.data.is_empty() || !std::mem::take(&mut self.in_chunk) {
                return;
            }
            self.lines = Bytes::from_static(chunk::END);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let data = match ready!(self.body.poll_data(cx)) {
            None => {
                let trailers = ready!(self.body.poll_trailers(cx)).map_err(broken)?;
                return Poll::Ready(self.end(trailers.as_ref()));
            }
            Some(data) => data.map_err(broken)?,
        };
        self.heard.store(true, Ordering::Relaxed);
        match &mut self.state {
            // It costs window and says nothing.
            _ if data.is_empty() => {}
            State::Chunks => {
                let mut size = Vec::with_capacity(10);
                chunk::begin(data.len(), &mut size);
                self.lines = size.into();
                self.data = data;
                self.in_chunk = true;
            }
            State::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(0) => self.state = State::Withheld(data),
                Some(less) => {
                    *left = less;
                    self.data = data;
                }
                None => self.state = State::Wrong,
            },
            State::Withheld(_) | State::Wrong | State::Ended => self.state = State::Wrong,
        }
        if matches!(self.state, State::Wrong) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Chunks => {
                let mut lines = chunk::LAST.to_vec();
                for (name, value) in trailers.into_iter().flatten() {
                    field::write(name.as_str(), value.as_bytes(), &mut lines);
                }
                lines.extend_from_slice(b"\r\n");
                self.lines = lines.into();
            }
            State::Length(_) | State::Wrong => {
                self.state = State::Wrong;
                return Err(io::ErrorKind::InvalidData.into());
            }
            // Behind a declared length is no place for trailers.
            State::Withheld(data) => self.data = data,
            State::Ended => {}
        }
        Ok(())
    }
}

fn take(from: &mut Bytes, out: &mut ReadBuf<'_>) -> usize {
    let length = from.len().min(out.remaining());
    out.put_slice(&from[..length]);
    from.advance(length);
    length
}
