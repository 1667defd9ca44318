//! A provider: a TLS server that a test scripts, byte by byte if it likes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The heads of the requests that a provider got.
pub(crate) type Heads = Arc<Mutex<Vec<String>>>;

/// What a provider's connection is made of.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A running provider. It ends with the test's runtime.
pub(crate) struct Provider {
    scheme: &'static str,
    address: SocketAddr,
    roots: String,
    heads: Heads,
    connections: Arc<AtomicUsize>,
}

impl Provider {
    /// Serves each connection by `script`.
    pub(crate) async fn start<F, S>(script: F) -> Self
    where
        F: Fn(Peer) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::accept(&[], move |stream, heads| script(Peer::new(stream, heads))).await
    }

    /// The same, without TLS.
    pub(crate) async fn plain<F, S>(script: F) -> Self
    where
        F: Fn(Peer) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let serve = move |stream, heads| script(Peer::new(stream, heads));
        Self::listen("http", String::new(), serve).await
    }

    /// Serves each connection that has a TLS session, having chosen one of
    /// these protocols.
    pub(crate) async fn accept<F, S>(alpn: &[&[u8]], serve: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>, Heads) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let (config, roots) = identity(alpn);
        Self::secured(config, roots, serve).await
    }

    /// Serves each connection that has a TLS session by this configuration,
    /// whose certificate chains to these roots.
    pub(crate) async fn secured<F, S>(config: Arc<ServerConfig>, roots: String, serve: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>, Heads) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(config);
        let serve = Arc::new(serve);
        Self::listen("https", roots, move |stream, heads| {
            let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
            async move {
                // A caller that does not trust us is a test of its own.
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, heads).await;
                }
            }
        })
        .await
    }

    async fn listen<F, S>(scheme: &'static str, roots: String, serve: F) -> Self
    where
        F: Fn(TcpStream, Heads) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            scheme,
            address: listener.local_addr().unwrap(),
            roots,
            heads: Arc::default(),
            connections: Arc::default(),
        };
        let heads = Arc::clone(&provider.heads);
        let connections = Arc::clone(&provider.connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&heads)));
            }
        });
        provider
    }

    /// Answers every request with these bytes, once it has its body of the
    /// length that the request says.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        Self::start(move |mut peer| async move {
            while let Some(head) = peer.head().await {
                let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
                peer.bytes(length).await;
                peer.send(answer).await;
            }
        })
        .await
    }

    /// Answers every request with its body, once it is there by its length.
    pub(crate) async fn echoing() -> Self {
        Self::start(move |mut peer| async move {
            while let Some(head) = peer.head().await {
                let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
                let body = peer.bytes(length).await;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                peer.send([head.as_bytes(), &body].concat()).await;
            }
        })
        .await
    }

    pub(crate) fn base_url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The PEM root that its certificate chains to.
    pub(crate) fn roots(&self) -> &str {
        &self.roots
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The head of the only request so far.
    pub(crate) fn head(&self) -> String {
        let heads = self.heads();
        assert_eq!(heads.len(), 1, "{heads:?}");
        heads[0].clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// One connection, as the provider sees it.
pub(crate) struct Peer {
    stream: Box<dyn Io>,
    unread: Vec<u8>,
    heads: Heads,
}

impl Peer {
    pub(crate) fn new(stream: impl Io + 'static, heads: Heads) -> Self {
        Self {
            stream: Box::new(stream),
            unread: Vec::new(),
            heads,
        }
    }

    /// The next request's head; none when the connection has ended.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                // One character a byte, so that nothing is lost.
                let head: String = head.into_iter().map(char::from).collect();
                self.heads.lock().unwrap().push(head.clone());
                return Some(head);
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    /// The next so many bytes, or fewer when the connection ends.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length && self.more().await > 0 {}
        let length = length.min(self.unread.len());
        self.unread.drain(..length).collect()
    }

    /// What comes next; nothing when the connection has ended.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        if self.unread.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.unread)
    }

    /// What comes up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8(self.unread.clone()).unwrap();
            if let Some((before, _)) = text.split_once(end) {
                let length = before.len() + end.len();
                self.unread.drain(..length);
                return text[..length].to_owned();
            }
            assert!(self.more().await > 0, "ended after {text:?}");
        }
    }

    /// Waits for the other side to end the connection.
    pub(crate) async fn ended(&mut self) {
        while self.more().await > 0 {
            self.unread.clear();
        }
    }

    /// Writes, and does not mind when nobody reads.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Ends the TLS session in good order.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn more(&mut self) -> usize {
        let mut piece = vec![0; 64 * 1024];
        let length = self.stream.read(&mut piece).await.unwrap_or(0);
        self.unread.extend_from_slice(&piece[..length]);
        length
    }
}

/// The value of a field, by its name in lower case.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn identity(alpn: &[&[u8]]) -> (Arc<ServerConfig>, String) {
    let anybody = WebPkiClientVerifier::no_client_auth();
    configured(rustls::ALL_VERSIONS, alpn, anybody)
}

/// A configuration that admits these clients, and the roots of its certificate.
pub(crate) fn configured(
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
    clients: Arc<dyn ClientCertVerifier>,
) -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1", "api.test"].map(str::to_owned)).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (Arc::new(config), issuer.pem())
}
