//! An API behind TLS that answers as it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// One on a port of loopback, until it is dropped.
pub(super) struct Provider {
    address: SocketAddr,
    /// Its certificate, which vouches for itself.
    pub(super) root: String,
    heard: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// What it does when it has read the head of a request.
#[derive(Clone)]
pub(super) enum Then {
    /// Writes this, and waits for the other side to close.
    Write(String),
    /// Writes this, and then without end.
    WriteOn(String),
}

impl Then {
    pub(super) fn status(status: u16) -> Self {
        Self::Write(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
    }
}

impl Provider {
    pub(super) async fn answering(status: u16) -> Self {
        Self::that(vec![Then::status(status)]).await
    }

    /// On each connection the next, and the last from then on.
    pub(super) async fn that(thens: Vec<Then>) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let last = thens.last().cloned();
        let mut thens = thens.into_iter().chain(last.into_iter().cycle());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let (Ok((stream, _)), Some(then)) = (listener.accept().await, thens.next()) {
                connections.spawn(serve(acceptor.clone(), stream, then, hearing.clone()));
            }
        });
        Self {
            address,
            root: certificate.pem(),
            heard,
            _serving: serving,
        }
    }

    pub(super) fn base_url(&self) -> String {
        format!("https://localhost:{}/v1", self.address.port())
    }

    /// The heads of all requests.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    then: Then,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    heard.lock().unwrap().push(String::from_utf8(head).unwrap());
    let (text, on) = match then {
        Then::Write(text) => (text, false),
        Then::WriteOn(text) => (text, true),
    };
    let _ = stream.write_all(text.as_bytes()).await;
    while on && stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    let _ = stream.read(&mut [0]).await;
}
