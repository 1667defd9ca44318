//! An operator's feed within the test: real TLS, real HTTP/2, one valid token.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use credence_core::names;
use credence_core::wire::{Ack, Report};
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::pieces::{Pieces, Sender, pieces};

/// What a sidecar did.
pub(crate) enum Call {
    /// It opened a stream with the valid token.
    Stream(Sender),
    /// It was refused for its token.
    Refused,
    /// It acknowledged with the valid token.
    Ack(Ack),
    /// It reported with the valid token.
    Report(Report),
    /// It did not get through the TLS handshake.
    NoTls,
}

pub(crate) struct Operator {
    pub(crate) address: SocketAddr,
    pub(crate) root: String,
    valid: Arc<Mutex<String>>,
    calls: UnboundedReceiver<Call>,
    _server: JoinSet<()>,
}

impl Operator {
    pub(crate) async fn with_token(token: &str) -> Self {
        let (root, acceptor) = certified();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let valid = Arc::new(Mutex::new(token.to_owned()));
        let (report, calls) = unbounded_channel();
        let mut server = JoinSet::new();
        server.spawn(accept(listener, acceptor, Arc::clone(&valid), report));
        Self {
            address,
            root,
            valid,
            calls,
            _server: server,
        }
    }

    pub(crate) fn change_token(&self, token: &str) {
        *self.valid.lock().unwrap() = token.to_owned();
    }

    pub(crate) async fn call(&mut self) -> Call {
        self.calls.recv().await.unwrap()
    }

    /// The next call, which must open a stream.
    pub(crate) async fn stream(&mut self) -> Sender {
        match self.call().await {
            Call::Stream(sender) => sender,
            Call::Refused => panic!("the token was refused"),
            Call::Ack(ack) => panic!("an acknowledgement of {}", ack.revision),
            Call::Report(report) => panic!("a report on {}", report.collection),
            Call::NoTls => panic!("the handshake failed"),
        }
    }

    /// The next call, which must be an acknowledgement.
    pub(crate) async fn ack(&mut self) -> Ack {
        match self.call().await {
            Call::Ack(ack) => ack,
            Call::Stream(_) | Call::Refused | Call::Report(_) | Call::NoTls => {
                panic!("no acknowledgement")
            }
        }
    }

    /// The next call, which must be a report.
    pub(crate) async fn report(&mut self) -> Report {
        match self.call().await {
            Call::Report(report) => report,
            Call::Stream(_) | Call::Refused | Call::Ack(_) | Call::NoTls => panic!("no report"),
        }
    }
}

/// A root, and a server of the leaf that the root's sidecars ask for.
fn certified() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let name = names::feed_server_name(&credence_net::roots::fingerprint(root.der()));
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name]).unwrap();
    let leaf = leaf.signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    valid: Arc<Mutex<String>>,
    report: UnboundedSender<Call>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(
            stream,
            acceptor.clone(),
            Arc::clone(&valid),
            report.clone(),
        ));
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    valid: Arc<Mutex<String>>,
    report: UnboundedSender<Call>,
) {
    let Ok(stream) = acceptor.accept(stream).await else {
        report.send(Call::NoTls).unwrap();
        return;
    };
    let service = service_fn(|request| {
        let expected = format!("Bearer {}", valid.lock().unwrap());
        let report = report.clone();
        async move { Ok::<_, Infallible>(respond(request, &expected, &report).await) }
    });
    // A sidecar that hangs up is what some tests are about.
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    request: Request<Incoming>,
    expected: &str,
    report: &UnboundedSender<Call>,
) -> Response<Pieces> {
    let (sender, body) = pieces();
    let mut response = Response::new(body);
    let shown = request.headers().get(AUTHORIZATION);
    let call = if shown.is_none_or(|shown| shown != expected) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        Call::Refused
    } else {
        match (request.method().as_str(), request.uri().path()) {
            ("GET", names::FEED_PATH) => Call::Stream(sender),
            ("POST", names::ACK_PATH) => {
                let content = request.into_body().collect().await.unwrap().to_bytes();
                Call::Ack(serde_json::from_slice(&content).unwrap())
            }
            ("POST", names::REPORT_PATH) => {
                let content = request.into_body().collect().await.unwrap().to_bytes();
                Call::Report(serde_json::from_slice(&content).unwrap())
            }
            (method, path) => panic!("{method} {path}"),
        }
    };
    // A test that has seen enough does not wait for more.
    let _ = report.send(call);
    response
}
