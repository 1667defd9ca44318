//! An HTTPS server that answers as a test wants it to.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct Https {
    pub(crate) address: SocketAddr,
    /// Its own certificate, which is its own authority.
    pub(crate) pem: String,
}

/// What somebody asked it.
pub(crate) struct Request {
    head: String,
    pub(crate) body: String,
    /// Where.
    pub(crate) port: u16,
}

impl Request {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

impl Https {
    /// Serves until the test's process ends, with a status and a body for each
    /// request.
    pub(crate) fn start(
        answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let ip = SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        params.subject_alt_names.push(ip);
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let (tls, answer) = (Arc::new(tls), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, answer) = (tls.clone(), answer.clone());
                std::thread::spawn(move || converse(stream, tls, &*answer, address.port()));
            }
        });
        Self {
            address,
            pem: certificate.pem(),
        }
    }
}

/// Answers requests until the caller goes.
fn converse(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    answer: &impl Fn(&Request) -> (u16, String),
    port: u16,
) {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let mut request = Request {
            head: String::from_utf8_lossy(&head).into_owned(),
            body: String::new(),
            port,
        };
        head.clear();
        let length = request.header("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        request.body = String::from_utf8(body).unwrap();
        let (status, answer) = answer(&request);
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
