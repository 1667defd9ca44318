//! Moves one body from the side that sends it to the side that gets it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::body_copy::BodyCopy;
use crate::buffer::Side;
use crate::http1::{BodyError, Decoder, Event, Field, Framing, Known, MAX_FIELDS, chunk, field};
use crate::plan::HeaderPlan;

/// Data up to this size is put behind what is already to be written, so that
/// heads and small bodies are one write; larger data is written from where it
/// was read.
const COPIED: usize = 2 * 1024;

/// What may wait to be written before more is read.
const WAITING: usize = 16 * 1024;

/// One body on its way. Its end is that of the message.
#[derive(Debug)]
pub(crate) struct Pump {
    decoder: Decoder,
    chunked: bool,
    /// Bytes at the front of the inbound buffer that are data to be written.
    direct: usize,
    ended: bool,
    /// For whoever may need the body once more.
    copy: Option<Box<BodyCopy>>,
    /// Bytes were read or written since the last time somebody asked.
    moved: bool,
}

/// Why a body cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Reading failed.
    Source,
    /// What was read is no body.
    Body(BodyError),
    /// Writing failed.
    Sink,
}

impl Pump {
    /// For a body with this framing; `chunked` says whether it is written in
    /// chunks again.
    pub(crate) fn new(framing: Framing, chunked: bool) -> Self {
        Self {
            decoder: Decoder::new(framing),
            chunked,
            direct: 0,
            ended: false,
            copy: None,
            moved: false,
        }
    }

    /// Copies what passes.
    pub(crate) fn copying(self, copy: Option<Box<BodyCopy>>) -> Self {
        Self { copy, ..self }
    }

    /// Whether the body has passed, and a copy of it is here.
    pub(crate) fn has_whole_copy(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.is_whole())
    }

    /// The copy.
    pub(crate) fn take_copy(&mut self) -> Option<Box<BodyCopy>> {
        self.copy.take()
    }

    /// Whether something has happened since the last call.
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Goes on until the body has ended and everything is written, or one
    /// side makes it wait. What was read is written before more is waited for.
    ///
    /// `owned` are the names that a trailer must not have.
    pub(crate) fn poll<A, B>(
        &mut self,
        from: &mut Side<A>,
        to: &mut Side<B>,
        owned: Option<&HeaderPlan>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stuck>>
    where
        A: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            self.render(from, to, owned).map_err(Stuck::Body)?;
            if self.direct > 0 || to.outbound.pending() > 0 {
                let data = &from.inbound.bytes()[..self.direct];
                let written = ready!(to.outbound.poll_write(data, &mut to.io, cx));
                let written = written.map_err(|_| Stuck::Sink)?;
                self.moved = true;
                from.inbound.consume(written);
                self.direct -= written;
                if self.direct == 0 && written > 0 && self.chunked {
                    to.outbound.room().extend_from_slice(chunk::END);
                }
                continue;
            }
            // A side that takes nothing should hold nothing.
            from.inbound.release();
            ready!(Pin::new(&mut to.io).poll_flush(cx)).map_err(|_| Stuck::Sink)?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if ready!(from.poll_fill(cx)).map_err(|_| Stuck::Source)? == 0 {
                self.decoder.end_of_input().map_err(Stuck::Body)?;
            }
            self.moved = true;
        }
    }

    /// Turns what was read into what is to be written.
    fn render<A, B>(
        &mut self,
        from: &mut Side<A>,
        to: &mut Side<B>,
        owned: Option<&HeaderPlan>,
    ) -> Result<(), BodyError> {
        while self.direct == 0 && !self.ended && to.outbound.pending() < WAITING {
            let (taken, event) = self.decoder.decode(from.inbound.bytes())?;
            match event {
                Event::More => {
                    from.inbound.consume(taken);
                    break;
                }
                Event::Data(data) => {
                    if let Some(copy) = &mut self.copy {
                        copy.take(data);
                    }
                    let length = data.len();
                    if self.chunked {
                        chunk::begin(length, to.outbound.room());
                    }
                    if length > COPIED {
                        self.direct = length;
                        from.inbound.consume(taken - length);
                    } else {
                        let room = to.outbound.room();
                        room.extend_from_slice(data);
                        if self.chunked {
                            room.extend_from_slice(chunk::END);
                        }
                        from.inbound.consume(taken);
                    }
                }
                Event::End(trailers) => {
                    if let Some(copy) = &mut self.copy {
                        copy.end(trailers);
                    }
                    if self.chunked {
                        let room = to.outbound.room();
                        room.extend_from_slice(chunk::LAST);
                        write_trailers(trailers, owned, room)?;
                        room.extend_from_slice(b"\r\n");
                    }
                    from.inbound.consume(taken);
                    self.ended = true;
                }
            }
        }
        Ok(())
    }
}

/// Passes on the trailers that may be one (RFC 9110 §6.5.1): not what says how
/// the message is read, routed or authenticated, not what an answer's head
/// could hold of a credential, and nothing that the collection sets itself.
fn write_trailers(
    lines: &[u8],
    owned: Option<&HeaderPlan>,
    out: &mut Vec<u8>,
) -> Result<(), BodyError> {
    const FORBIDDEN: [&str; 14] = [
        "authorization",
        "cache-control",
        "content-encoding",
        "content-location",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "link",
        "location",
        "range",
        "refresh",
        "set-cookie",
        "www-authenticate",
    ];
    if lines.is_empty() {
        return Ok(());
    }
    let section = [lines, b"\r\n"].concat();
    let mut storage = [Field {
        name: "",
        value: &[],
    }; MAX_FIELDS];
    let fields = field::parse_section(&section, &mut storage).map_err(|_| BodyError::Trailers)?;
    for trailer in fields {
        let forbidden = Known::of(trailer.name).is_some_and(Known::is_ours)
            || FORBIDDEN
                .iter()
                .any(|name| name.eq_ignore_ascii_case(trailer.name))
            || owned.is_some_and(|plan| plan.on_conflict(trailer.name).is_some());
        if !forbidden {
            field::write(trailer.name, trailer.value, out);
        }
    }
    Ok(())
}
