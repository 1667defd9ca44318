//! One client connection: a request, its answer, the next request.

mod again;
mod call;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::buffer::Side;
use crate::deadline::Deadline;
use crate::decision::Decision;
use crate::entrance::Entrance;
use crate::http1::{HeadError, HeadScan, Version};
use crate::http2::server;
use crate::line::Line;
use crate::problem::{AnswerForm, Problem};
use crate::session::OpenSession;
use crate::shared::Shared;
use crate::slug::Slug;

/// How long, and how much of, what a client goes on sending is read and thrown
/// away after an answer that it may not have seen: closing at once would reset
/// the connection and take the answer with it.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
pub(crate) const LINGER_BYTES: usize = 1024 * 1024;

/// A client's connection and everything that lasts longer than a request.
#[derive(Debug)]
pub(crate) struct Connection<L: Line> {
    client: Side<L>,
    entrance: Entrance,
    /// Nothing has been read from it that was not HTTP/2.
    fresh: bool,
    deadline: Deadline,
    /// The authority that the client called, of the current request.
    host: Vec<u8>,
    /// An answer may have begun that has not ended.
    answering: bool,
    session: OpenSession,
    shared: Arc<Shared>,
}

/// What to do with the connection after a request.
enum Next {
    Again,
    /// It speaks HTTP/2.
    Http2,
    Close,
    /// Say no more, but let the client read what was said.
    Linger,
    /// Let the client know that the answer is not whole.
    Cut,
}

/// What became of waiting for a head.
enum Arrival {
    Head(usize),
    Refused(HeadError),
    /// Too much of other heads is here already.
    Crowded,
    Late,
    Gone,
}

impl Connection<TcpStream> {
    pub(crate) fn new(
        stream: TcpStream,
        entrance: Entrance,
        session: OpenSession,
        shared: Arc<Shared>,
    ) -> Self {
        Self::on(stream, entrance, true, session, shared)
    }

    /// Answers requests in their order until one side has had enough.
    pub(crate) async fn serve(mut self) {
        // Small answers must not wait for the client's acknowledgements. When
        // that cannot be had, they do.
        let _ = self.client.io.set_nodelay(true);
        loop {
            match self.turn().await {
                Next::Again => {}
                Next::Http2 => {
                    return Box::pin(server::serve(
                        &mut self.client,
                        &self.entrance,
                        &self.shared,
                    ))
                    .await;
                }
                Next::Close => return,
                Next::Linger => return self.linger().await,
                // Dropped while it answers.
                Next::Cut => return,
            }
        }
    }
}

impl Connection<server::Stream> {
    pub(crate) fn of_stream(
        stream: server::Stream,
        entrance: Entrance,
        session: OpenSession,
        shared: Arc<Shared>,
    ) -> Self {
        Self::on(stream, entrance, false, session, shared)
    }

    /// Answers the only request.
    pub(crate) async fn answer(mut self) {
        match self.turn().await {
            Next::Again | Next::Linger => {
                // Whoever is not done by then is reset.
                let _ = timeout(LINGER, self.client.io.finish(LINGER_BYTES)).await;
            }
            Next::Http2 | Next::Close | Next::Cut => {}
        }
    }
}

impl<L: Line> Connection<L> {
    fn on(
        line: L,
        entrance: Entrance,
        fresh: bool,
        session: OpenSession,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            client: Side::new(line),
            entrance,
            fresh,
            deadline: Deadline::after(shared.settings.timeouts.idle),
            host: Vec::new(),
            answering: false,
            session,
            shared,
        }
    }

    async fn turn(&mut self) -> Next {
        let length = match self.head().await {
            Arrival::Head(length) if self.is_http2(length) => return Next::Http2,
            Arrival::Head(length) => length,
            Arrival::Gone => return Next::Close,
            Arrival::Late => {
                let problem = Problem::new(
                    Slug::HeadTimeout,
                    "The head of the request did not arrive within ten seconds.",
                );
                return self.refuse(&problem).await;
            }
            Arrival::Crowded => {
                let problem = Problem::new(
                    Slug::Overloaded,
                    "Too many heads of requests are arriving in pieces: send each at once.",
                );
                return self.refuse(&problem).await;
            }
            Arrival::Refused(error) => return self.refuse(&error.into()).await,
        };
        let next = match self.decide(length) {
            Decision::Answered { close } => self.flushed(close).await,
            Decision::Call(authorized, request) => {
                self.call(authorized, request, Instant::now()).await
            }
            Decision::Collect(unfinished, request) => {
                Box::pin(self.collect(unfinished, request)).await
            }
        };
        self.session.session().end();
        next
    }

    /// Whether the connection has just begun, and with HTTP/2.
    fn is_http2(&mut self, length: usize) -> bool {
        let head = &self.client.inbound.bytes()[..length];
        std::mem::take(&mut self.fresh) && head == server::PREFACE
    }

    /// Waits for a whole head; says how long it is.
    async fn head(&mut self) -> Arrival {
        let timeouts = self.shared.settings.timeouts;
        let mut scan = HeadScan::request();
        let mut held = None;
        let mut begun = self.session.session().has_begun();
        let mut hurried = false;
        if is_silence(self.client.inbound.bytes()) {
            self.client.outbound.release();
            self.deadline.set(timeouts.idle);
        }
        poll_fn(|cx| {
            loop {
                if !begun && !is_silence(self.client.inbound.bytes()) {
                    if !self.session.session().begin() {
                        return Poll::Ready(Arrival::Gone);
                    }
                    begun = true;
                }
                match scan.advance(self.client.inbound.bytes()) {
                    Err(error) => return Poll::Ready(Arrival::Refused(error)),
                    Ok(Some(length)) => return Poll::Ready(Arrival::Head(length)),
                    // Only a head that comes in pieces has to hurry.
                    Ok(None) if begun && !hurried => {
                        self.deadline.set(timeouts.head);
                        hurried = true;
                    }
                    Ok(None) => {}
                }
                if begun {
                    let held = held.get_or_insert_with(|| self.shared.heads.reserve());
                    if !held.grow_to(self.client.inbound.held()) {
                        return Poll::Ready(Arrival::Crowded);
                    }
                }
                match self.client.poll_fill(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Arrival::Gone),
                    // It was busy when the idle ones were closed.
                    Poll::Pending if !begun && self.shared.is_draining() => {
                        return Poll::Ready(Arrival::Gone);
                    }
                    Poll::Pending => {
                        ready!(self.deadline.poll_passed(cx));
                        return Poll::Ready(if begun { Arrival::Late } else { Arrival::Gone });
                    }
                }
            }
        })
        .await
    }

    /// Decides on the request whose head is at the front of the inbound
    /// buffer, and takes it out of there.
    fn decide(&mut self, length: usize) -> Decision {
        let head = &self.client.inbound.bytes()[..length];
        let out = self.client.outbound.room();
        let decision = Decision::of(head, &self.entrance, &self.shared, &mut self.host, out);
        let destination = match &decision {
            Decision::Call(authorized, _) => Some(authorized.destination()),
            Decision::Collect(unfinished, _) => Some(unfinished.destination()),
            Decision::Answered { .. } => None,
        };
        if let Some(destination) = destination {
            self.session.session().call(destination.lineage);
        }
        self.client.inbound.consume(length);
        decision
    }

    /// Answers what is no request.
    async fn refuse(&mut self, problem: &Problem) -> Next {
        let form = AnswerForm {
            to_head: false,
            version: Version::Http11,
            close: true,
        };
        self.shared.count(None, "", problem.slug.code());
        problem.write(form, self.client.outbound.room());
        self.flushed(true).await
    }

    async fn flushed(&mut self, close: bool) -> Next {
        self.deadline.set(self.shared.settings.timeouts.idle);
        let written = poll_fn(|cx| match self.client.poll_flush(cx) {
            Poll::Ready(written) => Poll::Ready(written.is_ok()),
            Poll::Pending => self.deadline.poll_passed(cx).map(|()| false),
        });
        match (written.await, close) {
            (false, _) => Next::Close,
            (true, true) => Next::Linger,
            (true, false) => Next::Again,
        }
    }

    async fn linger(mut self) {
        if self.client.io.shutdown().await.is_err() {
            return;
        }
        self.deadline.set(LINGER);
        let mut read = 0;
        poll_fn(|cx| {
            while read < LINGER_BYTES {
                let length = self.client.inbound.bytes().len();
                self.client.inbound.consume(length);
                match self.client.poll_fill(cx) {
                    Poll::Ready(Ok(length @ 1..)) => read += length,
                    Poll::Ready(Ok(0) | Err(_)) => break,
                    Poll::Pending => return self.deadline.poll_passed(cx),
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl<L: Line> Drop for Connection<L> {
    /// However the task ends, a part of an answer must not pass for the whole,
    /// not even of one that lasts until the connection ends.
    fn drop(&mut self) {
        if self.answering {
            self.client.io.cut();
        }
    }
}

/// Whether a caller has not begun to ask. Some end a body with an empty line
/// that does not belong to it (RFC 9112 §2.2).
fn is_silence(received: &[u8]) -> bool {
    matches!(received, b"" | b"\r" | b"\r\n")
}
