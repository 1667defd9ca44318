use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;

use credence_broker::TokenKey;
use credence_core::bundle::TokenState;
use credence_core::collection::Scope;
use credence_core::token::Order;
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::*;
use crate::catalogue::{Catalogue, Kept, Namespace, Outline, Planned};
use crate::collection_key::CollectionKey;
use crate::feed::streams::Streams;
use crate::queue::Queue;
use crate::resolution::Resolution;
use crate::revision::Inputs;
use crate::shutdown::{self, Trigger};
use crate::tokens::{self, state_secret};
use crate::watches::mirror::Listing;
use crate::watches::pods::PodView;

struct Rig {
    pods: Pods,
    catalogue: Catalogue,
    streams: Streams,
    draining: Shutdown,
    drain: Trigger,
    /// What the API server answers.
    answers: Arc<Mutex<(u16, Value)>>,
}

fn pod(uid: &str, phase: &str) -> Value {
    json!({
        "metadata": {"name": "web-0", "namespace": "shop", "uid": uid, "labels": {"credence.dev/injected": "true"}},
        "spec": {
            "serviceAccountName": "checkout",
            "initContainers": [{"name": "credence", "image": "sidecar:1", "restartPolicy": "Always"}],
        },
        "status": {"phase": phase},
    })
}

fn view(uid: &str, phase: &str) -> PodView {
    serde_json::from_value(pod(uid, phase)).unwrap()
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    (code, status)
}

impl Rig {
    fn new() -> Self {
        let answers = Arc::new(Mutex::new(failure(404, "NotFound")));
        let says = answers.clone();
        let api_server = tower::service_fn(move |_: http::Request<kube::client::Body>| {
            let (status, answer) = says.lock().unwrap().clone();
            let body = kube::client::Body::from(answer.to_string().into_bytes());
            let response = http::Response::builder().status(status).body(body);
            async { Ok::<_, Infallible>(response.unwrap()) }
        });
        let catalogue = Catalogue::new(Queue::default(), "credence-credentials");
        let namespace = Namespace {
            environment: Environment::Live,
            labels: BTreeMap::new(),
        };
        catalogue.set_namespace("shop", Some(namespace));
        let (drain, draining) = shutdown::channel();
        Self {
            pods: Pods::new(kube::Client::new(api_server, "default")),
            catalogue,
            streams: Streams::new(Arc::default()),
            draining,
            drain,
            answers,
        }
    }

    fn show(&self, event: watcher::Event<PodView>) {
        self.pods
            .apply(event, &mut Listing::default(), &self.catalogue);
    }

    fn answer(&self, answer: (u16, Value)) {
        *self.answers.lock().unwrap() = answer;
    }

    /// A collection whose credential is a token.
    fn plan(&self) -> (CollectionKey, Arc<Order>) {
        let order = tokens::tests::order(1);
        let key = CollectionKey::in_namespace("shop", "openai".parse().unwrap());
        let outline = Outline {
            uid: "c".to_owned(),
            created: None,
            scope: Scope::Namespace {
                service_accounts: None,
            },
            sidecar_port: None,
        };
        let inputs = Inputs {
            uid: "c".to_owned(),
            generation: 1,
            environment: Environment::Live,
            objects: BTreeMap::new(),
        };
        let resolution = Resolution {
            entry: tokens::tests::on_token(),
            order: Some(order.clone()),
            ..Resolution::rejected(inputs)
        };
        let resolutions = BTreeMap::from([(Environment::Live, Arc::new(resolution))]);
        self.catalogue.announce(&key, outline.clone());
        self.catalogue.put(
            &key,
            Planned {
                outline: Arc::new(outline),
                resolutions,
            },
        );
        (key, order)
    }

    /// The stream of the pod `u`, of which hello and the first bundle were read.
    async fn stream(&self) -> Body {
        let id: Arc<str> = "s".into();
        let mut body = body(Parts {
            identity: Identity {
                namespace: "shop".to_owned(),
                service_account: "checkout".to_owned(),
                pod: "web-0".to_owned(),
                pod_uid: "u".to_owned(),
                credential_id: None,
            },
            pod: Arc::new(view("u", "Running").into()),
            pods: self.pods.clone(),
            sidecar_image: "sidecar:1".into(),
            shelf: self.catalogue.subscribe("shop"),
            registration: self.streams.register(id.clone(), "u").unwrap(),
            shutdown: self.draining.clone(),
            id,
        });
        assert!(matches!(event(&mut body).await, Some(Event::Hello { .. })));
        assert!(matches!(event(&mut body).await, Some(Event::Bundle(_))));
        body
    }
}

async fn event(body: &mut Body) -> Option<Event> {
    let line = body.frame().await?.unwrap().into_data().unwrap();
    Some(Event::decode(&line).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_without_a_withdrawal_when_its_pod_is_known_to_be_gone() {
    let rig = Rig::new();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let mut stream = rig.stream().await;
    assert_eq!(event(&mut stream).await, Some(Event::Ping));
    let began = Instant::now();
    rig.show(watcher::Event::Delete(view("u", "Running")));
    assert_eq!(event(&mut stream).await, None);
    assert!(began.elapsed() <= PING);
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_holds_is_withdrawn_when_it_loses_the_label_that_it_is_watched_by() {
    let rig = Rig::new();
    rig.plan();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let mut stream = rig.stream().await;
    let began = Instant::now();
    rig.show(watcher::Event::Delete(view("u", "Running")));
    // As long as nobody knows, nothing is taken away and nothing sent.
    rig.answer(failure(503, "ServiceUnavailable"));
    for _ in 0..3 {
        assert_eq!(event(&mut stream).await, Some(Event::Ping));
    }
    let mut unlabelled = pod("u", "Running");
    unlabelled["metadata"]["labels"] = json!({});
    rig.answer((200, unlabelled));
    let Some(Event::Bundle(bundle)) = event(&mut stream).await else {
        panic!("nothing was withdrawn");
    };
    assert!(bundle.collections.is_empty(), "{bundle:?}");
    assert_eq!(event(&mut stream).await, None);
    assert!(began.elapsed() <= 4 * (PING + PATIENCE));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_there_under_its_name_only_is_gone() {
    let rig = Rig::new();
    rig.plan();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let mut stream = rig.stream().await;
    rig.show(watcher::Event::Delete(view("u", "Running")));
    rig.answer((200, pod("v", "Running")));
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_another_pod_has_its_name() {
    let rig = Rig::new();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let mut stream = rig.stream().await;
    rig.show(watcher::Event::Apply(view("v", "Running")));
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_pod_is_finished() {
    let rig = Rig::new();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let mut stream = rig.stream().await;
    rig.show(watcher::Event::Apply(view("u", "Succeeded")));
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_or_is_behind_ends_no_stream() {
    let rig = Rig::new();
    // What it knows is an earlier pod of this name.
    rig.show(watcher::Event::Apply(view("t", "Running")));
    let mut stream = rig.stream().await;
    assert_eq!(event(&mut stream).await, Some(Event::Ping));
    rig.show(watcher::Event::Apply(view("u", "Running")));
    assert_eq!(event(&mut stream).await, Some(Event::Ping));
    // It begins anew, and does not get to the end.
    rig.show(watcher::Event::Init);
    for _ in 0..100 {
        assert_eq!(event(&mut stream).await, Some(Event::Ping));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_three_quarters_of_an_hour_more_or_less() {
    let rig = Rig::new();
    let mut stream = rig.stream().await;
    let began = Instant::now();
    while let Some(event) = event(&mut stream).await {
        assert_eq!(event, Event::Ping);
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    assert!((40.5..=49.5).contains(&minutes), "{minutes}");
}

#[tokio::test(start_paused = true)]
async fn streams_of_a_replica_that_stops_end_one_after_another() {
    let rig = Rig::new();
    let mut ends = Vec::new();
    rig.drain.drain();
    for _ in 0..20 {
        let mut stream = rig.stream().await;
        let began = Instant::now();
        assert_eq!(event(&mut stream).await, None);
        ends.push(began.elapsed());
    }
    assert!(ends.iter().all(|end| *end <= SPREAD), "{ends:?}");
    let spread = ends
        .iter()
        .max()
        .unwrap()
        .abs_diff(*ends.iter().min().unwrap());
    assert!(spread > SPREAD / 4, "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_is_sent_without_the_rest() {
    let rig = Rig::new();
    rig.show(watcher::Event::Apply(view("u", "Running")));
    let (key, order) = rig.plan();
    let mut stream = rig.stream().await;
    let name = state_secret::name(&TokenKey::new("c", Environment::Live));
    for token in ["t1", "t2"] {
        let record = tokens::tests::record(&order, token, None);
        let of = key.clone();
        rig.catalogue.set_record(&name, Some(Kept { of, record }));
        let Some(Event::Tokens(news)) = event(&mut stream).await else {
            panic!("no tokens were sent");
        };
        let Some(TokenState::Held(held)) = news.get("openai") else {
            panic!("it is withheld");
        };
        assert_eq!(held.value.expose(), token);
    }
    rig.catalogue.touch("shop");
    assert_eq!(
        event(&mut stream).await,
        Some(Event::Ping),
        "nothing is new"
    );
}
