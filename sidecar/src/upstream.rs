//! Connections to providers: dialled, kept, and given up when in doubt.

mod pool;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use credence_core::bundle::Route;
use credence_net::{DialError, Dialer, Guard, HandshakeError, handshake};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::authorized::Authorized;
use crate::buffer::{Outbound, Side};
use crate::metrics::{Metrics, OpenConnection};
use crate::problem::Problem;
use crate::slug::Slug;
use pool::Pool;

/// One provider as one collection reaches it: where it is, whom we trust, and
/// the connections that are open and unused.
#[derive(Debug)]
pub(crate) struct Upstream {
    host: Box<str>,
    port: u16,
    trust: Option<Arc<str>>,
    tls: Arc<ClientConfig>,
    dialer: Dialer,
    pool: Pool,
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
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        let slug = match error {
            ConnectError::Dial { .. } => Slug::UpstreamUnreachable,
            ConnectError::Handshake { .. } => Slug::UpstreamTls,
        };
        Self::new(slug, format!("There is {error}."))
    }
}

impl Upstream {
    pub(crate) fn new(
        route: &Route,
        tls: Arc<ClientConfig>,
        timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            host: route.base_url.host().into(),
            port: route.base_url.port(),
            trust: route.trust.clone(),
            tls,
            dialer: Dialer {
                guard: Guard {
                    allow_private: route.allow_private_networks,
                },
                timeout,
            },
            pool: Pool::default(),
            metrics,
        }
    }

    /// Whether connections of this one may serve that route: the same server,
    /// trusted for the same reason, under the same limits on addresses.
    pub(crate) fn serves(&self, route: &Route) -> bool {
        *self.host == *route.base_url.host()
            && self.port == route.base_url.port()
            && self.trust == route.trust
            && self.dialer.guard.allow_private == route.allow_private_networks
    }

    /// An open connection on which the provider has been silent.
    pub(crate) fn reuse(&self, cx: &mut Context<'_>) -> Option<Connection> {
        self.pool.take(cx)
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn connect(&self) -> Result<Connection, ConnectError> {
        self.connect_http1().await
    }

    /// A new connection that speaks HTTP/1.1 whatever else the provider knows,
    /// as a request that upgrades its connection needs it.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn connect_http1(&self) -> Result<Connection, ConnectError> {
        let (host, port) = (&self.host, self.port);
        let began = Instant::now();
        let stream = match self.dialer.connect(host, port).await {
            Ok(stream) => stream,
            Err(source) => {
                let host = host.clone();
                return Err(ConnectError::Dial { host, port, source });
            }
        };
        let left = self.dialer.timeout.saturating_sub(began.elapsed());
        match handshake(&self.tls, host, stream, left).await {
            Ok(io) => Ok(Connection {
                side: Box::new(Side::new(io)),
                counted: self.metrics.open_connection(),
            }),
            Err(source) => {
                let host = host.clone();
                Err(ConnectError::Handshake { host, port, source })
            }
        }
    }

    /// Keeps a connection for the next exchange.
    pub(crate) fn keep(&self, connection: Connection) {
        self.pool.put(connection);
    }

    /// Closes what has been unused for long, or was closed by the provider.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }
}

/// An open connection with no exchange on it. The only thing that can be done
/// with it is to send a request that has its credential.
#[derive(Debug)]
pub(crate) struct Connection {
    side: Box<Side<TlsStream<TcpStream>>>,
    counted: OpenConnection,
}

impl Connection {
    /// Begins an exchange.
    pub(crate) fn send(mut self, request: Authorized) -> Active {
        self.side.outbound = Outbound::new(request.into_head());
        Active {
            side: self.side,
            counted: self.counted,
        }
    }

    /// Whether nothing has arrived since the last answer ended: bytes that
    /// nobody asked for would be taken for the next answer.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        // Without the runtime's budget, whose end would look like silence.
        let read = unconstrained(poll_fn(|cx| self.side.poll_fill(cx)));
        matches!(pin!(read).poll(cx), Poll::Pending) && self.side.inbound.is_empty()
    }
}

/// A connection with an exchange on it.
#[derive(Debug)]
pub(crate) struct Active {
    side: Box<Side<TlsStream<TcpStream>>>,
    counted: OpenConnection,
}

impl Active {
    /// The provider's side, for the rest of the exchange.
    pub(crate) fn side(&mut self) -> &mut Side<TlsStream<TcpStream>> {
        &mut self.side
    }

    /// Sends the same request again on another connection, with as much of its
    /// body as was read; none if that is not all in memory any more.
    pub(crate) fn retry_on(mut self, other: Connection) -> Option<Self> {
        let Connection { mut side, counted } = other;
        std::mem::swap(&mut side.outbound, &mut self.side.outbound);
        side.outbound.rewind().then_some(Self { side, counted })
    }

    /// Ends an exchange whose answer has ended cleanly; none if the provider
    /// has sent more than that.
    pub(crate) fn finish(mut self) -> Option<Connection> {
        self.side.outbound.release();
        self.side.inbound.is_empty().then_some(Connection {
            side: self.side,
            counted: self.counted,
        })
    }
}
