//! A connection to a provider, before an exchange and while there is one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::coop::unconstrained;

use super::Transport;
use crate::authorized::Authorized;
use crate::buffer::{Outbound, Side};
use crate::destination::Destination;
use crate::http2;
use crate::metrics::OpenConnection;

/// An open connection with no exchange on it. The only thing that can be done
/// with it is to send a request that has its credential.
#[derive(Debug)]
pub(crate) struct Connection {
    side: Box<Side<Transport>>,
    /// None for a stream: its connection is counted.
    counted: Option<OpenConnection>,
}

impl Connection {
    /// One that carries one exchange at a time.
    pub(super) fn of_its_own(io: Transport, counted: OpenConnection) -> Self {
        Self {
            side: Box::new(Side::new(io)),
            counted: Some(counted),
        }
    }

    /// A place on one that carries many.
    pub(super) fn of_stream(stream: http2::client::Stream) -> Self {
        Self {
            side: Box::new(Side::new(Transport::Http2(Box::new(stream)))),
            counted: None,
        }
    }

    /// Whether it is one of many streams, which the provider may refuse.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.side.io, Transport::Http2(_))
    }

    /// Begins an exchange.
    pub(crate) fn send(mut self, request: Authorized) -> Active {
        let destination = Arc::clone(request.destination());
        let (trailers, has_token) = (request.takes_trailers(), request.has_token());
        self.side.outbound = Outbound::new(request.into_wire());
        self.active(destination, trailers, has_token)
    }

    fn active(mut self, destination: Arc<Destination>, trailers: bool, has_token: bool) -> Active {
        if let Transport::Http2(stream) = &mut self.side.io {
            stream.address(Arc::clone(&destination), trailers);
        }
        Active {
            side: self.side,
            counted: self.counted,
            destination,
            trailers,
            has_token,
        }
    }

    /// Whether nothing has arrived since the last answer ended: bytes that
    /// nobody asked for would be taken for the next answer.
    pub(super) fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        is_quiet(&mut self.side, cx) && self.side.inbound.is_empty()
    }
}

/// Whether the provider says nothing now, and has not closed the connection.
fn is_quiet(side: &mut Side<Transport>, cx: &mut Context<'_>) -> bool {
    // Without the runtime's budget, whose end would look like silence.
    let read = unconstrained(poll_fn(|cx| side.poll_fill(cx)));
    matches!(pin!(read).poll(cx), Poll::Pending)
}

/// A connection with an exchange on it.
#[derive(Debug)]
pub(crate) struct Active {
    side: Box<Side<Transport>>,
    counted: Option<OpenConnection>,
    destination: Arc<Destination>,
    trailers: bool,
    has_token: bool,
}

impl Active {
    /// Whether the request has the collection's token.
    pub(crate) fn has_token(&self) -> bool {
        self.has_token
    }

    /// The provider's side, for the rest of the exchange.
    pub(crate) fn side(&mut self) -> &mut Side<Transport> {
        &mut self.side
    }

    /// Whether the provider has said that it did nothing about the request.
    pub(crate) fn is_unprocessed(&self) -> bool {
        match &self.side.io {
            Transport::Http2(stream) => stream.is_unprocessed(),
            Transport::Tls(_) | Transport::Plain(_) => false,
        }
    }

    /// Sends the same request again on another connection, with as much of its
    /// body as was read; none if that is not all in memory any more.
    pub(crate) fn retry_on(mut self, mut other: Connection) -> Option<Self> {
        std::mem::swap(&mut other.side.outbound, &mut self.side.outbound);
        let whole = other.side.outbound.rewind();
        whole.then(|| other.active(self.destination, self.trailers, self.has_token))
    }

    /// Whether it is one of many streams.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.side.io, Transport::Http2(_))
    }

    /// Whether the provider says no more for now, and has not closed the
    /// connection.
    pub(crate) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        is_quiet(&mut self.side, cx)
    }

    /// Ends an exchange of which nothing is left to be read or written.
    pub(crate) fn into_connection(mut self) -> Connection {
        self.side.outbound.release();
        Connection {
            side: self.side,
            counted: self.counted,
        }
    }

    /// Ends an exchange whose answer has ended cleanly; none if the provider
    /// has sent more than that, or the connection is not ours alone.
    pub(crate) fn finish(self) -> Option<Connection> {
        let connection = self.into_connection();
        (connection.side.inbound.is_empty() && !connection.is_stream()).then_some(connection)
    }
}
