//! A keeper between a store of files and an endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use credence_broker::exchange::PrivateNetworks;
use credence_broker::store::FileStore;
use credence_broker::{Clock, Exchange, Keeper, Outcome, State, TokenKey, Tools};
use credence_core::collection::{FieldFormat, FieldValue, RequestMethod};
use credence_core::template::{LateText, LateVariable};
use credence_core::token::{Content, Order, Renewal, SetbackReason, Signers, Terms, TokenRequest};
use credence_core::{Environment, Secret};
use credence_net::Egress;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::endpoint::Endpoint;

const START: i64 = 1_767_225_600;

/// Shows the second that it was set to, counted from the start.
#[derive(Clone, Default)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn set(&self, second: i64) {
        self.0.store(second, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let second = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_second(START + second.load(Ordering::SeqCst)).unwrap())
    }
}

pub(crate) struct Rig {
    pub(crate) clock: HandClock,
    pub(crate) endpoint: Endpoint,
    folder: TempDir,
    order: Arc<Order>,
}

fn order(url: &str, renewal: Renewal) -> Order {
    let known = |text: &str| LateText::known(&Secret::new(text));
    let field = |name: &str, value| (name.to_owned(), FieldValue::Text(value));
    let request = |fields| TokenRequest {
        url: known(url),
        url_allow: Vec::new(),
        method: RequestMethod::Post,
        headers: vec![],
        content: Content::Fields(FieldFormat::Form, fields),
    };
    let refresh = request(vec![
        field("grant_type", known("refresh")),
        field("refresh_token", LateText::of(LateVariable::RefreshToken)),
    ]);
    let by_refresh_token = renewal == Renewal::ByRefreshToken;
    Order {
        method: "oauth2RefreshToken",
        terms: Terms {
            seed: by_refresh_token.then(|| Secret::new("seed")),
            refreshes: by_refresh_token,
            ..Terms::new([1; 32], [2; 32], [2; 32], renewal)
        },
        steps: Vec::new(),
        request: Some(request(vec![field("grant_type", known("anew"))])),
        signers: Signers::default(),
        subject: None,
        refresh: by_refresh_token.then_some(refresh),
        trust: None,
        client_certificate: None,
        allow_private_networks: true,
        allow_insecure_http: true,
    }
}

impl Rig {
    pub(crate) async fn new(renewal: Renewal) -> Self {
        let endpoint = Endpoint::new().await;
        Self {
            clock: HandClock::default(),
            order: Arc::new(order(&endpoint.url(), renewal)),
            endpoint,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn keeper(&self) -> Kept {
        let clock = self.clock.clock();
        let exchange = Exchange::new(Egress::default(), PrivateNetworks::AsOrdered);
        let store = FileStore::new(self.folder.path());
        let tools = Tools::new(store, exchange, clock, "a");
        let key = TokenKey::new("uid", Environment::Live);
        let keeper = Keeper::start(Arc::new(tools), key, Arc::clone(&self.order), 3);
        Kept {
            outcome: keeper.outcome(),
            keeper,
        }
    }
}

pub(crate) struct Kept {
    keeper: Keeper<Exchange>,
    outcome: watch::Receiver<Arc<Outcome>>,
}

impl Kept {
    /// The clock was moved, which nobody else would notice at once.
    pub(crate) fn look(&self) {
        self.keeper.reload();
    }

    pub(crate) async fn stop(self) {
        self.keeper.stop().await;
    }

    pub(crate) fn outcome(&self) -> Arc<Outcome> {
        Arc::clone(&self.outcome.borrow())
    }

    pub(crate) fn token(&self) -> Option<String> {
        match &self.outcome().state {
            State::Token(token) => Some(token.value.expose().to_owned()),
            State::Unavailable { .. } | State::ReauthorizationRequired => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<SetbackReason> {
        self.outcome()
            .setback
            .as_ref()
            .map(|setback| setback.reason)
    }

    /// The last second of the token.
    pub(crate) fn end(&self) -> Option<i64> {
        self.outcome().expires_at.map(|at| at.as_second() - START)
    }

    /// When the endpoint is asked next.
    pub(crate) fn next_attempt(&self) -> Option<i64> {
        self.outcome()
            .next_attempt_at
            .map(|at| at.as_second() - START)
    }

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Outcome) -> bool) {
        let waited = self.outcome.wait_for(|outcome| wanted(outcome));
        let limit = Duration::from_secs(60);
        let ended = timeout(limit, waited).await.map(|seen| drop(seen.unwrap()));
        assert!(ended.is_ok(), "{:?}", self.outcome());
    }

    pub(crate) async fn until_token(&mut self, token: &str) {
        self.until(|outcome| match &outcome.state {
            State::Token(found) => found.value.expose() == token,
            State::Unavailable { .. } | State::ReauthorizationRequired => false,
        })
        .await;
    }

    pub(crate) async fn until_setback(&mut self) {
        self.until(|outcome| outcome.setback.is_some()).await;
    }
}
