//! A connection that remembers why it broke.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use credence_net::handshake::refuses_client_certificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Notes that the provider has refused our certificate, which the errors of
/// HTTP/2 do not tell from other failures.
pub(super) struct Noting<I> {
    io: I,
    refused: Arc<AtomicBool>,
}

impl<I> Noting<I> {
    /// Also returns where it is noted.
    pub(super) fn new(io: I) -> (Self, Arc<AtomicBool>) {
        let refused = Arc::<AtomicBool>::default();
        let noted = Arc::clone(&refused);
        (Self { io, refused }, noted)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noting<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, out);
        if let Poll::Ready(Err(error)) = &read
            && refuses_client_certificate(error)
        {
            self.refused.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noting<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, input)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        inputs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, inputs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
