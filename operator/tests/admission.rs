//! The injector over real TLS, as an API server asks it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

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
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SERVICE: &str = "credence-webhook";
const IMAGE: &str = "example.com/sidecar:1";
const JSON: &str = "application/json";

/// What a burst of new pods may ask for.
const PER_SECOND: u32 = 200;
const SECONDS: u32 = 5;
/// What the webhook aims at; how busy the machine is decides, so it is shown
/// and not demanded.
const TARGET: Duration = Duration::from_millis(25);
/// Above what an allocator keeps for itself, far below one leak a review.
const GROWTH: u64 = 16 * 1024 * 1024;

struct Webhook {
    address: SocketAddr,
    held: Held,
    metrics: Arc<Metrics>,
    _drain: Trigger,
}

impl Webhook {
    async fn start() -> Self {
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
        let server = Server::new(listener, tls, 8);
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
        }
    }

    /// What is injected here.
    fn settings(&self) -> InjectSettings {
        InjectSettings {
            image: IMAGE.to_owned(),
            feed: "credence-feed.credence-system.svc:8444".to_owned(),
            ca: self.held.authority.pem.as_str().into(),
            other_cas: Vec::new(),
            root_sha256: self.held.root.clone(),
            egress: None,
        }
    }

    async fn tls(&self, protocol: &[u8]) -> TokioIo<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.held.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from(SERVICE).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        TokioIo::new(connector.connect(name, tcp).await.unwrap())
    }

    async fn http2(&self) -> Asker {
        let tls = self.tls(HTTP2).await;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), tls).await.unwrap();
        tokio::spawn(connection);
        Asker::Http2(sender)
    }

    /// One request at a time, as this protocol has it.
    async fn http1(&self) -> Asker {
        let (sender, connection) = http1::handshake(self.tls(HTTP1).await).await.unwrap();
        tokio::spawn(connection);
        Asker::Http1(Arc::new(Mutex::new(sender)))
    }
}

/// A connection of an API server.
#[derive(Clone)]
enum Asker {
    Http2(http2::SendRequest<Full<Bytes>>),
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
}

impl Asker {
    async fn ask(&self, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
        let response = match self {
            Self::Http2(sender) => sender.clone().send_request(request).await.unwrap(),
            Self::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await.unwrap();
                let response = sender.send_request(request).await.unwrap();
                let (head, body) = response.into_parts();
                return (head.status, body.collect().await.unwrap().to_bytes());
            }
        };
        let (head, body) = response.into_parts();
        (head.status, body.collect().await.unwrap().to_bytes())
    }
}

fn request(method: &str, path: &str, kind: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://{SERVICE}{path}"))
        .header("host", SERVICE)
        .header("content-type", kind)
        .body(Full::new(body.into()))
        .unwrap()
}

fn review(uid: &str, pod: &Value) -> Vec<u8> {
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
fn pod(number: u32) -> Value {
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

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Asks about one pod and checks every part of the answer.
async fn admitted(asker: Asker, settings: Arc<InjectSettings>, number: u32) -> Duration {
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

async fn burst(askers: &[Asker], settings: &Arc<InjectSettings>, count: u32) -> Vec<Duration> {
    let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    for number in 0..count {
        pace.tick().await;
        let asker = askers[number as usize % askers.len()].clone();
        asked.spawn(admitted(asker, settings.clone(), number));
    }
    asked.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_pods_a_second_are_all_answered_rightly_and_memory_stays_flat() {
    let webhook = Webhook::start().await;
    let settings = Arc::new(webhook.settings());
    let askers = [
        webhook.http2().await,
        webhook.http1().await,
        webhook.http2().await,
        webhook.http1().await,
    ];
    burst(&askers, &settings, PER_SECOND).await;
    let before = resident();
    let begun = Instant::now();
    let count = PER_SECOND * SECONDS;
    let mut took = burst(&askers, &settings, count).await;
    let elapsed = begun.elapsed();
    let grown = resident().saturating_sub(before);
    assert_eq!(took.len(), count as usize);
    took.sort();
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "{count} pods in {elapsed:.1?}: p50 {p50:.1?}, p99 {p99:.1?} (target {TARGET:?}), \
         memory {} KiB more",
        grown / 1024
    );
    assert!(grown < GROWTH, "{grown} bytes more after {count} reviews");
    let metrics = webhook.metrics.render(&[], Timestamp::now());
    let all = PER_SECOND + count;
    let counted = format!(
        "credence_admission_requests_total{{decision=\"inject\",reason=\"opted-in\"}} {all}"
    );
    assert!(metrics.contains(&counted), "{metrics}");
}

#[tokio::test]
async fn what_is_no_review_is_answered_for_what_it_is() {
    let webhook = Webhook::start().await;
    let asker = webhook.http2().await;
    let good = review("u", &pod(1));
    for (method, path, kind, body, expected) in [
        (
            "POST",
            "/inject",
            "application/json; charset=utf-8",
            good.clone(),
            200,
        ),
        ("POST", "/", JSON, good.clone(), 404),
        ("GET", "/inject", JSON, Vec::new(), 405),
        ("POST", "/inject", "application/yaml", good, 415),
        ("POST", "/inject", JSON, vec![b' '; 11 * 1024 * 1024], 413),
    ] {
        let (status, _) = asker.ask(request(method, path, kind, body)).await;
        assert_eq!(status.as_u16(), expected, "{method} {path} {kind}");
    }
    let (status, body) = asker.ask(request("POST", "/inject", JSON, "{}")).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
}
