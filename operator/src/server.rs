//! One accept loop for everything that is served over TLS.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use crate::arrivals::Arrivals;
use crate::shares::Share;
use crate::shutdown::Shutdown;

/// Protocol identifier of HTTP/2 (RFC 9113 §3.2).
pub const HTTP2: &[u8] = b"h2";
/// Protocol identifier of HTTP/1.1 (RFC 7301 §6).
pub const HTTP1: &[u8] = b"http/1.1";

/// A peer that has not finished its handshake by then is not one of ours.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time for the head of an HTTP/1.1 request, idle time included.
const HEAD: Duration = Duration::from_secs(90);
/// A peer that does not answer an HTTP/2 ping within this time is gone.
const PING: Duration = Duration::from_secs(20);
/// What a peer may send of a body, and of all bodies of its connection, before
/// somebody reads it (RFC 9113 §6.9.2): it has to be kept.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// Time that requests in flight get when their connection is to end.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after an accept failed, which happens when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is answered.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that is known as a whole.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A short answer in plain text.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Binds a port on one address, or on every address of the host: IPv6 with
/// IPv4 where the kernel has IPv6, IPv4 alone elsewhere.
///
/// # Errors
/// Those of the operating system.
pub async fn bind(address: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    if let Some(address) = address {
        return TcpListener::bind((address, port)).await;
    }
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

/// A bound port that waits to be served.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: Arc<Semaphore>,
    arrivals: Arrivals,
}

impl Server {
    /// Serves at most so many connections at a time; more wait in the
    /// kernel's queue.
    pub fn new(listener: TcpListener, tls: Arc<ServerConfig>, connections: usize) -> Self {
        Self {
            listener,
            acceptor: TlsAcceptor::from(tls),
            connections: Arc::new(Semaphore::new(connections)),
            arrivals: Arrivals::default(),
        }
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection of somebody who does not have too many.
    async fn accept(&self) -> (TcpStream, Option<OwnedSemaphorePermit>, Share) {
        // The semaphore is never closed, so a permit is always given.
        let permit = self.connections.clone().acquire_owned().await.ok();
        loop {
            self.arrivals.room().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => match self.arrivals.admit(peer.ip()) {
                    Some(arrival) => return (stream, permit, arrival),
                    None => debug!(source = %peer.ip(), "too many connections are pending"),
                },
                Err(error) => {
                    debug!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves until the shutdown drains, then lets requests in flight end.
    ///
    /// `connect` makes the service of one connection, and a future that ends
    /// when the connection should. It keeps the arrival until the connection
    /// has shown that it is of use: as long, the connection may have to make
    /// room.
    pub async fn run<S, C>(self, connect: impl Fn(Share) -> (S, C), mut shutdown: Shutdown)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Send
            + 'static,
        S::Future: Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.draining() => break,
                Some(_) = tasks.join_next() => continue,
                accepted = self.accept() => accepted,
            };
            let (stream, permit, arrival) = accepted;
            let lost = arrival.lost();
            let (service, close) = connect(arrival);
            let (acceptor, mut shutdown) = (self.acceptor.clone(), shutdown.clone());
            tasks.spawn(async move {
                let close = async move {
                    tokio::select! {
                        () = close => {}
                        () = shutdown.draining() => {}
                    }
                };
                tokio::select! {
                    () = serve(acceptor, stream, service, close) => {}
                    () = lost => debug!("a connection makes room for another"),
                }
                drop(permit);
            });
        }
        drop(self.listener);
        let drained =
            tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            debug!(connections = tasks.len(), "connections did not end in time");
        }
    }
}

async fn serve<S>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    service: S,
    close: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    // Events are small and must not wait for more of them.
    if stream.set_nodelay(true).is_err() {
        return; // The peer is gone.
    }
    let tls = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return debug!(%error, "the handshake failed"),
        Err(_) => return debug!("the handshake took too long"),
    };
    let is_http2 = tls.get_ref().1.alpn_protocol() == Some(HTTP2);
    let io = TokioIo::new(tls);
    let mut close = pin!(close);
    let result = if is_http2 {
        let mut connection = pin!(
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(PING)
                .keep_alive_timeout(PING)
                .max_concurrent_streams(32)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .serve_connection(io, service)
        );
        tokio::select! {
            result = &mut connection => result,
            () = &mut close => {
                connection.as_mut().graceful_shutdown();
                // A peer that has not even begun would never end.
                tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
            }
        }
    } else {
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(STREAM_WINDOW as usize)
                .serve_connection(io, service)
        );
        tokio::select! {
            result = &mut connection => result,
            () = &mut close => {
                connection.as_mut().graceful_shutdown();
                // A peer that has not even begun would never end.
                tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
            }
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection ended early");
    }
}
