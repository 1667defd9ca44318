//! A token, as far as a sidecar sees one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{BaseUrl, CollectionName, Secret};

/// What calls are made with, by the name of the collection.
pub type Tokens = BTreeMap<CollectionName, TokenState>;

/// Whether a collection that needs a token has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// This one.
    Held(Token),
    /// None.
    Withheld(Withheld),
}

/// There is no token that could be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Why not.
    pub why: NoToken,
    /// When one is asked for next, if that is planned.
    pub retry_at: Option<Timestamp>,
}

impl Withheld {
    /// Nothing is known of a token.
    pub const UNKNOWN: Self = Self {
        why: NoToken::Unavailable,
        retry_at: None,
    };
}

/// Why there is no token, as far as an app needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoToken {
    /// The token endpoint has not given one yet, or does not now.
    Unavailable,
    /// Somebody must grant access again.
    ReauthorizationRequired,
}

/// A short-lived credential that was obtained for a collection. What it was
/// obtained with is not here, and cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The access token, without any prefix.
    pub value: Secret,
    /// What else of the answer is used, by name.
    pub fields: BTreeMap<String, Secret>,
    /// From when on it must not be sent; absent where nobody knows.
    pub expires_at: Option<Timestamp>,
    /// Greater than that of every token before it.
    pub generation: u64,
    /// Where calls with it go, if the answer said so.
    pub base_url: Option<BaseUrl>,
}

impl Token {
    /// One of which nothing else is known.
    pub const fn new(value: Secret, generation: u64) -> Self {
        Self {
            value,
            fields: BTreeMap::new(),
            expires_at: None,
            generation,
            base_url: None,
        }
    }
}
