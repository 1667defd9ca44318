//! What is to be kept fresh, and how.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};

use super::base_url_allow::HostPattern;
use super::shape::{Lifetime, Renewal, ResponseShape};
use crate::{BaseUrl, Secret};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The digest of a secret, for comparing it with another time's.
pub(super) fn digest_of(secret: &Secret) -> Digest {
    let digest = digest::digest(&digest::SHA256, secret.expose().as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// An order for a token, without the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Of everything that decides which token is meant.
    pub order: Digest,
    /// Of the order without what only proves who asks: the client's secret, a
    /// password, the key of a JWT. A token goes on being used under another
    /// order of the same identity, until that has its first one.
    pub identity: Digest,
    /// Of the grant alone: where, for which client and for whom. A refresh
    /// token is good for every order of its lineage.
    pub lineage: Digest,
    /// What the answer looks like.
    pub shape: ResponseShape,
    /// What it looks like to a refresh request, where that differs.
    pub refresh_shape: Option<ResponseShape>,
    /// How long a token is good for.
    pub lifetime: Lifetime,
    /// Where the next one comes from.
    pub renewal: Renewal,
    /// The refresh token that the manifest refers to. Once the provider has
    /// replaced it, the replacement counts, until the lineage changes.
    pub seed: Option<Secret>,
    /// Whether a refresh token that came with a token is used, where the token
    /// can also be obtained anew.
    pub refreshes: bool,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
    /// What a base URL from an answer is put into.
    pub base_url: Option<BaseUrl>,
    /// Where a base URL from an answer may lead.
    pub base_url_allow: Vec<HostPattern>,
}

impl Terms {
    /// Those of a provider that keeps to RFC 6749, without a refresh token.
    pub fn new(order: Digest, identity: Digest, lineage: Digest, renewal: Renewal) -> Self {
        Self {
            order,
            identity,
            lineage,
            shape: ResponseShape::default(),
            refresh_shape: None,
            lifetime: Lifetime::default(),
            renewal,
            seed: None,
            refreshes: false,
            scopes: Vec::new(),
            base_url: None,
            base_url_allow: Vec::new(),
        }
    }

    /// What the answer to a request looks like, with a refresh token or without.
    pub(super) fn shape_of(&self, refreshed: bool) -> &ResponseShape {
        let own = self.refresh_shape.as_ref().filter(|_| refreshed);
        own.unwrap_or(&self.shape)
    }
}

/// Numbers from 0 to 1 that keep tokens of one age from being renewed in one
/// moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jitter {
    /// How much earlier than it must be a refresh is: a tenth of the margin at
    /// most. One throw for each token.
    pub earlier: f64,
    /// For the first refresh after a start.
    pub start: Option<Spread>,
}

/// The first refresh after a start is anywhere in the token's remaining life,
/// so that what was obtained together is not renewed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The start.
    pub from: Timestamp,
    /// Where: 0 is at once, 1 is when it must be.
    pub fraction: f64,
}

impl Spread {
    /// A time between the start and `due`; where that has passed, one in the
    /// first half of what is left until `end`.
    pub(super) fn of(self, due: Timestamp, end: Option<Timestamp>) -> Timestamp {
        let until_due = due.duration_since(self.from);
        let rest = match end {
            _ if until_due.is_positive() => until_due,
            Some(end) => end.duration_since(self.from) / 2,
            None => return due,
        };
        // Later ones are more likely: tokens whose times are even already stay
        // even, where equal chances would pile them up at the start.
        let part = rest.as_secs_f64() * self.fraction.sqrt();
        SignedDuration::try_from_secs_f64(part)
            .ok()
            .filter(SignedDuration::is_positive)
            .and_then(|part| self.from.checked_add(part.min(rest)).ok())
            .unwrap_or_else(|| due.min(self.from))
    }
}
