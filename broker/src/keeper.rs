//! One token, kept fresh by one task.
//!
//! ```text
//!   assign, refuse, reload, stop ──► task ──► store: intent, raw answer, record
//!                                     │  └──► issuer
//!                      outcome ◄──────┘
//! ```
//!
//! There is never more than one request under way for a token: everybody who
//! waits, waits for the same outcome. What is handed out was stored before.

mod ledger;
mod task;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::issuer::Issuer;
use crate::outcome::Outcome;
use crate::{TokenKey, TokenStore};
use task::Task;

/// How many requests are under way at once, of all tokens of a process: so many
/// connections and answers there are at most. A provider that lets a thousand
/// tokens' requests run into their time limit must not hold up the others.
const REQUESTS: usize = 256;

/// What the keepers of a process share.
#[derive(Debug)]
pub struct Tools<S, I> {
    store: S,
    issuer: I,
    clock: Clock,
    /// Names this process in intents; no other has the same, nor has this one
    /// after a restart.
    holder: String,
    permits: Semaphore,
}

impl<S: TokenStore, I: Issuer> Tools<S, I> {
    /// For the process that is called `holder`: a name that no other process
    /// has, and this one not after a restart.
    pub fn new(store: S, issuer: I, clock: Clock, holder: impl Into<String>) -> Self {
        Self {
            store,
            issuer,
            clock,
            holder: holder.into(),
            permits: Semaphore::new(REQUESTS),
        }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }
}

/// What the task is to do. The newest wish is all that counts.
struct Wishes<O> {
    order: Arc<O>,
    refused: Option<u64>,
    reloads: u64,
    stopped: bool,
}

impl<O> Clone for Wishes<O> {
    fn clone(&self) -> Self {
        Self {
            order: Arc::clone(&self.order),
            refused: self.refused,
            reloads: self.reloads,
            stopped: self.stopped,
        }
    }
}

/// Keeps one token fresh for as long as it exists. Dropping it is like a crash;
/// [`Keeper::stop`] is the polite way.
pub struct Keeper<I: Issuer> {
    wishes: watch::Sender<Wishes<I::Order>>,
    outcome: watch::Receiver<Arc<Outcome>>,
    task: JoinHandle<()>,
}

impl<I: Issuer> Keeper<I> {
    /// Begins. What is stored under `key` is used as far as it goes with the
    /// order. The seed spreads the renewals of many keepers over time.
    pub fn start<S: TokenStore>(
        tools: Arc<Tools<S, I>>,
        key: TokenKey,
        order: Arc<I::Order>,
        seed: u64,
    ) -> Self {
        let unknown = Arc::new(Outcome::unknown((*order).as_ref()));
        let (published, outcome) = watch::channel(unknown);
        let (wishes, wished) = watch::channel(Wishes {
            order,
            refused: None,
            reloads: 0,
            stopped: false,
        });
        let task = tokio::spawn(Task::new(tools, key, wished, published, seed).run());
        Self {
            wishes,
            outcome,
            task,
        }
    }

    /// What has come of it, now and each time that it changes.
    pub fn outcome(&self) -> watch::Receiver<Arc<Outcome>> {
        self.outcome.clone()
    }

    /// Another order takes the place of the one before.
    pub fn assign(&self, order: Arc<I::Order>) {
        self.wishes.send_modify(|wishes| wishes.order = order);
    }

    /// An API refused the token of this generation: it is renewed, if it is
    /// still the newest and was not renewed for that reason a moment ago.
    pub fn refuse(&self, generation: u64) {
        self.wishes
            .send_modify(|wishes| wishes.refused = wishes.refused.max(Some(generation)));
    }

    /// Somebody else has changed what is stored.
    pub fn reload(&self) {
        self.wishes
            .send_modify(|wishes| wishes.reloads = wishes.reloads.wrapping_add(1));
    }

    /// Whether it has ended, which it does of itself only by a fault of ours.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it. A request that is under way is waited for, and its answer is
    /// stored.
    pub async fn stop(mut self) {
        self.wishes.send_modify(|wishes| wishes.stopped = true);
        if let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl<I: Issuer> Drop for Keeper<I> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<I: Issuer> fmt::Debug for Keeper<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("outcome", &self.outcome.borrow())
            .finish_non_exhaustive()
    }
}
