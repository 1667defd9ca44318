//! A client that knows nothing of credentials.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::request::Request;

/// Everything is on this machine: what takes longer hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The slug of `Credence-Error`, when the proxy answered by itself.
    pub(crate) slug: Option<String>,
    /// The JSON of the body.
    pub(crate) body: Value,
}

/// Calls the provider itself.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn directly(
    tls: Arc<ClientConfig>,
    provider: SocketAddr,
    request: &Request,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(provider).await?;
    let name = ServerName::from(provider.ip());
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    exchange(stream, &provider.to_string(), request).await
}

/// Calls through the proxy, by this name.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn through(
    proxy: SocketAddr,
    host: &str,
    request: &Request,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(proxy).await?;
    exchange(stream, host, request).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    request: &Request,
) -> anyhow::Result<Answer> {
    tokio::time::timeout(TIMEOUT, async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let body = Full::new(Bytes::from(request.body.clone()));
        let mut sent = hyper::Request::new(body);
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = request.target.parse()?;
        *sent.headers_mut() = request.headers.clone();
        sent.headers_mut().insert(HOST, host.parse()?);
        let answer = async {
            let response = sender.send_request(sent).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            let slug = head.headers.get(credence_core::names::ERROR_HEADER);
            anyhow::Ok(Answer {
                status: head.status.as_u16(),
                slug: slug.and_then(|slug| slug.to_str().ok()).map(str::to_owned),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            })
        };
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error.into()),
        }
    })
    .await
    .context("no answer within ten seconds")?
}
