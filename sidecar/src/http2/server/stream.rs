//! One call of a caller, as the connection knows it: it reads a request of
//! HTTP/1.1 and writes an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::windows::Window;
use crate::http1::{Framing, HeadScan};
use crate::http2::inflow::Inflow;
use crate::http2::outflow::Outflow;
use crate::http2::request::Received;
use crate::http2::{CUT, broken, response};
use crate::line::Line;

/// What a caller asks on one stream. Its `Debug` shows nothing of it.
pub(crate) struct Stream {
    head: Bytes,
    body: Inflow,
    /// As long as there can be more of it.
    window: Option<Window>,
    /// He waits for an interim answer before he sends the body.
    expects: bool,
    to_head: bool,
    down: Down,
}

enum Down {
    Head {
        respond: SendResponse<Bytes>,
        scan: HeadScan,
        bytes: Vec<u8>,
    },
    Body(Outflow),
}

impl Stream {
    pub(super) fn new(
        received: Received,
        body: RecvStream,
        respond: SendResponse<Bytes>,
        to_head: bool,
        heard: Arc<AtomicBool>,
        window: Window,
    ) -> Self {
        Self {
            head: received.head.into(),
            body: Inflow::new(body, received.framing, heard),
            window: Some(window),
            expects: received.expects,
            to_head,
            down: Down::Head {
                respond,
                scan: HeadScan::default(),
                bytes: Vec::new(),
            },
        }
    }

    /// Ends the answer, and waits until the caller has ended or given up the
    /// request: some lose an answer to a reset that comes right after it. Of
    /// what is still sent, so much is read.
    pub(crate) async fn finish(&mut self, most: usize) {
        // A caller who is gone does not need the end.
        let _ = self.shutdown().await;
        let mut read = 0;
        poll_fn(|cx| {
            let mut scratch = [0; 4 * 1024];
            while !self.body.is_ended() && read < most {
                let mut out = ReadBuf::new(&mut scratch);
                if ready!(self.body.poll_read(cx, &mut out)).is_err() {
                    return Poll::Ready(());
                }
                read += out.filled().len();
            }
            match self.body.is_ended() {
                true => Poll::Ready(()),
                false => self.poll_gone(cx).map(drop),
            }
        })
        .await;
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match &mut self.down {
            Down::Head { respond, .. } => {
                let reset = ready!(respond.poll_reset(cx));
                Poll::Ready(reset.map_or_else(broken, |_| io::ErrorKind::ConnectionReset.into()))
            }
            Down::Body(outflow) => outflow.poll_reset(cx),
        }
    }

    /// Takes some of the head of an answer; sends it when it is whole.
    fn write_head(&mut self, input: &[u8]) -> io::Result<usize> {
        let Down::Head {
            respond,
            scan,
            bytes,
        } = &mut self.down
        else {
            return Ok(0);
        };
        let before = bytes.len();
        bytes.extend_from_slice(input);
        let scanned = scan.advance(bytes);
        let Some(length) = scanned.map_err(|_| io::ErrorKind::InvalidData)? else {
            return Ok(input.len());
        };
        let sent = response::send(&bytes[..length], self.to_head)?;
        if sent.interim {
            // The only one that anybody waits for is said here.
            *scan = HeadScan::default();
            bytes.clear();
        } else {
            let ended = matches!(sent.framing, Framing::None | Framing::Length(0));
            let stream = respond.send_response(sent.response, ended);
            let stream = stream.map_err(broken)?;
            self.down = Down::Body(Outflow::new(stream, sent.framing, ended));
        }
        Ok(length - before)
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
        if !this.head.is_empty() {
            let length = this.head.len().min(out.remaining());
            out.put_slice(&this.head.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if std::mem::take(&mut this.expects)
            && let Down::Head { respond, .. } = &mut this.down
        {
            // Whoever reads on has not refused the call.
            let mut go_on = Response::new(());
            *go_on.status_mut() = StatusCode::CONTINUE;
            respond.send_informational(go_on).map_err(broken)?;
        }
        let before = out.filled().len();
        ready!(this.body.poll_read(cx, out))?;
        if this.body.is_ended() {
            this.window = None;
        }
        if out.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        // A caller who has said everything is still there.
        this.poll_gone(cx).map(Err)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.down {
            Down::Head { .. } => Poll::Ready(self.write_head(input)),
            Down::Body(outflow) => outflow.poll_write(cx, input),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.down {
            Down::Head { .. } => Poll::Ready(Ok(())),
            Down::Body(outflow) => outflow.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.down {
            Down::Head { .. } => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Down::Body(outflow) => {
                ready!(outflow.poll_flush(cx))?;
                Poll::Ready(outflow.finish())
            }
        }
    }
}

impl Line for Stream {
    fn cut(&mut self) {
        match &mut self.down {
            Down::Head { respond, .. } => respond.send_reset(CUT),
            Down::Body(outflow) => outflow.cut(),
        }
    }
}
