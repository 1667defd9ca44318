//! One call, as the exchange knows it: it writes a request of HTTP/1.1 and
//! reads an answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Place;
use crate::destination::Destination;
use crate::http1::{Framing, HeadScan};
use crate::http2::inflow::Inflow;
use crate::http2::outflow::Outflow;
use crate::http2::{broken, request, response};

/// What a provider is asked on one stream. Its `Debug` shows nothing of it.
pub(crate) struct Stream {
    up: Up,
    down: Down,
    /// What is to be read before anything else.
    head: Bytes,
    unprocessed: bool,
    send: SendRequest<Bytes>,
    /// Given back last, when the stream is no more.
    place: Place,
}

enum Up {
    /// Nothing can be sent for anybody yet.
    Unaddressed,
    Head {
        destination: Arc<Destination>,
        trailers: bool,
        scan: HeadScan,
        bytes: Vec<u8>,
    },
    Body(Outflow),
    Failed,
}

enum Down {
    /// There is no request yet.
    Silent,
    Waiting {
        response: ResponseFuture,
        to_head: bool,
    },
    Body(Inflow),
    Failed,
}

impl Stream {
    pub(super) fn new(send: SendRequest<Bytes>, place: Place) -> Self {
        Self {
            send,
            place,
            up: Up::Unaddressed,
            down: Down::Silent,
            head: Bytes::new(),
            unprocessed: false,
        }
    }

    /// Says whose request will be written, and whether the caller takes
    /// trailers.
    pub(crate) fn address(&mut self, destination: Arc<Destination>, trailers: bool) {
        self.up = Up::Head {
            destination,
            trailers,
            scan: HeadScan::default(),
            bytes: Vec::new(),
        };
    }

    /// Whether the provider has said that it did nothing about the request
    /// (RFC 9113 §8.7), or never got it.
    pub(crate) fn is_unprocessed(&self) -> bool {
        self.unprocessed
    }

    fn failed(&mut self, error: h2::Error) -> io::Error {
        // Of those that a GOAWAY ends, only they are told so that it does not
        // count among the processed.
        self.unprocessed |= error.is_remote()
            && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        broken(error)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, input: &[u8]) -> Poll<io::Result<usize>> {
        if let Err(error) = ready!(self.send.poll_ready(cx)) {
            // It was on its way out of the pool.
            self.unprocessed = true;
            return Poll::Ready(Err(broken(error)));
        }
        let Up::Head {
            destination,
            trailers,
            scan,
            bytes,
        } = &mut self.up
        else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let before = bytes.len();
        bytes.extend_from_slice(input);
        let scanned = scan.advance(bytes);
        let Some(length) = scanned.map_err(|_| io::ErrorKind::InvalidData)? else {
            return Poll::Ready(Ok(input.len()));
        };
        let sent = request::send(&bytes[..length], destination, *trailers)?;
        let to_head = sent.request.method() == http::Method::HEAD;
        let ended = matches!(sent.framing, Framing::None | Framing::Length(0));
        match self.send.send_request(sent.request, ended) {
            Ok((response, stream)) => {
                self.up = Up::Body(Outflow::new(stream, sent.framing, ended));
                self.down = Down::Waiting { response, to_head };
            }
            Err(error) => {
                self.unprocessed = true;
                return Poll::Ready(Err(broken(error)));
            }
        }
        if sent.expects && !ended {
            self.head = Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        Poll::Ready(Ok(length - before))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Down::Waiting { response, to_head } = &mut self.down else {
            return Poll::Ready(Ok(()));
        };
        let answer = match ready!(Pin::new(response).poll(cx)) {
            Ok(answer) => answer,
            Err(error) => return Poll::Ready(Err(self.failed(error))),
        };
        let (parts, body) = answer.into_parts();
        let (head, framing) = response::receive(&parts, body.is_end_stream(), *to_head);
        self.head = head.into();
        let heard = Arc::clone(&self.place.life.heard);
        heard.store(true, std::sync::atomic::Ordering::Relaxed);
        self.down = Down::Body(Inflow::new(body, framing, heard));
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.head.is_empty() {
                let length = this.head.len().min(out.remaining());
                out.put_slice(&this.head.split_to(length));
                return Poll::Ready(Ok(()));
            }
            match &mut this.down {
                // Whoever writes is woken first.
                Down::Silent => return Poll::Pending,
                Down::Waiting { .. } => {
                    if let Err(error) = ready!(this.poll_answer(cx)) {
                        this.down = Down::Failed;
                        return Poll::Ready(Err(error));
                    }
                }
                Down::Body(inflow) => return inflow.poll_read(cx, out),
                Down::Failed => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.up {
            Up::Unaddressed | Up::Failed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Up::Body(outflow) => outflow.poll_write(cx, input),
            Up::Head { .. } => {
                let sent = ready!(self.poll_send(cx, input));
                if sent.is_err() {
                    self.up = Up::Failed;
                    self.down = Down::Failed;
                }
                Poll::Ready(sent)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.up {
            Up::Body(outflow) => outflow.poll_flush(cx),
            Up::Unaddressed | Up::Head { .. } | Up::Failed => Poll::Ready(Ok(())),
        }
    }

    /// The end of a request is in its framing.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
