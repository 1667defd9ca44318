//! A caller's connection that speaks HTTP/2.

mod stream;
mod windows;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::{future, io};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use stream::Stream;
pub(crate) use windows::ALL_TOGETHER;
use windows::Windows;

use super::{
    ERROR_RESETS, MOST_HEADERS, PENDING_RESETS, RESET_STREAMS, SEND_BUFFER, keepalive, request,
};
use crate::buffer::Side;
use crate::connection::{Connection, LINGER, LINGER_BYTES};
use crate::entrance::Entrance;
use crate::http1::Version;
use crate::problem::{AnswerForm, Problem};
use crate::session::OpenSession;
use crate::shared::Shared;
use crate::slug::Slug;

/// What a connection of HTTP/2 begins with looks like a head (RFC 9113 §3.4);
/// the six bytes after it are read together with the first frames.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Calls at one time of one connection.
const MOST_STREAMS: u32 = 100;

/// Answers calls until one side has had enough.
pub(crate) async fn serve(client: &mut Side<TcpStream>, entrance: &Entrance, shared: &Arc<Shared>) {
    let timeouts = shared.settings.timeouts;
    let opening = Builder::new()
        .max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(windows::STREAM)
        .initial_connection_window_size(windows::CONNECTION)
        .max_header_list_size(MOST_HEADERS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(ERROR_RESETS))
        .handshake::<_, Bytes>(Rewound(client));
    let Ok(Ok(mut connection)) = timeout(timeouts.head, opening).await else {
        return;
    };
    let heard = Arc::<AtomicBool>::default();
    let windows = Windows::of(&shared.windows);
    let pings = connection.ping_pong();
    let lost = async {
        match pings {
            // Also between calls: a head that does not end ends so.
            Some(pings) => keepalive::lost(pings, &heard, || true).await,
            None => future::pending().await,
        }
    };
    let drained = shared.drained();
    let idle = sleep(timeouts.idle);
    tokio::pin!(lost, drained, idle);
    let mut streams = JoinSet::new();
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            () = &mut drained, if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
            }
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    heard.store(true, Ordering::Relaxed);
                    start(&mut streams, request, respond, entrance, shared, &heard, &windows);
                }
                Some(Err(_)) | None => return,
            },
            Some(ended) = streams.join_next() => {
                report(ended);
                idle.as_mut().reset(Instant::now() + timeouts.idle);
            }
            () = &mut idle, if streams.is_empty() && !leaving => {
                leaving = true;
                connection.graceful_shutdown();
            }
            () = &mut lost => return,
        }
    }
}

fn start(
    streams: &mut JoinSet<()>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    entrance: &Entrance,
    shared: &Arc<Shared>,
    heard: &Arc<AtomicBool>,
    windows: &Arc<Windows>,
) {
    let (request, body) = request.into_parts();
    let to_head = request.method == http::Method::HEAD;
    let received = request::receive(&request, body.is_end_stream());
    let session = shared.sessions.open(shared.settings.max_connections);
    let (received, problem) = match (received, &session) {
        (Ok(received), Some(_)) => (received, None),
        (Ok(received), None) => (received, Some(overloaded())),
        (Err(problem), _) => (request::Received::default(), Some(problem)),
    };
    let Some(window) = windows.open(received.framing) else {
        // Until an answer has been read, more of the body would come.
        respond.send_reset(Reason::REFUSED_STREAM);
        let code = Slug::Overloaded.code();
        shared.count(None, request.method.as_str(), code);
        return;
    };
    let heard = Arc::clone(heard);
    let stream = Stream::new(received, body, respond, to_head, heard, window);
    let Some((session, None)) = session.map(|session| (session, problem.as_ref())) else {
        let problem = problem.unwrap_or_else(overloaded);
        shared.count(None, request.method.as_str(), problem.slug.code());
        streams.spawn(refuse(stream, problem, to_head));
        return;
    };
    // So that a shutdown waits for it from now on.
    session.session().begin();
    let known = Arc::clone(session.session());
    let connection = Connection::of_stream(stream, entrance.clone(), session, Arc::clone(shared));
    let task = streams.spawn(connection.answer());
    OpenSession::runs_in(&known, task);
}

fn overloaded() -> Problem {
    Problem::new(
        Slug::Overloaded,
        "Credence holds as many calls as it can: make fewer at a time.",
    )
}

async fn refuse(mut stream: Stream, problem: Problem, to_head: bool) {
    let form = AnswerForm {
        to_head,
        version: Version::Http11,
        close: true,
    };
    let mut answer = Vec::new();
    problem.write(form, &mut answer);
    let telling = async {
        if stream.write_all(&answer).await.is_ok() {
            stream.finish(LINGER_BYTES).await;
        }
    };
    // Whoever does not listen is not told.
    let _ = timeout(LINGER, telling).await;
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a call ended by a panic");
    }
}

/// A connection of which the beginning is read once more.
struct Rewound<'a>(&'a mut Side<TcpStream>);

impl AsyncRead for Rewound<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.inbound.bytes();
        if read.is_empty() {
            return Pin::new(&mut self.0.io).poll_read(cx, out);
        }
        let length = read.len().min(out.remaining());
        out.put_slice(&read[..length]);
        self.0.inbound.consume(length);
        self.0.inbound.release();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.io).poll_write(cx, input)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        inputs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.io).poll_write_vectored(cx, inputs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.io).poll_shutdown(cx)
    }
}
