//! A provider, a store, and keepers between them, in time that runs as fast as
//! nothing happens.

use std::sync::Arc;
use std::time::Duration;

use credence_broker::{Clock, Keeper, Outcome, State, TokenKey, Tools};
use credence_core::token::{Digest, Renewal, SetbackReason, Terms};
use credence_core::{Environment, Secret};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::fault::FaultyStore;
use crate::provider::{Order, Provider};

const START: &str = "2026-01-01T00:00:00Z";

/// The generation of the token of this number, where the first one came at
/// once.
pub(crate) fn generation(number: u64) -> u64 {
    1_767_225_600 + number - 1
}

/// The wall clock, moved by the runtime's own.
pub(crate) fn paused_clock() -> Clock {
    let (start, began): (Timestamp, _) = (START.parse().unwrap(), Instant::now());
    Clock::new(move || {
        let elapsed = SignedDuration::try_from(began.elapsed()).unwrap();
        start.saturating_add(elapsed).unwrap()
    })
}

/// Of a method that has a refresh token only.
pub(crate) fn rotating() -> Terms {
    Terms {
        seed: Some(Secret::new("seed")),
        refreshes: true,
        ..Terms::new([1; 32], [2; 32], [2; 32], Renewal::ByRefreshToken)
    }
}

/// Of a method that can always ask again.
pub(crate) fn anew() -> Terms {
    Terms::new([1; 32], [2; 32], [2; 32], Renewal::Anew)
}

pub(crate) struct Rig {
    pub(crate) clock: Clock,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) terms: Terms,
}

/// One process that keeps the token.
pub(crate) struct Process {
    pub(crate) keeper: Keeper<Arc<Provider>>,
    outcome: watch::Receiver<Arc<Outcome>>,
}

impl Rig {
    pub(crate) fn new(terms: Terms, lifetime: i64) -> Self {
        let clock = paused_clock();
        Self {
            provider: Arc::new(Provider::new(clock.clone(), lifetime)),
            store: Arc::default(),
            clock,
            terms,
        }
    }

    pub(crate) fn with_grace(mut self, grace: Duration) -> Self {
        self.terms.lifetime.grace = grace;
        let provider = Provider::new(self.clock.clone(), 3600).with_grace(grace);
        self.provider = Arc::new(provider);
        self
    }

    pub(crate) fn key(&self) -> TokenKey {
        TokenKey::new("uid", Environment::Live)
    }

    pub(crate) fn process(&self, holder: &str) -> Process {
        let tools = Tools::new(
            Arc::clone(&self.store),
            Arc::clone(&self.provider),
            self.clock.clone(),
            holder,
        );
        let order = Arc::new(Order(self.terms.clone()));
        // A seed whose first throw is late: what is spread is tested apart.
        let keeper = Keeper::start(Arc::new(tools), self.key(), order, 3);
        Process {
            outcome: keeper.outcome(),
            keeper,
        }
    }

    /// The token that is in use, which the provider must take.
    pub(crate) fn assert_works(&self, process: &Process) {
        let token = process.token();
        let accepted = token.as_deref().is_some_and(|it| self.provider.accepts(it));
        assert!(accepted, "{token:?} {:?}", process.outcome());
    }
}

impl Process {
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

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Outcome) -> bool) {
        let waited = self.outcome.wait_for(|outcome| wanted(outcome));
        let day = Duration::from_secs(86_400);
        let ended = timeout(day, waited).await.map(|seen| drop(seen.unwrap()));
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

    pub(crate) fn assign(&self, terms: Terms) {
        self.keeper.assign(Arc::new(Order(terms)));
    }
}

/// Lets time pass, in steps in which everything can happen that will.
pub(crate) async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

pub(crate) const OTHER_ORDER: Digest = [9; 32];
