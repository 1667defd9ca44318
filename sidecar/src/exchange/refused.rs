//! An exchange whose answer refuses the token it was made with.

use std::sync::Arc;
use std::task::Context;

use super::{Download, Exchange, Request, Upload};
use crate::authorized::Authorized;
use crate::destination::Destination;
use crate::entrance::Entrance;
use crate::http1::{FieldStorage, Framing, HeadScan, ResponseHead};
use crate::upstream::Connection;

/// Nothing of the answer was passed on; it is all here, or still to come.
#[derive(Debug)]
pub(crate) struct Refused(Exchange);

impl Exchange {
    /// Whether the same call can be made once more: nothing of it is missing,
    /// and it was not made twice.
    pub(super) fn is_replayable(&self) -> bool {
        let Some(replay) = &self.request.replay else {
            return false;
        };
        let has_body = replay.has_body()
            || self.request.framing == Framing::None
            || self.upload.has_whole_copy();
        self.upload_state == Upload::Ended && has_body
    }
}

impl Refused {
    /// An exchange that has just read the answer's head, and left it there.
    pub(super) fn new(mut exchange: Exchange) -> Self {
        exchange.download = Download::Head(HeadScan::default());
        Self(exchange)
    }

    /// The answer is the caller's.
    pub(crate) fn accept(mut self) -> Exchange {
        self.0.request.replay = None;
        self.0
    }

    /// The same call to another destination; none where that does not take it.
    pub(crate) fn authorize(
        &mut self,
        entrance: &Entrance,
        names: &[String],
        destination: Arc<Destination>,
    ) -> Option<Authorized> {
        let copy = self.0.upload.take_copy();
        let replay = self.0.request.replay.as_ref()?;
        replay.authorize(copy, entrance, names, destination)
    }

    /// Whether the caller would go on with another protocol.
    pub(crate) fn upgrades(&self) -> bool {
        self.0.request.upgrade.is_some()
    }

    /// Whether the whole answer is here, and the connection open, so that it can
    /// be used again: the provider may have closed it while a token was waited
    /// for.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let to_head = self.0.request.to_head;
        let active = &mut self.0.active;
        if active.is_stream() {
            return false;
        }
        let bytes = active.side().inbound.bytes();
        let Ok(Some(length)) = HeadScan::default().advance(bytes) else {
            return false;
        };
        let mut storage = FieldStorage::new();
        let Ok(head) = ResponseHead::parse(&bytes[..length], to_head, &mut storage) else {
            return false;
        };
        let rest = (bytes.len() - length) as u64;
        let whole = match head.framing {
            Framing::None => rest == 0,
            Framing::Length(length) => rest == length,
            Framing::Chunked | Framing::UntilClose => false,
        };
        whole && !head.close && active.is_quiet(cx)
    }

    /// Throws an answer away that is over, and frees its connection.
    pub(crate) fn end(mut self) -> (Connection, Request) {
        let inbound = &mut self.0.active.side().inbound;
        let length = inbound.bytes().len();
        inbound.consume(length);
        inbound.release();
        (self.0.active.into_connection(), again(self.0.request))
    }

    /// The request, to be sent elsewhere.
    pub(crate) fn into_request(self) -> Request {
        again(self.0.request)
    }
}

/// The request whose body is sent with its head, and which is not sent a
/// third time.
fn again(request: Request) -> Request {
    Request {
        framing: Framing::None,
        replay: None,
        ..request
    }
}
