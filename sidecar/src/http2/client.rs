//! A connection to a provider, shared by as many calls as it has streams for.

mod stream;
mod windows;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

pub(crate) use stream::Stream;
pub(crate) use windows::{Size, Windows};

use super::{ERROR_RESETS, MOST_HEADERS, PENDING_RESETS, RESET_STREAMS, SEND_BUFFER, keepalive};
use crate::budget::Reserved;
use crate::metrics::OpenConnection;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    send: SendRequest<Bytes>,
    size: Size,
    life: Arc<Life>,
}

/// What a connection, its streams and its task know of each other.
#[derive(Debug)]
struct Life {
    streams: AtomicUsize,
    heard: Arc<AtomicBool>,
    unused_since: Mutex<Instant>,
}

/// Counts one stream for as long as it lives, and keeps memory for what may
/// wait on it.
#[derive(Debug)]
struct Place {
    life: Arc<Life>,
    _window: Reserved,
}

impl Connection {
    /// Begins to speak HTTP/2, once the provider has said how many streams it
    /// allows: before that, calls could get stuck behind one another.
    ///
    /// # Errors
    /// If the provider does not speak it after all.
    pub(crate) async fn open<I>(io: I, size: Size, counted: OpenConnection) -> io::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (send, mut connection) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(0)
            .initial_window_size(size.stream)
            .initial_connection_window_size(size.connection())
            .max_header_list_size(MOST_HEADERS)
            .max_send_buffer_size(SEND_BUFFER)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .max_local_error_reset_streams(Some(ERROR_RESETS))
            .handshake::<_, Bytes>(io)
            .await
            .map_err(super::broken)?;
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(super::broken(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let life = Arc::new(Life {
            streams: AtomicUsize::new(0),
            heard: Arc::default(),
            unused_since: Mutex::new(Instant::now()),
        });
        let pings = connection.ping_pong();
        let known = Arc::clone(&life);
        // It ends with the last stream after the pool has forgotten it, or
        // when the provider is gone.
        tokio::spawn(async move {
            let _counted = counted;
            let needed = || known.streams.load(Ordering::Relaxed) > 0;
            let lost = async {
                match pings {
                    Some(pings) => keepalive::lost(pings, &known.heard, needed).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // What went wrong is known to the streams it went wrong for.
                _ = connection => {}
                () = lost => {}
            }
        });
        Ok(Self { send, size, life })
    }

    /// A stream, unless the connection has no more or takes none, or there is
    /// no memory for one of these.
    pub(crate) fn stream(&self) -> Option<Stream> {
        self.stream_with(self.size.take()?)
    }

    /// The same, where there is memory.
    pub(crate) fn stream_with(&self, window: Reserved) -> Option<Stream> {
        let mut send = self.send.clone();
        if !is_open(&mut send) {
            return None;
        }
        let most = send
            .current_max_send_streams()
            .min(self.size.streams as usize);
        let streams = &self.life.streams;
        let taken = streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, |streams| {
            (streams < most).then_some(streams + 1)
        });
        taken.ok()?;
        let place = Place {
            life: Arc::clone(&self.life),
            _window: window,
        };
        Some(Stream::new(send, place))
    }

    /// Whether it takes no more streams, or had none for so long.
    pub(crate) fn is_over(&self, unused: Duration) -> bool {
        let since = self.life.unused_since.lock();
        let since = *since.unwrap_or_else(PoisonError::into_inner);
        let streams = self.life.streams.load(Ordering::Acquire);
        !is_open(&mut self.send.clone()) || (streams == 0 && since.elapsed() >= unused)
    }
}

/// Whether the provider has neither gone nor said that it will.
fn is_open(send: &mut SendRequest<Bytes>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(send.poll_ready(&mut cx), Poll::Ready(Ok(())))
}

impl Drop for Place {
    fn drop(&mut self) {
        let unused_since = self.life.unused_since.lock();
        *unused_since.unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.life.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// A connection to a provider that allows so many streams.
    async fn connection(most: u32) -> Connection {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let mut settings = h2::server::Builder::new();
            settings.max_concurrent_streams(most);
            let mut provider = settings.handshake::<_, Bytes>(far).await.unwrap();
            while provider.accept().await.is_some() {}
        });
        let counted = Metrics::default().open_connection();
        let (size, _) = Windows::default().take().unwrap();
        Connection::open(near, size, counted).await.unwrap()
    }

    #[tokio::test]
    async fn there_are_as_many_streams_as_both_sides_want() {
        for (allowed, expected) in [(2, 2), (1000, 64)] {
            let connection = connection(allowed).await;
            let mut streams: Vec<_> = std::iter::from_fn(|| connection.stream()).collect();
            assert_eq!(streams.len(), expected);
            streams.pop();
            assert!(connection.stream().is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_over_when_nobody_has_used_it_for_long() {
        const LONG: Duration = Duration::from_secs(50);
        let connection = connection(10).await;
        let stream = connection.stream();
        tokio::time::advance(2 * LONG).await;
        assert!(!connection.is_over(LONG));
        drop(stream);
        tokio::time::advance(LONG / 2).await;
        assert!(!connection.is_over(LONG));
        tokio::time::advance(LONG / 2).await;
        assert!(connection.is_over(LONG));
    }

    #[tokio::test]
    async fn a_provider_that_does_not_speak_it_is_an_error() {
        let (near, far) = tokio::io::duplex(64 * 1024);
        drop(far);
        let counted = Metrics::default().open_connection();
        let (size, _) = Windows::default().take().unwrap();
        assert!(Connection::open(near, size, counted).await.is_err());
    }
}
