//! A body whose pieces a test sends one by one.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use credence_core::wire::Event;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) struct Pieces(UnboundedReceiver<Bytes>);

/// The sending end; dropping it ends the body.
pub(crate) struct Sender(UnboundedSender<Bytes>);

pub(crate) fn pieces() -> (Sender, Pieces) {
    let (sender, receiver) = unbounded_channel();
    (Sender(sender), Pieces(receiver))
}

impl Sender {
    pub(crate) fn event(&self, event: &Event) {
        self.bytes(&event.encode().unwrap());
    }

    pub(crate) fn bytes(&self, bytes: &[u8]) {
        self.0.send(Bytes::copy_from_slice(bytes)).unwrap();
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
