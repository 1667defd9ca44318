//! What has come of an order.

use std::sync::Arc;

use credence_core::bundle::Token;
use credence_core::token::decide::{Standing, standing};
use credence_core::token::{Digest, Record, Setback, Terms};
use jiff::{SignedDuration, Timestamp};

use crate::StoreError;

/// What calls can be made with, and what there is to say about it. Nothing but
/// the token itself is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The order that it is about. While a new order is filled for the first
    /// time this is the one before: its token goes with its route, and never
    /// with the new one.
    pub order: Digest,
    /// What calls can be made with.
    pub state: State,
    /// When the newest token was asked for.
    pub obtained_at: Option<Timestamp>,
    /// When it ends, if that is known.
    pub expires_at: Option<Timestamp>,
    /// When the token endpoint is asked next, as far as that is planned.
    pub next_attempt_at: Option<Timestamp>,
    /// What went wrong since.
    pub setback: Option<Setback>,
    /// The scopes that were asked for and not granted.
    pub missing_scopes: Vec<String>,
    /// How far the token endpoint's clock is ahead of ours.
    pub clock_skew: SignedDuration,
    /// Why nothing can be kept at the moment, and so nothing be renewed.
    pub store: Option<StoreError>,
}

/// What calls can be made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// This token, until it ends.
    Token(Arc<Token>),
    /// Nothing for now.
    Unavailable {
        /// When that may change; `None` where nobody knows.
        retry_at: Option<Timestamp>,
    },
    /// Nothing until a person grants access again.
    ReauthorizationRequired,
}

impl Outcome {
    /// Before anything is known.
    pub(crate) fn unknown(terms: &Terms) -> Self {
        Self {
            order: terms.order,
            state: State::Unavailable { retry_at: None },
            obtained_at: None,
            expires_at: None,
            next_attempt_at: None,
            setback: None,
            missing_scopes: Vec::new(),
            clock_skew: SignedDuration::ZERO,
            store: None,
        }
    }

    /// What a record means for an order, now that the next attempt is planned
    /// for then, and the store has this trouble.
    pub fn of(
        record: &Record,
        terms: &Terms,
        now: Timestamp,
        next_attempt_at: Option<Timestamp>,
        store: Option<StoreError>,
    ) -> Self {
        let held = record.held_for(terms);
        let state = match standing(record, terms, now) {
            Standing::Usable(held) => match held.token(record.generation, terms) {
                Ok(token) => State::Token(Arc::new(token)),
                Err(_) => State::Unavailable { retry_at: None },
            },
            Standing::Unavailable { retry_at } => State::Unavailable { retry_at },
            Standing::ReauthorizationRequired => State::ReauthorizationRequired,
        };
        Self {
            order: terms.order,
            state,
            obtained_at: held.map(|held| held.obtained_at),
            expires_at: held.and_then(|held| held.expires_at),
            next_attempt_at,
            setback: record.setback_for(terms).cloned(),
            missing_scopes: held
                .map(|held| held.missing_scopes.clone())
                .unwrap_or_default(),
            clock_skew: record.clock_skew,
            store,
        }
    }

    /// Whether this is no news to those who still use the token of the order
    /// before: the new one was not tried yet.
    pub(crate) fn is_premature(&self, before: &Self, now: Timestamp) -> bool {
        let untried = matches!(self.state, State::Unavailable { .. }) && self.setback.is_none();
        let in_use = match &before.state {
            State::Token(token) => token.expires_at.is_none_or(|end| now < end),
            State::Unavailable { .. } | State::ReauthorizationRequired => false,
        };
        untried && in_use && before.order != self.order
    }
}
