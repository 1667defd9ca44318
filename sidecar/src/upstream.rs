//! Connections to providers: dialled, kept, and given up when in doubt.

mod active;
mod noting;
mod pool;
mod shared;
mod transport;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::Context;

use credence_core::base_url::Scheme;
use credence_core::bundle::{ClientCertificate, Route};
use credence_net::{DialError, Dialer, Egress, Guard, HandshakeError, handshake};
use rustix::io::Errno;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use crate::budget::Budget;
use crate::http2::client::{Connection as Multiplexed, Windows};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::slug::Slug;
pub(crate) use active::{Active, Connection};
use noting::Noting;
pub(crate) use pool::MOST_WAITING;
use pool::Pool;
use shared::{Outcome, Shared, Turn};
pub(crate) use transport::Transport;

/// The names of the versions in TLS (RFC 7301 §6, RFC 9113 §3.2), in the order
/// in which they are offered.
pub(crate) const ALPN: &[&[u8]] = &[HTTP2, HTTP1];
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// One provider as one collection reaches it: where it is, whom we trust, and
/// the connections that are open and unused.
#[derive(Debug)]
pub(crate) struct Upstream {
    host: Box<str>,
    port: u16,
    trust: Option<Arc<str>>,
    client_certificate: Option<Arc<ClientCertificate>>,
    /// Offers every version that is spoken; none for an API without TLS.
    tls: Option<Arc<ClientConfig>>,
    /// Offers HTTP/1.1 alone.
    tls_http1: OnceLock<Arc<ClientConfig>>,
    dialer: Dialer,
    pool: Pool,
    shared: Shared,
    windows: Arc<Windows>,
    metrics: Arc<Metrics>,
}

/// Why there is no connection. Its text is for the app's developer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection to {host}:{port}: {source}")]
    Dial {
        host: Box<str>,
        port: u16,
        source: DialError,
    },
    #[error("no TLS session with {host}:{port}: {source}")]
    Handshake {
        host: Box<str>,
        port: u16,
        source: HandshakeError,
    },
    #[error("no HTTP/2 with {host}:{port}, though that is what it chose")]
    Http2 { host: Box<str>, port: u16 },
    #[error("no memory for one more call by HTTP/2: make fewer at a time")]
    Crowded,
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        let slug = match &error {
            ConnectError::Dial {
                source: DialError::Unreachable(source),
                ..
            } if is_out_of_descriptors(source) => {
                let detail = "The sidecar has as many files open as it may: make fewer calls at a time, or raise its limit.";
                return Self::new(Slug::Overloaded, detail);
            }
            ConnectError::Dial {
                source: DialError::TimedOut(_),
                ..
            }
            | ConnectError::Handshake {
                source: HandshakeError::TimedOut(_),
                ..
            } => Slug::UpstreamTimeout,
            ConnectError::Dial { .. } | ConnectError::Http2 { .. } => Slug::UpstreamUnreachable,
            ConnectError::Handshake {
                source: HandshakeError::ClientCertificate,
                ..
            } => Slug::ClientCertificateRejected,
            ConnectError::Crowded => Slug::Overloaded,
            ConnectError::Handshake { .. } => Slug::UpstreamTls,
        };
        Self::new(slug, format!("There is {error}."))
    }
}

/// Whether there is no connection for a reason that is not the API's.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

impl Upstream {
    pub(crate) fn new(
        route: &Route,
        tls: Option<Arc<ClientConfig>>,
        egress: &Egress,
        places: Arc<Budget>,
        windows: Arc<Windows>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let guard = Guard {
            allow_private: route.allow_private_networks,
        };
        // What needs no protection is near, and proxies let only TLS through.
        let egress = match tls {
            Some(_) => egress.clone(),
            None => Egress::default(),
        };
        Self {
            host: route.base_url.host().into(),
            port: route.base_url.port(),
            trust: route.trust.clone(),
            client_certificate: route.client_certificate.clone(),
            tls,
            tls_http1: OnceLock::new(),
            dialer: Dialer::new(guard, route.timeouts.connect).through(egress),
            pool: Pool::of(places),
            shared: Shared::default(),
            windows,
            metrics,
        }
    }

    /// Whether connections of this one may serve that route: the same server,
    /// trusted for the same reason and shown the same certificate, under the
    /// same limits on addresses.
    pub(crate) fn serves(&self, route: &Route) -> bool {
        *self.host == *route.base_url.host()
            && self.port == route.base_url.port()
            && self.tls.is_some() == (route.base_url.scheme() == Scheme::Https)
            && self.trust == route.trust
            && self.client_certificate == route.client_certificate
            && self.dialer.guard.allow_private == route.allow_private_networks
            && self.dialer.timeout == route.timeouts.connect
    }

    /// An open connection on which the provider has been silent, or one that
    /// has a stream left.
    pub(crate) fn reuse(&self, cx: &mut Context<'_>) -> Option<Connection> {
        self.stream().or_else(|| self.pool.take(cx))
    }

    /// A new connection, or a stream of one that has just been opened for
    /// another call.
    ///
    /// # Errors
    /// The [`ConnectError`] as what the caller hears of it.
    pub(crate) async fn connect(&self) -> Result<Connection, Problem> {
        loop {
            match self.shared.turn() {
                Turn::Alone => return Ok(self.connect_any().await?),
                Turn::First(others) => {
                    let connected = self.connect_any().await.map_err(Problem::from);
                    let outcome = match &connected {
                        Ok(connection) if connection.is_stream() => Outcome::Shared,
                        Ok(_) => Outcome::Alone,
                        Err(problem) => Outcome::Failed(problem.clone()),
                    };
                    others.send_replace(Some(outcome));
                    return connected;
                }
                Turn::Wait(mut first) => {
                    // Without an outcome its caller has gone: the next one tries.
                    let outcome = first.wait_for(Option::is_some).await;
                    let outcome = outcome.ok().and_then(|outcome| outcome.clone());
                    if let Some(Outcome::Failed(problem)) = outcome {
                        return Err(problem);
                    }
                    if let Some(connection) = self.stream() {
                        return Ok(connection);
                    }
                }
            }
        }
    }

    /// A new connection that speaks HTTP/1.1 whatever else the provider knows,
    /// as a request that upgrades its connection needs it.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn connect_http1(&self) -> Result<Connection, ConnectError> {
        let Some(tls) = &self.tls else {
            return self.connect_plain().await;
        };
        let tls = self.tls_http1.get_or_init(|| {
            let mut tls = ClientConfig::clone(tls);
            tls.alpn_protocols = vec![HTTP1.to_vec()];
            Arc::new(tls)
        });
        let io = self.open(tls).await?;
        Ok(self.http1(Transport::Tls(Box::new(io))))
    }

    async fn connect_any(&self) -> Result<Connection, ConnectError> {
        let Some(tls) = &self.tls else {
            self.shared.go_alone();
            return self.connect_plain().await;
        };
        if self.shared.multiplexes() && self.windows.take().is_none() {
            return Err(ConnectError::Crowded);
        }
        let began = Instant::now();
        let io = self.open(tls).await?;
        if io.get_ref().1.alpn_protocol() != Some(HTTP2) {
            self.shared.go_alone();
            return Ok(self.http1(Transport::Tls(Box::new(io))));
        }
        let left = self.dialer.timeout.saturating_sub(began.elapsed());
        let (size, window) = self.windows.take().ok_or(ConnectError::Crowded)?;
        let (io, refused) = Noting::new(io);
        let opening = Multiplexed::open(io, size, self.metrics.open_connection());
        let opened = timeout(left, opening).await.ok().and_then(Result::ok);
        if opened.is_none() && refused.load(Ordering::Relaxed) {
            return Err(self.failed(HandshakeError::ClientCertificate));
        }
        opened
            .and_then(|connection| self.shared.add(connection, window))
            .map(Connection::of_stream)
            .ok_or_else(|| ConnectError::Http2 {
                host: self.host.clone(),
                port: self.port,
            })
    }

    async fn connect_plain(&self) -> Result<Connection, ConnectError> {
        let stream = self.dial().await?;
        Ok(self.http1(Transport::Plain(stream)))
    }

    async fn open(&self, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, ConnectError> {
        let began = Instant::now();
        let stream = self.dial().await?;
        let left = self.dialer.timeout.saturating_sub(began.elapsed());
        handshake(tls, &self.host, stream, left)
            .await
            .map_err(|source| self.failed(source))
    }

    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let dialled = self.dialer.connect(&self.host, self.port).await;
        dialled.map_err(|source| ConnectError::Dial {
            host: self.host.clone(),
            port: self.port,
            source,
        })
    }

    fn failed(&self, source: HandshakeError) -> ConnectError {
        ConnectError::Handshake {
            host: self.host.clone(),
            port: self.port,
            source,
        }
    }

    fn http1(&self, io: Transport) -> Connection {
        Connection::of_its_own(io, self.metrics.open_connection())
    }

    fn stream(&self) -> Option<Connection> {
        self.shared.take().map(Connection::of_stream)
    }

    /// Keeps a connection for the next exchange.
    pub(crate) fn keep(&self, connection: Connection) {
        self.pool.put(connection);
    }

    /// Closes what has been unused for long, or was closed by the provider.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
        self.shared.sweep();
    }
}
