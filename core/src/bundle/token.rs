//! A token, as far as a sidecar sees one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{BaseUrl, Secret};

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
