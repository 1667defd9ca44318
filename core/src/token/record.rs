//! What is kept of one token.

mod stored;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::base_url_allow::{RefusedBaseUrl, base_url_of};
use super::raw_answer::{RawAnswer, RoundTrip};
use super::refused::Forced;
use super::setback::Setback;
use super::terms::{Digest, Terms, digest_of};
use crate::bundle::Token;
use crate::{BaseUrl, Secret};

pub use stored::Unreadable;

/// Everything that must survive a crash. An empty one is a token that was never
/// obtained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Counts the access tokens, from the second on in which the first one
    /// came (Unix time); 0 before that.
    pub generation: u64,
    /// The newest access token.
    pub held: Option<Held>,
    /// The refresh token that the provider gave last.
    pub refresh_token: Option<RefreshToken>,
    /// A refresh token was, or was about to be, sent, and no answer is known.
    pub intent: Option<Intent>,
    /// An answer of which nothing was made yet.
    pub unread: Option<Unread>,
    /// What went wrong since the last token.
    pub setback: Option<Setback>,
    /// The newest generation that an API refused.
    pub refused: Option<u64>,
    /// The renewals that were made because a token was refused.
    pub forced: Option<Forced>,
    /// How far the token endpoint's clock was ahead of ours the last time.
    pub clock_skew: SignedDuration,
}

/// An access token, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The order that it was obtained for.
    pub order: Digest,
    /// The token itself.
    pub access_token: Secret,
    /// When it was asked for.
    pub obtained_at: Timestamp,
    /// Its end; `None` where it holds until it is refused.
    pub expires_at: Option<Timestamp>,
    /// The captured fields, by name.
    pub captured: BTreeMap<String, Secret>,
    /// Where the API is, as the provider wrote it.
    pub base_url: Option<String>,
    /// The scopes that were asked for and not granted.
    pub missing_scopes: Vec<String>,
}

impl Held {
    /// What it is good for (RFC 6749 §3.3): the scopes that were asked for and
    /// granted, with spaces between them; none where none was asked for.
    pub fn scope(&self, terms: &Terms) -> Option<String> {
        let granted = |scope: &&String| !self.missing_scopes.contains(scope);
        let granted: Vec<&str> = (terms.scopes.iter().filter(granted))
            .map(String::as_str)
            .collect();
        (!granted.is_empty()).then(|| granted.join(" "))
    }
}

/// A refresh token that a provider gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The token itself.
    pub value: Secret,
    /// Of the grant that it belongs to. When that is another one, somebody has
    /// put in a new refresh token, or another client: this one is forgotten,
    /// and above all not sent to wherever the new grant leads.
    pub lineage: Digest,
}

/// A refresh that was begun. It is written before the refresh token is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Who began it.
    pub holder: String,
    /// The generation then.
    pub generation: u64,
    /// Of the refresh token that was to be sent.
    pub token: Digest,
    /// When the first try began.
    pub since: Timestamp,
    /// When the last try began.
    pub at: Timestamp,
    /// How many tries before the last one ended in the unknown.
    pub doubts: u32,
}

/// An answer as it came, stored before it is read: what is lost while reading
/// it is lost for good, if the provider has replaced a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The order that was asked for.
    pub order: Digest,
    /// Its lineage.
    pub lineage: Digest,
    /// The answer.
    pub raw: RawAnswer,
    /// When it was asked and answered.
    pub round_trip: RoundTrip,
    /// Whether a refresh token was sent for it.
    pub refreshed: bool,
    /// Whether it was tried to read it. It is kept for the day when the
    /// manifest describes its shape.
    pub tried: bool,
}

impl Record {
    /// The refresh token to send next, if there is one.
    pub fn refresh_token_for<'a>(&'a self, terms: &'a Terms) -> Option<&'a Secret> {
        self.refresh_token
            .as_ref()
            .filter(|token| token.lineage == terms.lineage)
            .map(|token| &token.value)
            .or(terms.seed.as_ref())
    }

    /// The access token of this order, whether or not it has ended.
    pub fn held_for(&self, terms: &Terms) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.order == terms.order)
    }

    /// What went wrong with this order.
    pub fn setback_for(&self, terms: &Terms) -> Option<&Setback> {
        self.setback
            .as_ref()
            .filter(|setback| setback.order == terms.order)
    }

    /// The refresh of unknown outcome, if it was one of the refresh token that
    /// would be sent now.
    pub(super) fn doubt(&self, terms: &Terms) -> Option<&Intent> {
        let current = digest_of(self.refresh_token_for(terms)?);
        self.intent.as_ref().filter(|it| it.token == current)
    }

    /// The answer that is still to be read.
    pub(super) fn unread_for(&self, terms: &Terms) -> Option<&Unread> {
        self.unread
            .as_ref()
            .filter(|unread| !unread.tried || unread.order != terms.order)
    }
}

impl Held {
    /// What a sidecar gets.
    ///
    /// # Errors
    /// [`RefusedBaseUrl`] where calls must not go where it leads.
    pub fn token(&self, generation: u64, terms: &Terms) -> Result<Token, RefusedBaseUrl> {
        Ok(Token {
            value: self.access_token.clone(),
            fields: self.captured.clone(),
            expires_at: self.expires_at,
            generation,
            base_url: self.base_url(terms)?,
        })
    }

    /// Of all that is in it, in bytes.
    pub(super) fn length(&self) -> usize {
        let captured = self.captured.iter();
        let captured = captured.map(|(name, value)| name.len() + value.expose().len());
        let base_url = self.base_url.as_ref().map_or(0, String::len);
        self.access_token.expose().len() + captured.sum::<usize>() + base_url
    }

    /// Whether it may be used: never after its end.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Where its calls go, if it says so.
    ///
    /// # Errors
    /// [`RefusedBaseUrl`] where they must not go there.
    pub fn base_url(&self, terms: &Terms) -> Result<Option<BaseUrl>, RefusedBaseUrl> {
        self.base_url
            .as_ref()
            .filter(|_| terms.shape.base_url.is_some())
            .map(|value| base_url_of(value, terms.base_url.as_ref(), &terms.base_url_allow))
            .transpose()
    }
}
