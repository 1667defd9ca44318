//! Replicas that share an API server's Secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use credence_broker::{Asking, Clock, Unanswered};
use credence_core::Environment;
use credence_core::collection::Scope;
use credence_core::token::{RawAnswer, Renewal};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::*;
use crate::catalogue::{Kept as KeptRecord, Outline, Planned};
use crate::collection_key::CollectionKey;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::resolution::Resolution;
use crate::revision::Inputs;
use crate::shutdown::{self, Trigger};
use crate::tokens::counted::Counted;
use crate::tokens::refusals::{Refusals, RefusedToken};
use crate::tokens::state_secret;
use crate::tokens::tests::{on_token, order};

const LIVE: Environment = Environment::Live;
const DEVELOPMENT: Environment = Environment::Development;
/// Far above what anything here takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The Secrets of a namespace, and who is told of their changes.
#[derive(Clone, Default)]
struct Cluster {
    secrets: Arc<Mutex<BTreeMap<String, Secret>>>,
    followers: Arc<Mutex<Vec<Arc<Catalogue>>>>,
}

impl Cluster {
    fn client(&self) -> Client {
        let cluster = self.clone();
        let answer = move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, Infallible>(cluster.answer(request).await) }
        };
        Client::new(tower::service_fn(answer), "credence-system")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let sent = || serde_json::from_slice::<Secret>(&body).unwrap();
        let name = head.uri.path().rsplit('/').next().unwrap().to_owned();
        let mut secrets = self.secrets.lock().unwrap();
        let refused = |code: u16, reason: &str| {
            let status = json!({"kind": "Status", "status": "Failure", "code": code,
                "reason": reason, "message": reason});
            (code, status)
        };
        let (status, answer) = match head.method {
            Method::GET | Method::DELETE if !secrets.contains_key(&name) => {
                refused(404, "NotFound")
            }
            Method::GET => (200, json!(secrets[&name])),
            Method::POST if secrets.contains_key(&sent().name_any()) => {
                refused(409, "AlreadyExists")
            }
            Method::POST => (201, json!(Self::put(&mut secrets, sent()))),
            Method::PUT => {
                let before = secrets
                    .get(&name)
                    .and_then(|found| found.resource_version());
                match before == sent().resource_version() {
                    true => (200, json!(Self::put(&mut secrets, sent()))),
                    false => refused(409, "Conflict"),
                }
            }
            Method::DELETE => (200, json!(secrets.remove(&name))),
            other => panic!("{other}"),
        };
        drop(secrets);
        self.tell();
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Response::builder().status(status).body(body).unwrap()
    }

    fn put(secrets: &mut BTreeMap<String, Secret>, mut secret: Secret) -> Secret {
        static VERSIONS: AtomicUsize = AtomicUsize::new(1);
        let version = VERSIONS.fetch_add(1, Ordering::SeqCst);
        secret.metadata.resource_version = Some(version.to_string());
        secrets.insert(secret.name_any(), secret.clone());
        secret
    }

    fn tell(&self) {
        let secrets = self.secrets.lock().unwrap().clone();
        for catalogue in self.followers.lock().unwrap().iter() {
            catalogue.retain_records(&secrets.keys().cloned().collect());
            for (name, secret) in &secrets {
                let record = Arc::new(state_secret::record(secret).unwrap());
                let of = state_secret::owner(secret).unwrap();
                catalogue.set_record(name, Some(KeptRecord { of, record }));
            }
        }
    }
}

/// Gives a token each time that it is asked, and another refresh token to who
/// came with one; and remembers with what it was asked.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Vec<Option<String>>>>);

impl Provider {
    fn asked(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Issuer for Provider {
    type Order = Order;

    async fn ask(
        &self,
        _: &Order,
        asking: Asking<'_>,
        _: Timestamp,
    ) -> Result<RawAnswer, Unanswered> {
        let refresh_token = match asking {
            Asking::Anew => None,
            Asking::Refresh(token) => Some(token.expose().to_owned()),
        };
        let mut asked = self.0.lock().unwrap();
        let number = asked.len() + 1;
        let mut body = json!({"access_token": format!("t{number}"), "expires_in": 3600});
        if refresh_token.is_some() {
            body["refresh_token"] = json!(format!("r{number}"));
        }
        asked.push(refresh_token);
        Ok(RawAnswer {
            status: 200,
            headers: Vec::new(),
            body: serde_json::to_vec(&body).unwrap().into(),
        })
    }
}

struct Replica {
    catalogue: Arc<Catalogue>,
    metrics: Arc<Metrics>,
    leads: watch::Sender<bool>,
    drain: Trigger,
    running: tokio::task::JoinHandle<()>,
}

impl Replica {
    fn start(cluster: &Cluster, provider: &Provider, name: &str) -> Self {
        let catalogue = Arc::new(Catalogue::new(Queue::default(), "credence-credentials"));
        catalogue.namespaces_listed();
        catalogue.retain(false, &BTreeSet::new());
        catalogue.retain(true, &BTreeSet::new());
        cluster.followers.lock().unwrap().push(catalogue.clone());
        cluster.tell();
        let store = SecretStore::new(cluster.client(), "credence-system");
        let metrics = Arc::new(Metrics::default());
        let issuer = Counted::new(provider.clone(), metrics.clone());
        let tools = Tools::new(store.clone(), issuer, Clock::system(), name);
        let (leads, leader) = watch::channel(false);
        let (drain, draining) = shutdown::channel();
        let keepers = Keepers::new(catalogue.clone(), store, tools, leader);
        let running = tokio::spawn(keepers.run(draining));
        Self {
            catalogue,
            metrics,
            leads,
            drain,
            running,
        }
    }

    fn plan(&self, uid: &str) {
        self.plan_for(&[LIVE], uid, &order(1));
    }

    /// In development, with the settings of live.
    fn plan_for(&self, environments: &[Environment], uid: &str, order: &Arc<Order>) {
        let outline = Outline {
            uid: uid.to_owned(),
            created: None,
            scope: Scope::Namespace {
                service_accounts: None,
            },
            sidecar_port: None,
        };
        let resolution = |environment: &Environment| {
            let inputs = Inputs {
                uid: uid.to_owned(),
                generation: 1,
                environment: *environment,
                objects: BTreeMap::new(),
            };
            let resolution = Resolution {
                entry: on_token(),
                order: Some(order.clone()),
                uses_live_fallback: *environment == DEVELOPMENT,
                ..Resolution::rejected(inputs)
            };
            (*environment, Arc::new(resolution))
        };
        let resolutions = environments.iter().map(resolution).collect();
        self.catalogue.announce(&key(), outline.clone());
        let outline = Arc::new(outline);
        let planned = Planned {
            outline,
            resolutions,
        };
        self.catalogue.put(&key(), planned);
    }

    /// Waits until this token is known here.
    async fn knows(&self, token: &str) {
        let mut changes = self.catalogue.changes();
        let known = async {
            while self.token().as_deref() != Some(token) {
                changes.changed().await.unwrap();
            }
        };
        let known = tokio::time::timeout(PATIENCE, known).await;
        known.unwrap_or_else(|_| panic!("{token} is not known, but {:?}", self.token()));
    }

    fn token(&self) -> Option<String> {
        let records = self.catalogue.records(&key());
        let held = records.get(&LIVE)?.held.clone()?;
        Some(held.access_token.expose().to_owned())
    }

    async fn end(self) {
        self.drain.drain();
        self.running.await.unwrap();
    }
}

fn key() -> CollectionKey {
    CollectionKey::in_namespace("shop", "openai".parse().unwrap())
}

#[tokio::test]
async fn one_replica_obtains_a_token_and_all_know_it() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let one = Replica::start(&cluster, &provider, "one");
    let two = Replica::start(&cluster, &provider, "two");
    one.plan("u");
    two.plan("u");
    one.leads.send_replace(true);
    one.knows("t1").await;
    two.knows("t1").await;
    assert_eq!(provider.asked(), 1);
    let shown = "credence_token_refreshes_total{method=\"oauth2ClientCredentials\",\
                 result=\"Obtained\"} 1";
    let counts = [&one, &two].map(|replica| {
        let metrics = replica.metrics.render(&[], Timestamp::now());
        metrics.lines().any(|line| line == shown)
    });
    one.end().await;
    two.end().await;
    assert_eq!(counts, [true, false]);
}

#[tokio::test]
async fn another_leader_goes_on_with_what_is_there() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let one = Replica::start(&cluster, &provider, "one");
    one.plan("u");
    one.leads.send_replace(true);
    one.knows("t1").await;
    one.end().await;
    let two = Replica::start(&cluster, &provider, "two");
    two.plan("u");
    two.leads.send_replace(true);
    two.knows("t1").await;
    // It is refused, and so the new leader is who renews it.
    let store = SecretStore::new(cluster.client(), "credence-system");
    let token = TokenKey::new("u", LIVE);
    store.assign(&token, &key());
    let generation = two.catalogue.records(&key())[&LIVE].generation;
    let noted = credence_broker::store::note_refusal(&store, &token, generation);
    noted.await.unwrap();
    two.knows("t2").await;
    assert_eq!(provider.asked(), 2);
    two.end().await;
}

#[tokio::test]
async fn a_state_that_somebody_deletes_is_written_again() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let replica = Replica::start(&cluster, &provider, "one");
    replica.plan("u");
    replica.leads.send_replace(true);
    replica.knows("t1").await;
    cluster.secrets.lock().unwrap().clear();
    cluster.tell();
    assert_eq!(replica.token(), None);
    replica.knows("t1").await;
    replica.end().await;
    assert_eq!(provider.asked(), 1);
    assert_eq!(cluster.secrets.lock().unwrap().len(), 1);
}

/// Whichever replica hears of it, the one that leads renews the
/// token, once.
#[tokio::test]
async fn a_refused_token_is_renewed_once_whoever_is_told() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let replicas = ["one", "two", "three"].map(|name| {
        let replica = Replica::start(&cluster, &provider, name);
        replica.plan("u");
        replica
    });
    replicas[0].leads.send_replace(true);
    for replica in &replicas {
        replica.knows("t1").await;
    }
    let generation = replicas[0].catalogue.records(&key())[&LIVE].generation;
    let refused = RefusedToken {
        of: key(),
        environment: LIVE,
        generation,
    };
    let notes = replicas.iter().map(|replica| {
        let store = SecretStore::new(cluster.client(), "credence-system");
        Refusals::new(replica.catalogue.clone(), store)
    });
    let notes: Vec<_> = notes.collect();
    let all = notes
        .iter()
        .flat_map(|note| [note.note(&refused), note.note(&refused)]);
    for noted in futures::future::join_all(all).await {
        noted.unwrap();
    }
    for replica in &replicas {
        replica.knows("t2").await;
    }
    // What a sidecar says late of the token before.
    for note in &notes {
        note.note(&refused).await.unwrap();
    }
    for replica in replicas {
        assert_eq!(replica.token().as_deref(), Some("t2"));
        replica.end().await;
    }
    assert_eq!(provider.asked(), 2);
    let secrets = cluster.secrets.lock().unwrap();
    let records = secrets
        .values()
        .map(|secret| state_secret::record(secret).unwrap());
    let refused: Vec<_> = records.map(|record| record.refused).collect();
    assert_eq!(refused, [None]);
}

/// Whatever its namespace is relabelled to, and whatever its pods ask for: who
/// sees a refresh token twice revokes all that came of it.
#[tokio::test]
async fn one_refresh_token_has_one_keeper_where_development_has_live_settings() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let mut order = (*order(1)).clone();
    order.terms.renewal = Renewal::ByRefreshToken;
    order.terms.seed = Some(credence_core::Secret::new("r0"));
    let order = Arc::new(order);
    let one = Replica::start(&cluster, &provider, "one");
    one.plan_for(&[LIVE], "u", &order);
    one.leads.send_replace(true);
    one.knows("t1").await;
    one.plan_for(&[LIVE, DEVELOPMENT], "u", &order);
    // What is renewed now was kept on, and after all that was to be begun.
    let refused = RefusedToken {
        of: key(),
        environment: DEVELOPMENT,
        generation: one.catalogue.records(&key())[&LIVE].generation,
    };
    let store = SecretStore::new(cluster.client(), "credence-system");
    let refusals = Refusals::new(one.catalogue.clone(), store);
    refusals.note(&refused).await.unwrap();
    one.knows("t2").await;
    one.plan_for(&[DEVELOPMENT], "u", &order);
    one.end().await;
    let two = Replica::start(&cluster, &provider, "two");
    two.plan_for(&[DEVELOPMENT], "u", &order);
    two.leads.send_replace(true);
    two.knows("t2").await;
    two.plan_for(&[LIVE], "u", &order);
    two.end().await;
    let sent = provider.0.lock().unwrap().clone();
    assert_eq!(sent, [Some("r0".to_owned()), Some("r1".to_owned())]);
}

#[tokio::test]
async fn who_does_not_lead_asks_nobody() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let replica = Replica::start(&cluster, &provider, "one");
    replica.plan("u");
    replica.leads.send_replace(true);
    replica.knows("t1").await;
    replica.leads.send_replace(false);
    // Another collection of that name, with a token of its own.
    replica.plan("v");
    replica.end().await;
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_replica_that_stops_begins_nothing_more_and_does_not_wait_for_the_idle() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let replica = Replica::start(&cluster, &provider, "one");
    replica.plan("u");
    replica.leads.send_replace(true);
    replica.knows("t1").await;
    let started = std::time::Instant::now();
    replica.drain.drain();
    replica.plan("v");
    replica.running.await.unwrap();
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_a_collection_that_is_gone_is_deleted() {
    let (cluster, provider) = (Cluster::default(), Provider::default());
    let replica = Replica::start(&cluster, &provider, "one");
    replica.plan("u");
    replica.leads.send_replace(true);
    replica.knows("t1").await;
    replica.catalogue.remove(&key());
    let mut changes = replica.catalogue.changes();
    while !cluster.secrets.lock().unwrap().is_empty() {
        changes.changed().await.unwrap();
    }
    replica.end().await;
}
