//! An HTTP/1.1 client: one connection, calls one after another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is sent.
#[derive(Args, Clone)]
pub(crate) struct Message {
    /// Where to.
    url: Uri,
    /// The method.
    #[arg(short = 'X', long, default_value = "GET")]
    method: Method,
    /// A header, as `Name: value`; may be given more than once.
    #[arg(short = 'H', long = "header", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    #[arg(short = 'd', long, default_value = "")]
    body: String,
    /// PEM file with the roots that an https server must chain to.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Seconds that connecting and one whole exchange may take, each.
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

/// `probe call`.
#[derive(Args)]
pub(crate) struct Call {
    #[command(flatten)]
    message: Message,
}

impl Call {
    pub(crate) async fn run(&self) -> Result<()> {
        let mut connection = Connection::open(&self.message).await?;
        let answer = connection.exchange(&self.message).await?;
        let headers: BTreeMap<&str, String> = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let body = String::from_utf8_lossy(answer.body());
        println!(
            "{}",
            serde_json::json!({"status": answer.status().as_u16(), "headers": headers, "body": body})
        );
        Ok(())
    }
}

/// An open connection to a server.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn open(message: &Message) -> Result<Self> {
        let limit = Duration::from_secs(message.timeout);
        tokio::time::timeout(limit, Self::dial(message))
            .await
            .context("connecting took too long")?
    }

    async fn dial(message: &Message) -> Result<Self> {
        let host = message
            .url
            .host()
            .context("the URL has no host")?
            .trim_matches(['[', ']']);
        let secure = message.url.scheme() == Some(&Scheme::HTTPS);
        let port = message
            .url
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port))
            .await
            .context("connecting")?;
        stream.set_nodelay(true)?;
        if !secure {
            return Self::over(TokioIo::new(stream)).await;
        }
        let config = trust(message.ca.as_ref().context("an https URL needs --ca")?)?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .context("TLS handshake")?;
        Self::over(TokioIo::new(stream)).await
    }

    async fn over<I>(io: I) -> Result<Self>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(io).await?;
        // It ends when the sender is dropped; an error of it is also one of
        // the exchange that is under way.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn exchange(&mut self, message: &Message) -> Result<Response<Bytes>> {
        let limit = Duration::from_secs(message.timeout);
        tokio::time::timeout(limit, self.send(message))
            .await
            .context("the answer took too long")?
    }

    async fn send(&mut self, message: &Message) -> Result<Response<Bytes>> {
        let path = message
            .url
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(message.method.clone()).uri(path);
        let authority = message
            .url
            .authority()
            .context("the URL has no host")?
            .as_str();
        if !message.headers.iter().any(|(name, _)| name == HOST) {
            request = request.header(HOST, authority);
        }
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(message.body.clone())))?;
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

fn trust(file: &PathBuf) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)
        .with_context(|| format!("reading {}", file.display()))?
    {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate", file.display());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':').context("expected `Name: value`")?;
    Ok((name.parse()?, value.trim().parse()?))
}
