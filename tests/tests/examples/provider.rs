//! An HTTPS server that lets in who sends what it demands. It is reached by its
//! real name, through a proxy which leads there whatever is asked for.

use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_sidecar::Egress;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
    /// The client certificate of the connection, DER in base64.
    pub(crate) certificate: Option<String>,
}

impl Arrived {
    /// The values of a header, by its name in lower case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let same = self.fields.iter().filter(|(other, _)| other == name);
        same.map(|(_, value)| value.as_str()).collect()
    }
}

/// Says what a request is answered, or why it is refused.
pub(crate) type Judge = dyn Fn(&Arrived) -> Result<String, String> + Send + Sync;

pub(crate) struct Provider {
    /// Of the proxy.
    pub(crate) address: SocketAddr,
    /// Its own certificate, which is its own authority.
    pub(crate) pem: String,
}

impl Provider {
    /// How it is reached.
    pub(crate) fn egress(&self) -> Egress {
        let proxy = format!("http://{}", self.address);
        let by = |variable: &str| (variable == "HTTPS_PROXY").then(|| proxy.as_str().into());
        Egress::read(by).unwrap()
    }

    /// Serves as `host` until the test's process ends. Clients may show a
    /// certificate of this authority.
    pub(crate) fn start(
        host: &str,
        clients: &CertifiedIssuer<'static, KeyPair>,
        judge: Box<Judge>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(clients.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&crypto));
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let tls = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let (tls, judge) = (Arc::new(tls), Arc::from(judge));
        let asked = format!("{host}:443");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let connect = arrived(&mut stream).unwrap();
                assert_eq!((&*connect.method, &connect.target), ("CONNECT", &asked));
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (tls, judge) = (Arc::clone(&tls), Arc::clone(&judge));
                std::thread::spawn(move || converse(stream, tls, &*judge));
            }
        });
        Self {
            address,
            pem: certificate.pem(),
        }
    }
}

/// Answers until the caller goes.
fn converse(stream: TcpStream, tls: Arc<ServerConfig>, judge: &Judge) {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    while let Some(mut arrived) = arrived(&mut stream) {
        let chain = stream.conn.peer_certificates().unwrap_or_default();
        arrived.certificate = chain.first().map(|own| STANDARD.encode(own));
        let (status, body) = match judge(&arrived) {
            Ok(answer) => ("200 OK", answer),
            Err(reason) => ("401 Unauthorized", reason),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request.
pub(crate) fn arrived(stream: &mut impl Read) -> Option<Arrived> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let mut request_line = lines.next()?.split(' ');
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap_or(0));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Arrived {
        method: request_line.next()?.to_owned(),
        target: request_line.next()?.to_owned(),
        fields,
        body: String::from_utf8(body).ok()?,
        certificate: None,
    })
}
