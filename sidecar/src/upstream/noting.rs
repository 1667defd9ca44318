//! A connection that remembers why it broke.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

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

impl<I: AsyncRead + Unpin> Noting<I> {
    /// A provider that refuses and closes at once makes our writing fail before
    /// what it said could be read: such a failure waits until it has been.
    fn explained<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if !matches!(outcome, Poll::Ready(Err(_))) {
            return outcome;
        }
        loop {
            let mut storage = [0; 1024];
            let mut unread = ReadBuf::new(&mut storage);
            let read = ready!(Pin::new(&mut *self).poll_read(cx, &mut unread));
            if read.is_err() || unread.filled().is_empty() {
                return outcome;
            }
        }
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

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Noting<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        input: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, input);
        self.explained(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        inputs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, inputs);
        self.explained(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.explained(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use rustls::AlertDescription;

    use super::*;

    /// A connection that is broken already, with an alert on its way.
    struct Refusing {
        arrived: bool,
    }

    impl AsyncRead for Refusing {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.arrived {
                return Poll::Pending;
            }
            let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
            Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, alert)))
        }
    }

    impl AsyncWrite for Refusing {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_refusal_is_noted_though_writing_fails_first() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut io, refused) = Noting::new(Refusing { arrived: false });
        assert!(Pin::new(&mut io).poll_write(&mut cx, b"x").is_pending());
        io.io.arrived = true;
        let Poll::Ready(Err(error)) = Pin::new(&mut io).poll_write(&mut cx, b"x") else {
            panic!("written");
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(refused.load(Ordering::Relaxed));
    }
}
