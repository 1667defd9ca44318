//! A provider: a TLS server that a test scripts, byte by byte if it likes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A running provider. It ends with the test's runtime.
pub(crate) struct Provider {
    address: SocketAddr,
    roots: String,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Provider {
    /// Serves each connection by `script`.
    pub(crate) async fn start<F, S>(script: F) -> Self
    where
        F: Fn(Peer) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::accept(&[], move |stream, heads| {
            script(Peer {
                stream,
                unread: Vec::new(),
                heads,
            })
        })
        .await
    }

    /// Serves each connection that has a TLS session, having chosen one of
    /// these protocols.
    pub(crate) async fn accept<F, S>(alpn: &[&[u8]], serve: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>, Arc<Mutex<Vec<String>>>) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let (config, roots) = identity(alpn);
        let acceptor = TlsAcceptor::from(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            address: listener.local_addr().unwrap(),
            roots,
            heads: Arc::default(),
            connections: Arc::default(),
        };
        let heads = Arc::clone(&provider.heads);
        let connections = Arc::clone(&provider.connections);
        let serve = Arc::new(serve);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
                let heads = Arc::clone(&heads);
                tokio::spawn(async move {
                    // A caller that does not trust us is a test of its own.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, heads).await;
                    }
                });
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
        format!("https://{}/v1", self.address)
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
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Peer {
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
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (Arc::new(config), issuer.pem())
}
