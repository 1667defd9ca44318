//! What a keeper does, one step after the other.

use std::sync::Arc;
use std::time::Duration;

use credence_core::token::decide::{UNDER_WAY, decide, wanted};
use credence_core::token::record::Intent;
use credence_core::token::{
    Ask, Failure, Jitter, RawAnswer, Record, RefreshResult, RoundTrip, Spread, Step, Terms,
};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::ledger::{Ledger, NotSaved};
use super::{Tools, Wishes};
use crate::dice::Dice;
use crate::issuer::{Asking, Issuer, Unanswered};
use crate::outcome::Outcome;
use crate::{TokenKey, TokenStore};

/// The longest sleep before looking at the clock again: it may have been set,
/// and the machine may have slept.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// For how long it is tried to store what must not be lost, once the process
/// wants to end.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// Until a request is given up, with two seconds for writing that down before
/// others take it for lost.
const LONGEST_REQUEST: Duration = Duration::from_secs(UNDER_WAY.as_secs().unsigned_abs() - 2);

/// One keeper's state.
pub(super) struct Task<S, I: Issuer> {
    tools: Arc<Tools<S, I>>,
    ledger: Ledger<S, I>,
    wishes: watch::Receiver<Wishes<I::Order>>,
    outcome: watch::Sender<Arc<Outcome>>,
    dice: Dice,
    jitter: Jitter,
    /// The wish that the ledger was loaded for; none where it must be loaded.
    loaded: Option<u64>,
    /// An intent on which nothing was sent, though it may have been stored.
    unsent: Option<Intent>,
}

impl<S: TokenStore, I: Issuer> Task<S, I> {
    pub(super) fn new(
        tools: Arc<Tools<S, I>>,
        key: TokenKey,
        wishes: watch::Receiver<Wishes<I::Order>>,
        outcome: watch::Sender<Arc<Outcome>>,
        seed: u64,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let jitter = Jitter {
            earlier: dice.fraction(),
            start: Some(Spread {
                from: tools.clock.now(),
                fraction: dice.fraction(),
            }),
        };
        Self {
            ledger: Ledger::new(Arc::clone(&tools), key),
            tools,
            wishes,
            outcome,
            dice,
            jitter,
            loaded: None,
            unsent: None,
        }
    }

    /// Until it is told to stop, or nobody is left who could.
    pub(super) async fn run(mut self) {
        while self.wishes.has_changed().is_ok() {
            let wishes = self.wishes.borrow_and_update().clone();
            if wishes.stopped {
                return;
            }
            let order = &wishes.order;
            let terms = (**order).as_ref();
            if self.loaded != Some(wishes.reloads) && !self.load(wishes.reloads).await {
                self.publish(terms);
                self.rest(self.ledger.wait()).await;
                continue;
            }
            if let Some(refused) = wishes.refused {
                self.ledger.record = self.ledger.record.refusing(refused);
            }
            self.publish(terms);
            let now = self.tools.clock.now();
            let record = &self.ledger.record;
            match decide(record, terms, &self.tools.holder, now, self.jitter) {
                Step::Wait(until) => self.rest(self.until(until, terms, now)).await,
                Step::Read => {
                    let next = record.reading(terms, now);
                    self.advance(next, order).await;
                }
                Step::Ask(ask) => self.attempt(ask, order).await,
            }
        }
    }

    async fn load(&mut self, wish: u64) -> bool {
        let loaded = self.ledger.load().await.is_ok();
        if loaded {
            self.loaded = Some(wish);
            let unsent = self.unsent.take();
            self.ledger.withdraw(unsent.as_ref());
        }
        loaded
    }

    /// Asks, and stores what came of it.
    async fn attempt(&mut self, ask: Ask, order: &Arc<I::Order>) {
        let terms = (**order).as_ref();
        let tools = Arc::clone(&self.tools);
        let permit = tokio::select! {
            permit = tools.permits.acquire() => permit,
            () = another(&mut self.wishes, order) => return,
        };
        let token = match ask {
            Ask::Anew => None,
            Ask::Refresh => self.ledger.record.refresh_token_for(terms).cloned(),
        };
        // Others count from what is written down, however long that took.
        let began = Instant::now();
        if token.is_some() {
            let now = tools.clock.now();
            let next = self.ledger.record.intending(&tools.holder, terms, now);
            let intent = next.intent.clone();
            if !self.advance(next, order).await {
                self.unsent = intent.filter(|_| self.loaded.is_none());
                return;
            }
            if began.elapsed() >= LONGEST_REQUEST {
                (self.unsent, self.loaded) = (intent, None);
                return;
            }
        }
        let asking = token.as_ref().map_or(Asking::Anew, Asking::Refresh);
        let sent = tools.clock.now();
        let asked = tools.issuer.ask(order, asking, sent);
        let answer = timeout_at(began + LONGEST_REQUEST, asked).await;
        // Who cannot store an answer holds up nobody who could.
        drop(permit);
        let received = tools.clock.now();
        let round_trip = RoundTrip { sent, received };
        let answer = answer.unwrap_or_else(|_| {
            let text = "the token endpoint did not answer in time";
            Err(Unanswered::Unknown(text.to_owned()))
        });
        match answer {
            Ok(raw) => self.settle_answer(ask, &raw, round_trip, order).await,
            Err(unanswered) => {
                let failure = Failure::from(unanswered);
                let failed = |record: &Record| record.failing(ask, &failure, terms, received);
                self.settle(failed, order).await;
            }
        }
    }

    async fn settle_answer(
        &mut self,
        ask: Ask,
        raw: &RawAnswer,
        round_trip: RoundTrip,
        order: &I::Order,
    ) {
        let terms = order.as_ref();
        // What can be had again need not be stored twice.
        let at_once = ask == Ask::Anew || !raw.is_storable();
        let answered = |record: &Record| {
            let answered = record.answered(ask, raw.clone(), round_trip, terms);
            if at_once {
                answered.reading(terms, round_trip.received)
            } else {
                answered
            }
        };
        self.settle(answered, order).await;
    }

    /// Stores what must not be lost, whatever others have stored meanwhile,
    /// unless they have got further.
    async fn settle(&mut self, apply: impl Fn(&Record) -> Record, order: &I::Order) {
        let (generation, refresh_token) = {
            let record = &self.ledger.record;
            (record.generation, record.refresh_token.clone())
        };
        let mut give_up = None;
        loop {
            let record = &self.ledger.record;
            if record.generation != generation || record.refresh_token != refresh_token {
                return;
            }
            let next = apply(record);
            let before = self.ledger.record.clone();
            match self.ledger.save(next).await {
                Ok(()) => return self.saved(&before, order),
                Err(NotSaved::Conflict) => {}
                Err(NotSaved::Unavailable) => {
                    self.publish(order.as_ref());
                    if self.wishes.borrow().stopped {
                        let end = *give_up.get_or_insert_with(|| Instant::now() + LAST_TRIES);
                        if Instant::now() >= end {
                            return;
                        }
                    }
                    sleep(self.ledger.wait()).await;
                }
            }
        }
    }

    /// Stores what can be found out again.
    async fn advance(&mut self, next: Record, order: &I::Order) -> bool {
        let before = self.ledger.record.clone();
        match self.ledger.save(next).await {
            Ok(()) => {
                self.saved(&before, order);
                true
            }
            Err(NotSaved::Conflict) => false,
            Err(NotSaved::Unavailable) => {
                self.loaded = None;
                self.publish(order.as_ref());
                self.rest(self.ledger.wait()).await;
                false
            }
        }
    }

    fn saved(&mut self, before: &Record, order: &I::Order) {
        let terms = order.as_ref();
        let result = RefreshResult::between(before, &self.ledger.record, terms);
        if let Some(result) = result {
            self.tools.issuer.settled(order, result);
        }
        if result == Some(RefreshResult::Obtained) {
            self.renewed(before, terms);
        }
    }

    /// A new token gets throws of its own. What was obtained because there was
    /// nothing is renewed together with what others obtained at that moment,
    /// if its first renewal is not spread.
    fn renewed(&mut self, before: &Record, terms: &Terms) {
        let now = self.tools.clock.now();
        let was_usable = before
            .held_for(terms)
            .is_some_and(|held| held.is_usable(now));
        self.jitter = Jitter {
            earlier: self.dice.fraction(),
            start: (!was_usable).then(|| Spread {
                from: now,
                fraction: self.dice.fraction(),
            }),
        };
    }

    /// From `now` until something is to be done, or a token ends.
    fn until(&self, until: Option<Timestamp>, terms: &Terms, now: Timestamp) -> Duration {
        let end = self
            .ledger
            .record
            .held_for(terms)
            .and_then(|held| held.expires_at);
        let end = end.filter(|end| *end > now);
        let next = match (until, end) {
            (Some(until), Some(end)) => Some(until.min(end)),
            (until, end) => until.or(end),
        };
        next.and_then(|next| Duration::try_from(next.duration_since(now)).ok())
            .map_or(LONGEST_SLEEP, |rest| rest.min(LONGEST_SLEEP))
    }

    /// Waits for so long, or for a wish.
    async fn rest(&mut self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            // That nobody is left to wish is noticed by who goes on.
            _ = self.wishes.changed() => {}
        }
    }

    fn publish(&self, terms: &Terms) {
        let now = self.tools.clock.now();
        let record = &self.ledger.record;
        let next = wanted(record, terms, &self.tools.holder, now, self.jitter);
        let next = next.filter(|next| *next > now);
        let outcome = Outcome::of(record, terms, now, next, self.ledger.trouble.clone());
        self.outcome.send_if_modified(|before| {
            let news = **before != outcome && !outcome.is_premature(before, now);
            if news {
                *before = Arc::new(outcome);
            }
            news
        });
    }
}

/// Until another order is wanted, or none.
async fn another<O>(wishes: &mut watch::Receiver<Wishes<O>>, order: &Arc<O>) {
    let is_another = |wishes: &Wishes<O>| wishes.stopped || !Arc::ptr_eq(&wishes.order, order);
    // That nobody is left to wish is noticed by who goes on.
    drop(wishes.wait_for(is_another).await);
}
