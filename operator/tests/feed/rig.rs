//! An operator whose API server knows the pods web-0, web-1, … and their
//! tokens.

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
use credence_core::names::{
    CONTAINER, FEED_CA_VARIABLE, FEED_PATH, FEED_VARIABLE, INJECTED, TOKEN_VARIABLE,
};
use credence_core::wire::Event;
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
/// Where sidecars of ours are told that the feed is.
const ADDRESS: &str = "credence-feed.credence-system.svc:8444";

/// A token for the feed, with the name of its pod for a signature.
pub(crate) fn token(signature: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = json!({"aud": ["credence"], "exp": Timestamp::now().as_second() + 600});
    format!("{}.{}.{signature}", part("{}"), part(&claims.to_string()))
}

/// What the API server takes for the token of the pod web-0.
pub(crate) fn good_token() -> String {
    token("web-0")
}

/// The pod of this name: those whose name says so dial somebody else.
fn pod(name: &str, ca: &str) -> Value {
    let feed = match name {
        "web-elsewhere" => "theirs.test:8444",
        _ => ADDRESS,
    };
    let ca = match name {
        "web-deceived" => format!("{ca}{}", authorities().current.unwrap().authority.pem),
        _ => ca.to_owned(),
    };
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-of-{name}"),
            "labels": {INJECTED: "true"},
        },
        "spec": {
            "serviceAccountName": "checkout",
            "initContainers": [{
                "name": CONTAINER, "image": "sidecar:1", "restartPolicy": "Always",
                "env": [
                    {"name": FEED_VARIABLE, "value": feed},
                    {"name": FEED_CA_VARIABLE, "value": ca},
                    {"name": TOKEN_VARIABLE, "value": "/var/run/secrets/credence.dev/token"},
                ],
            }],
        },
        "status": {"phase": "Running"},
    })
}

fn authorities() -> Authorities {
    let services = [SERVICE.to_owned()];
    let now = Timestamp::now();
    advance(&Authorities::default(), &Step::Create, &services, now).unwrap()
}

/// Answers what the feed asks of an API server, and nothing else.
async fn api_server(
    request: Request<kube::client::Body>,
    reviews: Arc<AtomicUsize>,
    ca: Arc<str>,
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
        ("GET", path) if path.starts_with("/api/v1/namespaces/shop/pods/web-") => {
            (StatusCode::OK, pod(&path[29..], &ca))
        }
        (method, path) => panic!("nobody should ask for {method} {path}"),
    };
    let bytes = serde_json::to_vec(&answer).unwrap();
    Ok(Response::builder()
        .status(status)
        .body(bytes.into())
        .unwrap())
}

pub(crate) struct Operator {
    address: SocketAddr,
    root: CertificateDer<'static>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) streams: Streams,
    pub(crate) readiness: Readiness,
    /// How many tokens the API server was asked about.
    pub(crate) reviews: Arc<AtomicUsize>,
    _drain: Trigger,
}

pub(crate) fn openai() -> CollectionName {
    "openai".parse().unwrap()
}

pub(crate) fn key() -> CollectionKey {
    CollectionKey::in_namespace("shop", openai())
}

pub(crate) fn outline() -> Outline {
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
pub(crate) fn planned(environment: Environment, generation: i64, host: &str) -> Planned {
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
    pub(crate) async fn start() -> Self {
        let reviews = Arc::new(AtomicUsize::new(0));
        let authorities = authorities();
        let authority = authorities.current.as_ref().unwrap().authority.clone();
        let (counter, ca) = (reviews.clone(), Arc::from(authority.pem));
        let api_server =
            tower::service_fn(move |request| api_server(request, counter.clone(), Arc::clone(&ca)));
        let (_, held) = watch::channel(Arc::new(authorities));
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
            address: ADDRESS.to_owned(),
            held: held.clone(),
            shutdown: draining.clone(),
        });
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
            root: authority.der,
            catalogue,
            streams,
            readiness,
            reviews,
            _drain: drain,
        };
        operator.label(Environment::Development);
        operator
    }

    pub(crate) fn label(&self, environment: Environment) {
        let namespace = Namespace {
            environment,
            labels: BTreeMap::new(),
        };
        self.catalogue.set_namespace("shop", Some(namespace));
    }

    pub(crate) fn plan(&self, environment: Environment, generation: i64, host: &str) {
        let planned = planned(environment, generation, host);
        self.catalogue.put(&key(), planned);
    }

    pub(crate) async fn connect(&self) -> SendRequest<Full<Bytes>> {
        self.connect_from([127, 0, 0, 1]).await.unwrap()
    }

    /// None if the operator hangs up.
    pub(crate) async fn connect_from(&self, source: [u8; 4]) -> Option<SendRequest<Full<Bytes>>> {
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

pub(crate) async fn ask(
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

/// Opens the feed, as a sidecar does.
pub(crate) async fn follow(sidecar: &mut SendRequest<Full<Bytes>>) -> Response<Incoming> {
    ask(sidecar, Method::GET, FEED_PATH, &good_token(), Vec::new()).await
}

/// The name of the stream, with which it begins.
pub(crate) async fn hello(lines: &mut Incoming) -> String {
    match event(lines).await {
        Event::Hello { stream, .. } => stream,
        other => panic!("{other:?} is no hello"),
    }
}

/// The next line, which arrives long before this gives up.
pub(crate) async fn event(body: &mut Incoming) -> Event {
    let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    let line = frame.unwrap().unwrap().unwrap().into_data().unwrap();
    Event::decode(&line).unwrap()
}

pub(crate) async fn bundle(body: &mut Incoming) -> Bundle {
    match event(body).await {
        Event::Bundle(bundle) => bundle,
        other => panic!("{other:?} is no bundle"),
    }
}

pub(crate) fn host(bundle: &Bundle) -> Option<String> {
    match bundle.collections.get(&openai())? {
        Entry::Ready(route) => Some(route.base_url.host().to_owned()),
        Entry::Unavailable(_) | Entry::Unsupported(_) => None,
    }
}
