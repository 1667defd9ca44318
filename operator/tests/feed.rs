//! The feed over real TLS and HTTP/2, in front of an API server that knows the
//! pods web-0, web-1, … and their tokens.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use credence_core::bundle::{Bundle, Entry, Route};
use credence_core::collection::Scope;
use credence_core::names::{ACK_PATH, CONTAINER, FEED_PATH, INJECTED, REPORT_PATH};
use credence_core::reception::Said;
use credence_core::wire::{Ack, Event};
use credence_core::{CollectionName, Environment};
use credence_operator::catalogue::{Catalogue, Namespace, Outline, Planned};
use credence_operator::certificates::rotation::{Step, advance};
use credence_operator::certificates::{Authorities, resolver};
use credence_operator::collection_key::CollectionKey;
use credence_operator::feed::attempts::Attempts;
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
use credence_operator::tokens::refusals::Refusals;
use credence_operator::tokens::secret_store::SecretStore;
use credence_operator::watches::pods::Pods;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

const SERVICE: &str = "credence-feed";

/// A token for the feed, with the name of its pod for a signature.
fn token(signature: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = json!({"aud": ["credence"], "exp": Timestamp::now().as_second() + 600});
    format!("{}.{}.{signature}", part("{}"), part(&claims.to_string()))
}

/// What the API server takes for the token of the pod web-0.
fn good_token() -> String {
    token("web-0")
}

/// Answers what the feed asks of an API server, and nothing else.
async fn api_server(
    request: Request<kube::client::Body>,
    reviews: Arc<AtomicUsize>,
) -> Result<Response<kube::client::Body>, Infallible> {
    let (head, body) = request.into_parts();
    let (status, answer) = match (head.method.as_str(), head.uri.path()) {
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews") => {
            let asked: Value =
                serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            let mut review = asked.clone();
            reviews.fetch_add(1, Ordering::Relaxed);
            let token = asked["spec"]["token"].as_str().unwrap();
            review["status"] = match token.rsplit_once('.').unwrap().1 {
                web if web.starts_with("web-") => json!({
                    "authenticated": true,
                    "audiences": asked["spec"]["audiences"],
                    "user": {"username": "system:serviceaccount:shop:checkout", "extra": {
                        "authentication.kubernetes.io/pod-name": [web],
                        "authentication.kubernetes.io/pod-uid": [format!("uid-of-{web}")],
                    }},
                }),
                _ => json!({"authenticated": false}),
            };
            (StatusCode::CREATED, review)
        }
        ("GET", path) if path.starts_with("/api/v1/namespaces/shop/pods/web-") => (
            StatusCode::OK,
            json!({
                "metadata": {"name": "web", "namespace": "shop", "uid": format!("uid-of-{}", &path[29..]), "labels": {INJECTED: "true"}},
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
    root: CertificateDer<'static>,
    catalogue: Arc<Catalogue>,
    streams: Streams,
    readiness: Readiness,
    /// How many tokens the API server was asked about.
    reviews: Arc<AtomicUsize>,
    _drain: Trigger,
}

fn openai() -> CollectionName {
    "openai".parse().unwrap()
}

fn key() -> CollectionKey {
    CollectionKey::in_namespace("shop", openai())
}

fn outline() -> Outline {
    Outline {
        uid: "u".to_owned(),
        created: None,
        scope: Scope::Namespace {
            service_accounts: None,
        },
        sidecar_port: None,
    }
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
        outline: Arc::new(outline()),
        resolutions: BTreeMap::from([(environment, Arc::new(resolution))]),
    }
}

impl Operator {
    async fn start() -> Self {
        let reviews = Arc::new(AtomicUsize::new(0));
        let counter = reviews.clone();
        let api_server = tower::service_fn(move |request| api_server(request, counter.clone()));
        let client = kube::Client::new(api_server, "default");
        let metrics = Arc::new(Metrics::default());
        let catalogue = Arc::new(Catalogue::new(Queue::default(), "credence-credentials"));
        let streams = Streams::new(metrics.clone());
        let readiness = Readiness::default();
        for check in [Check::Collections, Check::Namespaces, Check::Pods] {
            readiness.set(check, true);
        }
        let (drain, draining) = shutdown::channel();
        let store = SecretStore::new(client.clone(), "credence-system");
        let feed = Arc::new(Feed {
            refusals: Refusals::new(catalogue.clone(), store),
            attempts: Attempts::default(),
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
        let services = [SERVICE.to_owned()];
        let authorities = advance(&Authorities::default(), &Step::Create, &services, now).unwrap();
        let root = authorities.current.as_ref().unwrap().authority.der.clone();
        let (_, held) = watch::channel(Arc::new(authorities));
        let tls = resolver::server_config(held, &[HTTP2]).unwrap();
        let server = Server::new(
            bind(Some([127, 0, 0, 1].into()), 0).await.unwrap(),
            tls,
            4096,
        );
        let address = server.local_addr().unwrap();
        tokio::spawn(async move { server.run(|arrival| feed.connect(arrival), draining).await });
        catalogue.announce(&key(), outline());
        let operator = Self {
            address,
            root,
            catalogue,
            streams,
            readiness,
            reviews,
            _drain: drain,
        };
        operator.label(Environment::Development);
        operator
    }

    fn label(&self, environment: Environment) {
        let namespace = Namespace {
            environment,
            labels: BTreeMap::new(),
        };
        self.catalogue.set_namespace("shop", Some(namespace));
    }

    fn plan(&self, environment: Environment, generation: i64, host: &str) {
        let planned = planned(environment, generation, host);
        self.catalogue.put(&key(), planned);
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        self.connect_from([127, 0, 0, 1]).await.unwrap()
    }

    /// None if the operator hangs up.
    async fn connect_from(&self, source: [u8; 4]) -> Option<SendRequest<Full<Bytes>>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((source, 0))).unwrap();
        let tcp = socket.connect(self.address).await.unwrap();
        let name = ServerName::try_from(SERVICE).unwrap();
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .ok()?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .unwrap();
        tokio::spawn(connection);
        Some(sender)
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
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
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
    let response = ask(
        &mut other,
        Method::POST,
        ACK_PATH,
        &good_token(),
        ack.clone(),
    )
    .await;
    assert_eq!(
        response.status(),
        StatusCode::CONFLICT,
        "it is another connection's stream"
    );
    let response = ask(&mut sidecar, Method::POST, ACK_PATH, &good_token(), ack).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let counts = operator.streams.counts();
    let count = &counts[&key()];
    assert_eq!((count.connected, count.current), (1, 1));
}

#[tokio::test]
async fn a_sidecar_reports_for_itself_and_of_what_it_was_sent() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
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
    let response = ask(
        &mut other,
        Method::POST,
        REPORT_PATH,
        &good_token(),
        honest.clone(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    for (content, status) in [
        (report("another", "openai", 401), StatusCode::CONFLICT),
        (report(&stream, "stripe", 401), StatusCode::FORBIDDEN),
        (report(&stream, "openai", 403), StatusCode::BAD_REQUEST),
        (b"{}".to_vec(), StatusCode::BAD_REQUEST),
        (vec![b' '; 5000], StatusCode::BAD_REQUEST),
    ] {
        let shown = String::from_utf8_lossy(&content).into_owned();
        let response = ask(
            &mut sidecar,
            Method::POST,
            REPORT_PATH,
            &good_token(),
            content,
        )
        .await;
        assert_eq!(response.status(), status, "{shown}");
    }
    let rejected = || {
        let counts = operator.streams.counts();
        counts[&key()].rejected.clone()
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
        let response = ask(
            &mut sidecar,
            Method::POST,
            REPORT_PATH,
            &good_token(),
            content,
        )
        .await;
        assert_eq!(response.status(), status);
    }
    // A token that is refused is renewed first.
    let token = json!({"stream": stream, "revision": revision, "collection": "openai",
        "status": 403, "worked": true, "generation": 7});
    let token = token.to_string().into_bytes();
    let response = ask(
        &mut sidecar,
        Method::POST,
        REPORT_PATH,
        &good_token(),
        token,
    )
    .await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let said: Vec<Said> = rejected().into_values().collect();
    let expected = Said {
        status: Some(401),
        worked: true,
        generation: None,
    };
    assert_eq!(said, [expected]);
    operator.plan(Environment::Development, 2, "two.test");
    bundle(&mut lines).await;
    assert!(rejected().is_empty());
}

#[tokio::test]
async fn what_was_planned_for_live_is_gone_before_development_is_planned() {
    let operator = Operator::start().await;
    operator.label(Environment::Live);
    operator.plan(Environment::Live, 1, "live.test");
    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
    let mut lines = response.into_body();
    event(&mut lines).await;
    assert_eq!(
        host(&bundle(&mut lines).await).as_deref(),
        Some("live.test")
    );

    operator.label(Environment::Development);
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
    for other in ["other", &token("other")] {
        let response = ask(&mut stranger, Method::GET, FEED_PATH, other, Vec::new()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        operator.reviews.load(Ordering::Relaxed),
        1,
        "what is no token is not reviewed"
    );
    let response = ask(&mut stranger, Method::GET, "/", &good_token(), Vec::new()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_replica_that_has_not_listed_everything_sends_nothing() {
    let operator = Operator::start().await;
    operator.readiness.set(Check::Collections, false);
    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn bad_attempts_without_end_are_not_passed_on_and_keep_nobody_waiting() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut stranger = operator.connect_from([127, 0, 0, 2]).await.unwrap();
    let mut refused = BTreeMap::<u16, usize>::new();
    for number in 0..1000 {
        let bad = token(&format!("bad{number}"));
        let response = ask(&mut stranger, Method::GET, FEED_PATH, &bad, Vec::new()).await;
        *refused.entry(response.status().as_u16()).or_default() += 1;
    }
    let reviews = operator.reviews.load(Ordering::Relaxed);
    // A second of patience each beyond the first; the machine may be slow.
    assert!(reviews < 200, "{reviews} of 1000 were reviewed");
    assert_eq!(refused.get(&401), Some(&reviews), "{refused:?}");
    assert_eq!(refused.get(&429), Some(&(1000 - reviews)), "{refused:?}");

    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn connections_that_prove_nothing_are_bounded_for_each_address() {
    let operator = Operator::start().await;
    let mut held = Vec::new();
    let mut hung_up = 0;
    for _ in 0..70 {
        match operator.connect_from([127, 0, 0, 2]).await {
            Some(connection) => held.push(connection),
            None => hung_up += 1,
        }
    }
    assert_eq!((held.len(), hung_up), (64, 6));
    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// The status of an acknowledgement by the sidecar.
async fn acknowledge(sidecar: &mut SendRequest<Full<Bytes>>, ack: &Ack) -> StatusCode {
    let ack = serde_json::to_vec(ack).unwrap();
    let response = ask(sidecar, Method::POST, ACK_PATH, &good_token(), ack).await;
    response.status()
}

#[tokio::test]
async fn acknowledgements_that_are_no_sidecars_are_refused() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = ask(
        &mut sidecar,
        Method::GET,
        FEED_PATH,
        &good_token(),
        Vec::new(),
    )
    .await;
    let mut lines = response.into_body();
    let Event::Hello { stream, .. } = event(&mut lines).await else {
        panic!("a stream begins with hello");
    };
    let revision = bundle(&mut lines).await.revision;
    let good = Ack {
        stream: stream.clone(),
        revision,
        refused: BTreeMap::new(),
    };
    let other = Ack {
        stream: "0".repeat(32),
        ..ack(&good)
    };
    assert_eq!(
        acknowledge(&mut sidecar, &other).await,
        StatusCode::CONFLICT
    );
    let long = Ack {
        refused: BTreeMap::from([("openai".to_owned(), "x".repeat(70_000))]),
        ..ack(&good)
    };
    assert_eq!(
        acknowledge(&mut sidecar, &long).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        acknowledge(&mut sidecar, &good).await,
        StatusCode::NO_CONTENT
    );
    let mut endless = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (mut sidecar, good) = (sidecar.clone(), ack(&good));
        endless.spawn(async move { acknowledge(&mut sidecar, &good).await });
    }
    let answers = endless.join_all().await;
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS));

    // The stream goes on, and is still counted as what it said before.
    operator.plan(Environment::Development, 2, "two.test");
    let second = bundle(&mut lines).await;
    assert_eq!(host(&second).as_deref(), Some("two.test"));
}

fn ack(ack: &Ack) -> Ack {
    Ack {
        stream: ack.stream.clone(),
        revision: ack.revision.clone(),
        refused: ack.refused.clone(),
    }
}

/// After an operator's restart every sidecar comes back at once. A token and a
/// pod for all of them is enough here, since each has an address of its own.
#[tokio::test]
async fn hundreds_of_sidecars_that_come_at_once_all_get_their_bundle() {
    let operator = Arc::new(Operator::start().await);
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecars = tokio::task::JoinSet::new();
    for number in 0..400_u16 {
        let operator = operator.clone();
        sidecars.spawn(async move {
            let [high, low] = number.to_be_bytes();
            let mut sidecar = operator.connect_from([127, 1, high, low]).await.unwrap();
            let token = token(&format!("web-{number}"));
            let response = ask(&mut sidecar, Method::GET, FEED_PATH, &token, Vec::new()).await;
            assert_eq!(response.status(), StatusCode::OK);
            let mut lines = response.into_body();
            event(&mut lines).await;
            host(&bundle(&mut lines).await)
        });
    }
    let hosts = sidecars.join_all().await;
    assert!(hosts.iter().all(|host| host.as_deref() == Some("one.test")));
}
