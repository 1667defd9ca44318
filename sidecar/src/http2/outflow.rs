//! A body of HTTP/1.1, written as frames.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{CUT, broken};
use crate::http1::{Decoder, Event, Field, Framing, MAX_FIELDS, field};

/// The sending half of a stream whose head has been sent.
pub(super) struct Outflow {
    stream: SendStream<Bytes>,
    decoder: Decoder,
    /// Data for which the stream's window has no room yet.
    waiting: Bytes,
    /// The beginning of a trailer section.
    held: Vec<u8>,
    /// END_STREAM was sent.
    ended: bool,
}

impl Outflow {
    /// `ended` says that END_STREAM was sent with the head.
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing, ended: bool) -> Self {
        Self {
            stream,
            decoder: Decoder::new(framing),
            waiting: Bytes::new(),
            held: Vec::new(),
            ended,
        }
    }

    /// Takes some of what is to be written, once everything before it is on
    /// its way.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        if self.ended {
            // Behind the end of a message there is nothing.
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let taken = if self.held.is_empty() {
            self.decode(input)?
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.extend_from_slice(input);
            self.decode(&whole)?;
            input.len()
        };
        // What there is room for leaves at once; for the rest somebody flushes.
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    /// Ready once the stream's window has taken everything.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            self.stream.reserve_capacity(self.waiting.len());
            let room = match self.stream.capacity() {
                0 => match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(0)) => continue,
                    Some(room) => room.map_err(broken)?,
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                room => room,
            };
            let data = self.waiting.split_to(room.min(self.waiting.len()));
            let last = self.waiting.is_empty() && self.decoder.is_done();
            self.stream.send_data(data, last).map_err(broken)?;
            self.ended = last;
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing follows.
    ///
    /// # Errors
    /// If something had to follow.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.decoder
            .end_of_input()
            .map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.end(None)
    }

    /// Lets the peer know that the message is not whole, unless it is.
    pub(super) fn cut(&mut self) {
        if !self.ended {
            self.stream.send_reset(CUT);
        }
    }

    /// Ready with an error once the peer wants no more of it.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let reset = ready!(self.stream.poll_reset(cx));
        Poll::Ready(reset.map_or_else(broken, |_| io::ErrorKind::ConnectionReset.into()))
    }

    fn decode(&mut self, input: &[u8]) -> io::Result<usize> {
        let decoded = self.decoder.decode(input);
        let (taken, event) = decoded.map_err(|_| io::ErrorKind::InvalidData)?;
        match event {
            Event::Data(data) => self.waiting = Bytes::copy_from_slice(data),
            Event::End(lines) => {
                let trailers = trailers(lines)?;
                self.end((!trailers.is_empty()).then_some(trailers))?;
            }
            Event::More => {
                self.held.extend_from_slice(&input[taken..]);
                return Ok(input.len());
            }
        }
        Ok(taken)
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        match trailers {
            Some(trailers) => self.stream.send_trailers(trailers),
            None => self.stream.send_data(Bytes::new(), true),
        }
        .map_err(broken)
    }
}

fn trailers(lines: &[u8]) -> io::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    if lines.is_empty() {
        return Ok(map);
    }
    let section = [lines, b"\r\n"].concat();
    let mut storage = [Field {
        name: "",
        value: &[],
    }; MAX_FIELDS];
    let invalid = |_| io::ErrorKind::InvalidData;
    for trailer in field::parse_section(&section, &mut storage).map_err(invalid)? {
        let name = HeaderName::from_bytes(trailer.name.as_bytes());
        let value = HeaderValue::from_bytes(trailer.value);
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    Ok(map)
}
