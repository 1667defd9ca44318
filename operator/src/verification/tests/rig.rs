//! A verifier with a catalogue and a clock, for one test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use credence_broker::{Clock, Egress, PrivateNetworks, TokenKey, Trial};
use credence_core::bundle::{Entry, OnConflict, Placed, Route};
use credence_core::call::SafeMethod;
use credence_core::collection::{Scope, Verification};
use credence_core::token::{Order, Record};
use credence_core::{CollectionName, Environment, Secret};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::provider::Provider;
use crate::catalogue::{Catalogue, Kept, Outline, Planned};
use crate::collection_key::CollectionKey;
use crate::queue::Queue;
use crate::resolution::Resolution;
use crate::revision::Inputs;
use crate::tokens::state_secret;
use crate::verification::verifier::Verifier;
use crate::verification::{Outcome, Verified};

pub(super) const KEY: &str = "sk_live_planted";
/// Within this everything happens that is to happen at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// No API takes longer here.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A replica of the operator, as far as verifications go.
pub(super) struct Rig {
    pub(super) catalogue: Arc<Catalogue>,
    leads: watch::Sender<bool>,
    seconds: Arc<AtomicI64>,
    /// How many times the clock was looked at: whenever something has changed.
    looks: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

impl Rig {
    /// One that has led for long, and dials what collections allow.
    pub(super) async fn leading() -> Self {
        let rig = Self::start(true, PrivateNetworks::AsOrdered);
        rig.looked(0).await;
        // After a start nothing is called at once.
        rig.pass(120).await;
        rig
    }

    pub(super) fn start(leads: bool, private_networks: PrivateNetworks) -> Self {
        let catalogue = Arc::new(Catalogue::new(Queue::default(), "credence-credentials"));
        catalogue.namespaces_listed();
        catalogue.retain(false, &BTreeSet::new());
        catalogue.retain(true, &BTreeSet::new());
        catalogue.announce(&key(), outline());
        let (leads, leader) = watch::channel(leads);
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let looks = Arc::new(AtomicUsize::new(0));
        let (shown, counted) = (Arc::clone(&seconds), Arc::clone(&looks));
        let clock = Clock::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Timestamp::from_second(shown.load(Ordering::Relaxed)).unwrap()
        });
        let trial = Trial::new(Egress::default(), private_networks, TIMEOUT);
        let verifier = Verifier::new(catalogue.clone(), trial, clock, leader);
        let mut running = JoinSet::new();
        running.spawn(verifier.run());
        Self {
            catalogue,
            leads,
            seconds,
            looks,
            _running: running,
        }
    }

    /// It gets the lead.
    pub(super) async fn lead(&self) {
        let before = self.looks.load(Ordering::Relaxed);
        self.leads.send_replace(true);
        self.looked(before).await;
    }

    /// Another has it from now on.
    pub(super) async fn follow(&self) {
        self.leads.send_replace(false);
        until(|| self.catalogue.verified("u").is_empty().then_some(())).await;
    }

    /// Sets the clock forward, and waits until it was looked at.
    pub(super) async fn pass(&self, seconds: i64) {
        let before = self.looks.load(Ordering::Relaxed);
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
        self.catalogue.set_record("nobody's", None);
        self.looked(before).await;
    }

    async fn looked(&self, before: usize) {
        until(|| (self.looks.load(Ordering::Relaxed) > before).then_some(())).await;
    }

    /// Plans the collection, as of a generation of its manifest.
    pub(super) fn plan(&self, generation: i64, routes: &[(Environment, Route)]) {
        let resolved = routes.iter().map(|(environment, route)| {
            let inputs = inputs(generation, *environment);
            (*environment, resolution(inputs, route.clone()))
        });
        self.put(resolved);
    }

    /// The same, where calls need a token of this order.
    pub(super) fn plan_with_token(&self, route: Route, order: &Arc<Order>) {
        let live = Environment::Live;
        let resolution = Resolution {
            order: Some(order.clone()),
            ..resolution(inputs(1, live), route)
        };
        self.put([(live, resolution)].into_iter());
    }

    fn put(&self, resolutions: impl Iterator<Item = (Environment, Resolution)>) {
        let planned = Planned {
            outline: Arc::new(outline()),
            resolutions: resolutions
                .map(|(environment, resolution)| (environment, Arc::new(resolution)))
                .collect(),
        };
        self.catalogue.put(&key(), planned);
    }

    /// States that this is kept of the live token.
    pub(super) fn keep(&self, record: &Arc<Record>) {
        let name = state_secret::name(&TokenKey::new("u", Environment::Live));
        let kept = Kept {
            of: key(),
            record: record.clone(),
        };
        self.catalogue.set_record(&name, Some(kept));
    }

    /// What came of the call that was made from this generation.
    pub(super) async fn outcome(&self, generation: i64, environment: Environment) -> Outcome {
        let inputs = inputs(generation, environment);
        until(|| {
            let all = self.catalogue.verified("u");
            let verified: Verified = all.get(&environment)?.clone();
            (verified.inputs == inputs).then_some(verified.outcome)
        })
        .await
    }
}

/// Waits until there is something.
pub(super) async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("it should have happened by now")
}

/// A collection at a provider, with [`KEY`] in a header.
pub(super) fn route(provider: &Provider) -> Route {
    Route {
        headers: vec![Placed {
            name: "X-Key".to_owned(),
            value: Secret::new(KEY).into(),
            private: true,
            on_conflict: OnConflict::Replace,
        }],
        trust: Some(provider.root.as_str().into()),
        allow_private_networks: true,
        ..Route::to(provider.base_url().parse().unwrap())
    }
}

fn resolution(inputs: Inputs, route: Route) -> Resolution {
    Resolution {
        entry: Entry::Ready(Arc::new(route)),
        verification: Some(Arc::new(verification(SafeMethod::Get))),
        ..Resolution::rejected(inputs)
    }
}

pub(super) fn verification(method: SafeMethod) -> Verification {
    Verification {
        method,
        target: "/models?limit=1".parse().unwrap(),
        expected: BTreeSet::from([200]),
        interval: Duration::from_hours(1),
    }
}

fn inputs(generation: i64, environment: Environment) -> Inputs {
    Inputs {
        uid: "u".to_owned(),
        generation,
        environment,
        objects: BTreeMap::new(),
    }
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

fn key() -> CollectionKey {
    let name: CollectionName = "openai".parse().unwrap();
    CollectionKey::in_namespace("shop", name)
}
