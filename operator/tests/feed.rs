//! The feed over real TLS and HTTP/2, in front of an API server that knows one
//! token and one pod.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credence_core::bundle::{Bundle, Entry, Route};
use credence_core::names::{ACK_PATH, CONTAINER, FEED_PATH, REPORT_PATH};
use credence_core::reception::Said;
use credence_core::wire::{Ack, Event};
use credence_core::{CollectionName, Environment};
use credence_operator::catalogue::{Catalogue, Planned};
use credence_operator::certificates::{Held, authority, resolver};
use credence_operator::feed::reviews::Reviews;
use credence_operator::feed::service::Feed;
use credence_operator::feed::streams::Streams;
use credence_operator::metrics::Metrics;
use credence_operator::queue::Queue;
use credence_operator::readiness::{Check, Readiness};
use credence_operator::resolution::Resolution;
use credence_operator::revision::Inputs;
use credence_operator::server::{HTTP2, Server, bind};
use credence_operator::shutdown::{self, Trigger};
use credence_operator::watches::pods::Pods;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

const TOKEN: &str = "token-of-web-0";
const SERVICE: &str = "credence-feed";

/// Answers what the feed asks of an API server, and nothing else.
async fn api_server(
    request: Request<kube::client::Body>,
) -> Result<Response<kube::client::Body>, Infallible> {
    let (head, body) = request.into_parts();
    let (status, answer) = match (head.method.as_str(), head.uri.path()) {
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews") => {
            let asked: Value =
                serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            let mut review = asked.clone();
            review["status"] = match asked["spec"]["token"].as_str() {
                Some(TOKEN) => json!({
                    "authenticated": true,
                    "audiences": asked["spec"]["audiences"],
                    "user": {"username": "system:serviceaccount:shop:checkout", "extra": {
                        "authentication.kubernetes.io/pod-name": ["web-0"],
                        "authentication.kubernetes.io/pod-uid": ["uid-of-web-0"],
                    }},
                }),
                _ => json!({"authenticated": false}),
            };
            (StatusCode::CREATED, review)
        }
        ("GET", "/api/v1/namespaces/shop/pods/web-0") => (
            StatusCode::OK,
            json!({
                "metadata": {"name": "web-0", "namespace": "shop", "uid": "uid-of-web-0"},
                "spec": {
                    "serviceAccountName": "checkout",
                    "initContainers": [{"name": CONTAINER, "image": "sidecar:1", "restartPolicy": "Always"}],
                },
                "status": {"phase": "Running"},
            }),
        ),
        (method, path) => panic!("nobody should ask for {method} {path}"),
    };
    let bytes = serde_json::to_vec(&answer).unwrap();
    Ok(Response::builder()
        .status(status)
        .body(bytes.into())
        .unwrap())
}

struct Operator {
    address: SocketAddr,
    root: Held,
    catalogue: Arc<Catalogue>,
    streams: Streams,
    readiness: Readiness,
    _drain: Trigger,
}

fn openai() -> CollectionName {
    "openai".parse().unwrap()
}

/// A plan with a route to this host.
fn planned(environment: Environment, generation: i64, host: &str) -> Planned {
    let inputs = Inputs {
        uid: "u".to_owned(),
        generation,
        environment,
        objects: BTreeMap::new(),
    };
    let route = Route::to(format!("https://{host}").parse().unwrap());
    let resolution = Resolution {
        entry: Entry::Ready(Arc::new(route)),
        ..Resolution::rejected(inputs)
    };
    Planned {
        service_accounts: None,
        resolutions: BTreeMap::from([(environment, Arc::new(resolution))]),
    }
}

impl Operator {
    async fn start() -> Self {
        let client = kube::Client::new(tower::service_fn(api_server), "default");
        let metrics = Arc::new(Metrics::default());
        let catalogue = Arc::new(Catalogue::new(Queue::default()));
        let streams = Streams::new(metrics.clone());
        let readiness = Readiness::default();
        for check in [Check::Collections, Check::Namespaces, Check::Pods] {
            readiness.set(check, true);
        }
        let (drain, draining) = shutdown::channel();
        let feed = Arc::new(Feed {
            reviews: Reviews::new(client.clone()),
            pods: Pods::new(client),
            catalogue: catalogue.clone(),
            streams: streams.clone(),
            readiness: readiness.clone(),
            metrics,
            sidecar_image: "sidecar:1".into(),
            shutdown: draining.clone(),
        });
        let now = Timestamp::now();
        let authority = authority::authority(now).unwrap();
        let leaf = authority::leaf(&authority, &[SERVICE.to_owned()], now).unwrap();
        let root = Held::of_pairs(authority, leaf).unwrap();
        let (_, held) = watch::channel(Some(Arc::new(root.clone())));
        let tls = resolver::server_config(held, &[HTTP2]).unwrap();
        let server = Server::new(bind(Some([127, 0, 0, 1].into()), 0).await.unwrap(), tls, 8);
        let address = server.local_addr().unwrap();
        tokio::spawn(async move { server.run(|| feed.connect(), draining).await });
        catalogue.set_environment("shop", Some(Environment::Development));
        catalogue.expect("shop", &openai());
        Self {
            address,
            root,
            catalogue,
            streams,
            readiness,
            _drain: drain,
        }
    }

    fn plan(&self, environment: Environment, generation: i64, host: &str) {
        let planned = planned(environment, generation, host);
        self.catalogue.put("shop", &openai(), planned);
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(SERVICE).unwrap();
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap();
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    token: &str,
    body: Vec<u8>,
) -> Response<Incoming> {
    let request = Request::builder()
        .method(method)
        .uri(format!("https://{SERVICE}{path}"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(body))
        .unwrap();
    sender.send_request(request).await.unwrap()
}

/// The next line, which arrives long before this gives up.
async fn event(body: &mut Incoming) -> Event {
    let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    let line = frame.unwrap().unwrap().unwrap().into_data().unwrap();
    Event::decode(&line).unwrap()
}

async fn bundle(body: &mut Incoming) -> Bundle {
    match event(body).await {
        Event::Bundle(bundle) => bundle,
        other => panic!("{other:?} is no bundle"),
    }
}

fn host(bundle: &Bundle) -> Option<String> {
    match bundle.collections.get(&openai())? {
        Entry::Ready(route) => Some(route.base_url.host().to_owned()),
        Entry::Unavailable(_) | Entry::Unsupported(_) => None,
    }
}

#[tokio::test]
async fn a_sidecar_follows_what_is_planned_and_acknowledges_it() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = ask(&mut sidecar, Method::GET, FEED_PATH, TOKEN, Vec::new()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut lines = response.into_body();
    let Event::Hello {
        stream,
        max_age_seconds,
    } = event(&mut lines).await
    else {
        panic!("a stream begins with hello");
    };
    assert!(
        (2430..=2970).contains(&max_age_seconds),
        "{max_age_seconds}"
    );
    let first = bundle(&mut lines).await;
    assert_eq!(
        (first.environment, host(&first)),
        (Environment::Development, Some("one.test".to_owned()))
    );

    operator.plan(Environment::Development, 2, "two.test");
    let second = bundle(&mut lines).await;
    assert_eq!(host(&second).as_deref(), Some("two.test"));
    assert_ne!(first.revision, second.revision);

    let ack = Ack {
        stream,
        revision: second.revision,
        refused: BTreeMap::new(),
    };
    let ack = serde_json::to_vec(&ack).unwrap();
    let mut other = operator.connect().await;
    let response = ask(&mut other, Method::POST, ACK_PATH, TOKEN, ack.clone()).await;
    assert_eq!(
        response.status(),
        StatusCode::CONFLICT,
        "it is another connection's stream"
    );
    let response = ask(&mut sidecar, Method::POST, ACK_PATH, TOKEN, ack).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let counts = operator.streams.counts();
    let count = &counts[&("shop".to_owned(), openai())];
    assert_eq!((count.connected, count.current), (1, 1));
}

#[tokio::test]
async fn a_sidecar_reports_for_itself_and_of_what_it_was_sent() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = ask(&mut sidecar, Method::GET, FEED_PATH, TOKEN, Vec::new()).await;
    let mut lines = response.into_body();
    let Event::Hello { stream, .. } = event(&mut lines).await else {
        panic!("a stream begins with hello");
    };
    let revision = bundle(&mut lines).await.revision;
    let report = |stream: &str, collection: &str, status: u16| {
        json!({
            "stream": stream,
            "revision": revision,
            "collection": collection,
            "status": status,
            "worked": true,
        })
        .to_string()
        .into_bytes()
    };
    let mut other = operator.connect().await;
    let honest = report(&stream, "openai", 401);
    let response = ask(&mut other, Method::POST, REPORT_PATH, TOKEN, honest.clone()).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    for (content, status) in [
        (report("another", "openai", 401), StatusCode::CONFLICT),
        (report(&stream, "stripe", 401), StatusCode::FORBIDDEN),
        (report(&stream, "openai", 403), StatusCode::BAD_REQUEST),
        (b"{}".to_vec(), StatusCode::BAD_REQUEST),
        (vec![b' '; 5000], StatusCode::BAD_REQUEST),
    ] {
        let shown = String::from_utf8_lossy(&content).into_owned();
        let response = ask(&mut sidecar, Method::POST, REPORT_PATH, TOKEN, content).await;
        assert_eq!(response.status(), status, "{shown}");
    }
    let rejected = || {
        let counts = operator.streams.counts();
        counts[&("shop".to_owned(), openai())].rejected.clone()
    };
    assert!(rejected().is_empty());
    for (content, status) in [
        (honest.clone(), StatusCode::NO_CONTENT),
        (honest, StatusCode::NO_CONTENT),
        (
            report(&stream, "openai", 200),
            StatusCode::TOO_MANY_REQUESTS,
        ),
    ] {
        let response = ask(&mut sidecar, Method::POST, REPORT_PATH, TOKEN, content).await;
        assert_eq!(response.status(), status);
    }
    let said: Vec<Said> = rejected().into_values().collect();
    let expected = Said {
        status: Some(401),
        worked: true,
    };
    assert_eq!(said, [expected]);
    operator.plan(Environment::Development, 2, "two.test");
    bundle(&mut lines).await;
    assert!(rejected().is_empty());
}

#[tokio::test]
async fn what_was_planned_for_live_is_gone_before_development_is_planned() {
    let operator = Operator::start().await;
    operator
        .catalogue
        .set_environment("shop", Some(Environment::Live));
    operator.plan(Environment::Live, 1, "live.test");
    let mut sidecar = operator.connect().await;
    let response = ask(&mut sidecar, Method::GET, FEED_PATH, TOKEN, Vec::new()).await;
    let mut lines = response.into_body();
    event(&mut lines).await;
    assert_eq!(
        host(&bundle(&mut lines).await).as_deref(),
        Some("live.test")
    );

    operator
        .catalogue
        .set_environment("shop", Some(Environment::Development));
    let withdrawn = bundle(&mut lines).await;
    assert_eq!(
        (withdrawn.environment, host(&withdrawn)),
        (Environment::Development, None)
    );
    operator.plan(Environment::Development, 1, "development.test");
    assert_eq!(
        host(&bundle(&mut lines).await).as_deref(),
        Some("development.test")
    );
}

#[tokio::test]
async fn nobody_without_the_token_gets_anything() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut stranger = operator.connect().await;
    let response = ask(&mut stranger, Method::GET, FEED_PATH, "other", Vec::new()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let response = ask(&mut stranger, Method::GET, "/", TOKEN, Vec::new()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_replica_that_has_not_listed_everything_sends_nothing() {
    let operator = Operator::start().await;
    operator.readiness.set(Check::Collections, false);
    let mut sidecar = operator.connect().await;
    let response = ask(&mut sidecar, Method::GET, FEED_PATH, TOKEN, Vec::new()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
