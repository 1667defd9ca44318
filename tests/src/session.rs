//! A connection to the operator's feed, as a sidecar makes it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use credence_core::names;
use credence_core::wire::{Ack, Event};
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// What a sidecar trusts.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: String,
}

impl Trust {
    /// Trusts the first certificate of `ca` (PEM), and asks for it by name.
    ///
    /// # Errors
    /// There is none.
    pub fn new(ca: &str) -> Result<Self> {
        let root = CertificateDer::from_pem_slice(ca.as_bytes()).context("the feed's root")?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &root);
        let digest: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut roots = RootCertStore::empty();
        roots.add(root)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            name: names::feed_server_name(&digest),
        })
    }
}

/// A connection; dropping it closes.
pub struct Session {
    sender: SendRequest<Full<Bytes>>,
    name: String,
    _driver: JoinSet<Result<(), hyper::Error>>,
}

impl Session {
    /// Connects to the feed at `address`.
    ///
    /// # Errors
    /// There is nobody, or somebody who is not trusted.
    pub async fn open(address: SocketAddr, trust: &Trust) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("connecting to the feed")?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(trust.name.clone())?;
        let stream = TlsConnector::from(trust.config.clone())
            .connect(name, stream)
            .await
            .context("TLS handshake with the feed")?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Self {
            sender,
            name: trust.name.clone(),
            _driver: driver,
        })
    }

    /// Asks for the stream.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&mut self, token: Option<&str>) -> Result<Response<Incoming>> {
        self.send(Method::GET, names::FEED_PATH, token, Bytes::new())
            .await
    }

    /// Sends what is, or should be, an acknowledgement; the answer's status.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn acknowledge(&mut self, body: Bytes) -> Result<u16> {
        let response = self.send(Method::POST, names::ACK_PATH, None, body).await?;
        Ok(response.status().as_u16())
    }

    /// Follows the stream as a sidecar does. `seen` is shown each line that can
    /// hold a credential.
    ///
    /// # Errors
    /// It ends, or was refused.
    pub async fn follow(&mut self, token: &str, mut seen: impl FnMut(&str)) -> Result<()> {
        let response = self.ask(Some(token)).await?;
        ensure!(response.status() == 200, "refused: {}", response.status());
        let mut body = response.into_body();
        let mut stream = String::new();
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            line.extend_from_slice(&frame?.into_data().unwrap_or_default());
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                let rest = line.split_off(end + 1);
                let event = std::mem::replace(&mut line, rest);
                match Event::decode(&event)? {
                    Event::Hello { stream: name, .. } => stream = name,
                    Event::Bundle(bundle) => {
                        seen(&String::from_utf8_lossy(&event));
                        let ack = Ack {
                            stream: stream.clone(),
                            revision: bundle.revision,
                            refused: std::collections::BTreeMap::new(),
                        };
                        let status = self.acknowledge(serde_json::to_vec(&ack)?.into()).await?;
                        ensure!(status == 204, "the acknowledgement is answered {status}");
                    }
                    Event::Tokens(_) => seen(&String::from_utf8_lossy(&event)),
                    Event::Ping | Event::Unknown => {}
                }
            }
        }
        bail!("the stream ended")
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.name));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.sender.ready().await?;
        Ok(self
            .sender
            .send_request(request.body(Full::new(body))?)
            .await?)
    }
}
