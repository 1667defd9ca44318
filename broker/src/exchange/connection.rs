//! A connection for one request.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use credence_core::base_url::Scheme;
use credence_core::token::{Endpoint, Order};
use credence_net::{Identity, TlsError, handshake, tls};
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{ExchangeError, NotSent, OutcomeUnknown};

const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// A connection for one request. It is closed when this is dropped.
pub(super) struct Connection {
    sender: Sender,
    /// What drives it; dropping the set ends the task.
    _driver: JoinSet<()>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Begins to speak HTTP, over TLS where the endpoint is one of `https`.
    pub(super) async fn open(
        stream: TcpStream,
        endpoint: &Endpoint,
        order: &Order,
        timeout: Duration,
    ) -> Result<Self, NotSent> {
        match endpoint.scheme() {
            Scheme::Http => Self::http1(stream).await,
            Scheme::Https => {
                let shown = order.client_certificate.as_ref();
                let shown = shown.map(|it| Identity::parse(&it.chain, it.key.expose()));
                let shown = shown.transpose().map_err(TlsError::from)?;
                let config = tls::client_config(order.trust.as_deref(), shown, &[H2, HTTP1])?;
                let stream = handshake(&config, endpoint.host(), stream, timeout).await?;
                match stream.get_ref().1.alpn_protocol() {
                    Some(H2) => Self::http2(stream).await,
                    Some(_) | None => Self::http1(stream).await,
                }
            }
        }
    }

    async fn http1(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, NotSent> {
        let mut builder = http1::Builder::new();
        // A few servers look for names as they are usually written.
        builder.title_case_headers(true);
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(NotSent::Closed)?;
        Ok(Self {
            sender: Sender::Http1(sender),
            _driver: driven(connection),
        })
    }

    async fn http2(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, NotSent> {
        let builder = http2::Builder::new(TokioExecutor::new());
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(NotSent::Closed)?;
        Ok(Self {
            sender: Sender::Http2(sender),
            _driver: driven(connection),
        })
    }

    /// The version of HTTP that is spoken.
    pub(super) const fn version(&self) -> Version {
        match self.sender {
            Sender::Http1(_) => Version::HTTP_11,
            Sender::Http2(_) => Version::HTTP_2,
        }
    }

    /// Sends the request, and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let sent = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(NotSent::Closed)?;
                sender.try_send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(NotSent::Closed)?;
                sender.try_send_request(request).await
            }
        };
        sent.map_err(|mut error| {
            // Given back, so none of it went out.
            let unsent = error.take_message().is_some();
            let error = error.into_error();
            if unsent {
                NotSent::Closed(error).into()
            } else if refuses_client_certificate(&error) {
                NotSent::ClientCertificate.into()
            } else {
                OutcomeUnknown::Broken(error).into()
            }
        })
    }
}

/// Drives a connection for as long as what is returned lives.
fn driven(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> JoinSet<()> {
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Whoever waits for the answer hears of it.
        let _ = connection.await;
    });
    driver
}

/// Whether the peer does not accept our certificate. By TLS 1.3 it says so only
/// after the request is on its way, but before it has read any of it.
fn refuses_client_certificate(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return handshake::refuses_client_certificate(error);
        }
        cause = error.source();
    }
    false
}
