//! The webhook, and API servers that ask it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Parser as _;
use credence_operator::admission::Admission;
use credence_operator::certificates::held::Held;
use credence_operator::certificates::rotation::{Step, advance};
use credence_operator::certificates::{Authorities, resolver};
use credence_operator::events;
use credence_operator::inject::{Decision, InjectSettings, Namespace, decide};
use credence_operator::metrics::Metrics;
use credence_operator::server::{HTTP1, HTTP2, Server, bind};
use credence_operator::settings::Settings;
use credence_operator::shutdown::{self, Trigger};
use credence_operator::watches::bounds::NamespaceBounds;
use credence_operator::watches::namespaces::Namespaces;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const SERVICE: &str = "credence-webhook";
const IMAGE: &str = "example.com/sidecar:1";
pub(crate) const JSON: &str = "application/json";

/// The memory of the process is measured, so there is one webhook at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Where API servers are; every other address is a stranger's.
const API_SERVER: [u8; 4] = [127, 0, 0, 1];

pub(crate) type Tls = TlsStream<TcpStream>;

pub(crate) struct Webhook {
    address: SocketAddr,
    held: Held,
    pub(crate) metrics: Arc<Metrics>,
    _drain: Trigger,
    _alone: MutexGuard<'static, ()>,
}

impl Webhook {
    pub(crate) async fn start() -> Self {
        let alone = ALONE.lock().await;
        let now = Timestamp::now();
        let services = [SERVICE.to_owned()];
        let authorities = advance(&Authorities::default(), &Step::Create, &services, now).unwrap();
        let held = authorities.current.clone().unwrap();
        let (_, shared) = watch::channel(Arc::new(authorities));
        // Nobody writes what is told here.
        let nobody = tower::service_fn(|_: Request<kube::client::Body>| async {
            Ok::<_, Infallible>(Response::new(kube::client::Body::empty()))
        });
        let (events, _) = events::channel(kube::Client::new(nobody, "default"), "operator-0");
        let metrics = Arc::new(Metrics::default());
        let settings = Settings::try_parse_from([
            "credence-operator",
            "--namespace=credence-system",
            "--pod-name=credence-operator-0",
            &format!("--sidecar-image={IMAGE}"),
        ])
        .unwrap();
        let admission = Arc::new(Admission::new(
            &settings,
            None,
            shared.clone(),
            Namespaces::default(),
            NamespaceBounds::default(),
            events,
            metrics.clone(),
        ));
        let tls = resolver::server_config(shared, &[HTTP2, HTTP1]).unwrap();
        let listener = bind(Some([127, 0, 0, 1].into()), 0).await.unwrap();
        let server = Server::new(listener, tls, 1024);
        let address = server.local_addr().unwrap();
        let (drain, draining) = shutdown::channel();
        tokio::spawn(async move {
            server
                .run(|arrival| admission.connect(arrival), draining)
                .await
        });
        Self {
            address,
            held,
            metrics,
            _drain: drain,
            _alone: alone,
        }
    }

    /// What is injected here.
    pub(crate) fn settings(&self) -> InjectSettings {
        InjectSettings {
            image: IMAGE.to_owned(),
            feed: "credence-feed.credence-system.svc:8444".to_owned(),
            ca: self.held.authority.pem.as_str().into(),
            other_cas: Vec::new(),
            root_sha256: self.held.root.clone(),
            egress: None,
        }
    }

    /// None if the webhook hangs up.
    pub(crate) async fn tls(&self, source: [u8; 4], protocol: &[u8]) -> Option<Tls> {
        let mut roots = RootCertStore::empty();
        roots.add(self.held.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((source, 0))).unwrap();
        let tcp = socket.connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from(SERVICE).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, tcp).await.ok()
    }

    pub(crate) async fn http2(&self) -> Asker {
        self.http2_from(API_SERVER).await.unwrap()
    }

    pub(crate) async fn http2_from(&self, source: [u8; 4]) -> Option<Asker> {
        let tls = TokioIo::new(self.tls(source, HTTP2).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), tls).await.unwrap();
        tokio::spawn(connection);
        Some(Asker::Http2(sender))
    }

    /// One request at a time, as this protocol has it.
    pub(crate) async fn http1(&self) -> Asker {
        let tls = TokioIo::new(self.tls(API_SERVER, HTTP1).await.unwrap());
        let (sender, connection) = http1::handshake(tls).await.unwrap();
        tokio::spawn(connection);
        Asker::Http1(Arc::new(Mutex::new(sender)))
    }
}

/// A connection of an API server.
#[derive(Clone)]
pub(crate) enum Asker {
    Http2(http2::SendRequest<Full<Bytes>>),
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
}

impl Asker {
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
        self.try_to_ask(request).await.unwrap()
    }

    /// An error if the webhook has hung up.
    pub(crate) async fn try_to_ask(
        &self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        let response = match self {
            Self::Http2(sender) => sender.clone().send_request(request).await?,
            Self::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                let (head, body) = response.into_parts();
                return Ok((head.status, body.collect().await?.to_bytes()));
            }
        };
        let (head, body) = response.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    kind: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://{SERVICE}{path}"))
        .header("host", SERVICE)
        .header("content-type", kind)
        .body(Full::new(body.into()))
        .unwrap()
}

pub(crate) fn review(uid: &str, pod: &Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "object": pod,
        },
    });
    serde_json::to_vec(&review).unwrap()
}

/// A pod as large as they come from a Deployment, each another one.
pub(crate) fn pod(number: u32) -> Value {
    let env: Vec<Value> = (0..number % 40)
        .map(|i| json!({"name": format!("SETTING_{i}"), "value": "x".repeat(40)}))
        .collect();
    let labels = json!({"app": "web", "number": number.to_string()});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "web-", "labels": labels, "annotations": {"credence.dev/collections": "openai"}},
        "spec": {
            "initContainers": [{"name": "migrate", "image": "migrate:1"}],
            "containers": [{"name": "app", "image": "app:1", "env": env}],
        },
    })
}

pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Asks about one pod and checks every part of the answer.
pub(crate) async fn admitted(asker: Asker, settings: Arc<InjectSettings>, number: u32) -> Duration {
    let (uid, pod) = (format!("uid-{number}"), pod(number));
    let request = request("POST", "/inject", JSON, review(&uid, &pod));
    let begun = Instant::now();
    let (status, body) = asker.ask(request).await;
    let took = begun.elapsed();
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let response = &answer["response"];
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!(uid), &json!(true))
    );
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let Decision::Inject(expected) = decide(&pod, &Namespace::default(), &settings) else {
        panic!("not injected");
    };
    assert_eq!(
        serde_json::from_slice::<Value>(&patch).unwrap(),
        serde_json::to_value(&expected.patch).unwrap()
    );
    took
}
