//! One token of a session.

use std::sync::Arc;
use std::time::SystemTime;

use credence_broker::{Exchange, Keeper, Outcome, State, TokenKey, TokenStore as _, Tools};
use credence_core::token::{Order, Record, Terms};
use credence_operator::random;
use jiff::Timestamp;
use tokio::sync::watch;

use super::in_use::InUse;
use super::storage::Storage;

/// A token, and what the proxy and the user have of it.
pub(super) struct Kept {
    pub(super) token: TokenKey,
    pub(super) keeper: Keeper<Exchange>,
    pub(super) order: Arc<Order>,
    pub(super) outcomes: watch::Receiver<Arc<Outcome>>,
    /// The one that the proxy has.
    pub(super) outcome: Arc<Outcome>,
    pub(super) in_use: InUse,
    pub(super) told: Option<Arc<Outcome>>,
    /// When what is stored was last replaced, as far as was seen.
    modified: Option<SystemTime>,
}

impl Kept {
    /// Begins to keep it.
    pub(super) fn start(
        tools: Arc<Tools<Storage, Exchange>>,
        token: TokenKey,
        order: Arc<Order>,
    ) -> Self {
        let keeper = Keeper::start(tools, token.clone(), order.clone(), random::seed());
        let outcomes = keeper.outcome();
        let outcome = Arc::clone(&outcomes.borrow());
        Self {
            token,
            keeper,
            order,
            outcomes,
            outcome,
            in_use: InUse::default(),
            told: None,
            modified: None,
        }
    }

    /// Lets the keeper see a token that another process has stored.
    pub(super) async fn look_at(&mut self, storage: &Storage) {
        let modified = storage.modified(&self.token);
        if modified == self.modified {
            return;
        }
        let stored = storage.load(&self.token).await;
        self.modified = modified;
        if let Ok(Some(stored)) = stored
            && is_of_use(
                &stored.record,
                &self.order.terms,
                &self.outcome,
                Timestamp::now(),
            )
        {
            self.keeper.reload();
        }
    }
}

/// Whether another process has stored a token that this one can use. What it
/// has stored for another order is left alone: two that disagree about the order
/// would undo each other's wait after a failure, and ask without end.
fn is_of_use(record: &Record, terms: &Terms, outcome: &Outcome, now: Timestamp) -> bool {
    let known = match &outcome.state {
        State::Token(token) => Some(token.generation),
        State::Unavailable { .. } | State::ReauthorizationRequired => None,
    };
    let held = record.held_for(terms);
    held.is_some_and(|held| held.is_usable(now)) && known != Some(record.generation)
}
