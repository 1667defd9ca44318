//! A connection for one request.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use credence_core::base_url::Scheme;
use credence_core::bundle::ClientCertificate;
use credence_net::{HandshakeError, Identity, TlsError, handshake, tls};
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// What of an answer may be on its way before anybody reads it, in bytes.
const WINDOW: u32 = 64 * 1024;

/// Who is spoken to, and how.
pub(crate) struct Peer<'a> {
    /// Whether by TLS.
    pub(crate) scheme: Scheme,
    /// Host name or address, which is also what its certificate must be for.
    pub(crate) host: &'a str,
    /// PEM certificates that are trusted besides the public roots.
    pub(crate) trust: Option<&'a str>,
    /// What is shown to a peer that asks for a certificate.
    pub(crate) client_certificate: Option<&'a ClientCertificate>,
}

/// Why nothing can be said to a peer that was reached.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// What is trusted or shown cannot be used.
    Tls(TlsError),
    /// There is no session.
    Handshake(HandshakeError),
    /// It closed the connection.
    Closed(hyper::Error),
}

/// Why there is no head of an answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// None of the request went out.
    Unsent(hyper::Error),
    /// The peer does not accept our certificate, and has not read the request.
    ClientCertificate,
    /// The connection broke, or what came was no HTTP.
    Broken(hyper::Error),
}

/// A connection for one request. It is closed when this is dropped.
pub(crate) struct Connection {
    sender: Sender,
    /// What drives it; dropping the set ends the task.
    _driver: JoinSet<()>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Begins to speak HTTP, over TLS where the scheme says so.
    pub(crate) async fn open(
        stream: TcpStream,
        peer: &Peer<'_>,
        timeout: Duration,
    ) -> Result<Self, NotOpened> {
        match peer.scheme {
            Scheme::Http => Self::http1(stream).await,
            Scheme::Https => {
                let shown = peer.client_certificate;
                let shown = shown.map(|it| Identity::parse(&it.chain, it.key.expose()));
                let shown = shown.transpose().map_err(TlsError::from);
                let config = shown
                    .and_then(|shown| tls::client_config(peer.trust, shown, &[H2, HTTP1]))
                    .map_err(NotOpened::Tls)?;
                let stream = handshake(&config, peer.host, stream, timeout)
                    .await
                    .map_err(NotOpened::Handshake)?;
                match stream.get_ref().1.alpn_protocol() {
                    Some(H2) => Self::http2(stream).await,
                    Some(_) | None => Self::http1(stream).await,
                }
            }
        }
    }

    async fn http1(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, NotOpened> {
        let mut builder = http1::Builder::new();
        // A few servers look for names as they are usually written.
        builder.title_case_headers(true);
        builder.max_buf_size(WINDOW as usize);
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(NotOpened::Closed)?;
        Ok(Self {
            sender: Sender::Http1(sender),
            _driver: driven(connection),
        })
    }

    async fn http2(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, NotOpened> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW);
        builder.initial_connection_window_size(WINDOW);
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(NotOpened::Closed)?;
        Ok(Self {
            sender: Sender::Http2(sender),
            _driver: driven(connection),
        })
    }

    /// The version of HTTP that is spoken.
    pub(crate) const fn version(&self) -> Version {
        match self.sender {
            Sender::Http1(_) => Version::HTTP_11,
            Sender::Http2(_) => Version::HTTP_2,
        }
    }

    /// Sends the request, and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let sent = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(Unanswered::Unsent)?;
                sender.try_send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(Unanswered::Unsent)?;
                sender.try_send_request(request).await
            }
        };
        sent.map_err(|mut error| {
            // Given back, so none of it went out.
            let unsent = error.take_message().is_some();
            let error = error.into_error();
            if unsent {
                Unanswered::Unsent(error)
            } else if refuses_client_certificate(&error) {
                Unanswered::ClientCertificate
            } else {
                Unanswered::Broken(error)
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
