//! From one authority to the next, in steps that can be interrupted.
//!
//! ```text
//!             begin              promote                     drop
//!   current ────────► current ────────────► current (next) ────────► current
//!                     next     │            retired        │
//!                              │                           │
//!           API servers trust next                   no pod trusts it
//! ```
//!
//! Each step is one write of the Secret, and the next one is decided by what
//! the Secret holds: whoever leads after a replica was lost goes on from there.
//! Every authority in it is served to whoever asks for it, so at no point is a
//! running pod cut off.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::authorities::{Authorities, ECHO, Retired};
use super::authority::{self, MintError};
use super::held::{Held, Pair, Unusable};
use super::names::leaf_names;

/// A leaf with less life than this is replaced: two thirds of its life are
/// over, and a month of failing renewals can be seen before it ends.
const RENEW_LEAF_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// An authority with less life than this is replaced: the pods that trust it
/// have that long to be replaced as well.
const RENEW_AUTHORITY_BEFORE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// From the `caBundle` that we see to the one that every API server uses, and
/// from the Secret that we see to the one that every replica serves.
const SPREAD: SignedDuration = SignedDuration::from_secs(10);

/// What a step is decided by.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// What the Secret holds.
    pub authorities: &'a Authorities,
    /// Names that every leaf carries beside the one of its authority.
    pub services: &'a [String],
    /// Whether somebody asked for a rotation that has not begun.
    pub requested: bool,
    /// Since when `caBundle` is known to hold the next authority.
    pub announced: Option<Timestamp>,
    /// The roots that pods trust which run or may run; none if the pods are not
    /// known.
    pub in_use: Option<&'a BTreeSet<String>>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing until then.
    Keep {
        /// When to ask again, at the latest.
        until: Timestamp,
    },
    /// A current authority, for there is none: pods that trust another one have
    /// to be replaced.
    Create,
    /// New leaves of these authorities: nobody notices.
    Renew(BTreeSet<String>),
    /// A next authority.
    Begin(&'static str),
    /// The next authority becomes current, and the current one is retired.
    Promote,
    /// These retired authorities are forgotten.
    Drop(BTreeSet<String>),
}

/// A step could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// There is no new certificate.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// There is one, which is no good.
    #[error("what was just made cannot be used: {0}")]
    Unusable(#[from] Unusable),
}

/// Decides the next step.
pub fn decide(observed: Observed<'_>, now: Timestamp) -> Step {
    let authorities = observed.authorities;
    let Some(current) = &authorities.current else {
        return Step::Create;
    };
    let due: BTreeSet<String> = authorities
        .all()
        .filter(|held| leaf_until(held, observed.services) <= now)
        .map(|held| held.root.clone())
        .collect();
    if !due.is_empty() {
        return Step::Renew(due);
    }
    if authorities.next.is_some() {
        match observed.announced.map(|since| after(since, SPREAD)) {
            Some(trusted) if trusted <= now => return Step::Promote,
            // A new one would not be announced any sooner.
            Some(_) | None => {}
        }
    } else if before(current.expires, RENEW_AUTHORITY_BEFORE) <= now {
        return Step::Begin("the authority ends within a year");
    } else if observed.requested {
        return Step::Begin("it was asked for");
    }
    let unused: BTreeSet<String> = authorities
        .retired
        .iter()
        .filter(|retired| after(retired.since, ECHO) <= now)
        .map(|retired| retired.held.root.clone())
        .filter(|root| observed.in_use.is_some_and(|in_use| !in_use.contains(root)))
        .collect();
    if !unused.is_empty() {
        return Step::Drop(unused);
    }
    let leaves = authorities
        .all()
        .map(|held| leaf_until(held, observed.services));
    let trusted = observed.announced.filter(|_| authorities.next.is_some());
    let echoes = authorities.retired.iter().map(|r| after(r.since, ECHO));
    let until = leaves
        .chain(trusted.map(|since| after(since, SPREAD)))
        .chain(echoes.filter(|over| *over > now))
        .fold(
            before(current.expires, RENEW_AUTHORITY_BEFORE),
            Timestamp::min,
        );
    Step::Keep { until }
}

/// What the Secret is to hold after a step.
///
/// # Errors
/// [`StepError`] when a certificate cannot be made.
pub fn advance(
    authorities: &Authorities,
    step: &Step,
    services: &[String],
    now: Timestamp,
) -> Result<Authorities, StepError> {
    let mut after = authorities.clone();
    match step {
        Step::Keep { .. } => {}
        Step::Create => after.current = Some(made(services, now)?),
        Step::Begin(_) => after.next = Some(made(services, now)?),
        Step::Renew(roots) => {
            for held in after.all_mut().filter(|held| roots.contains(&held.root)) {
                *held = signed(held.authority.clone(), services, now)?;
            }
        }
        Step::Promote => {
            if let Some(next) = after.next.take() {
                let retired = after.current.replace(next);
                let retired = retired.map(|held| Retired { held, since: now });
                after.retired.extend(retired);
            }
        }
        Step::Drop(roots) => after
            .retired
            .retain(|retired| !roots.contains(&retired.held.root)),
    }
    Ok(after)
}

fn made(services: &[String], now: Timestamp) -> Result<Held, StepError> {
    signed(authority::authority(now)?, services, now)
}

fn signed(authority: Pair, services: &[String], now: Timestamp) -> Result<Held, StepError> {
    let leaf = authority::leaf(&authority, services, now)?;
    Ok(Held::new(authority, Some(leaf))?)
}

/// Until when an authority's leaf is good enough.
fn leaf_until(held: &Held, services: &[String]) -> Timestamp {
    match &held.leaf {
        Some(leaf) if leaf.names == leaf_names(services, &held.root) => {
            before(leaf.expires, RENEW_LEAF_BEFORE)
        }
        Some(_) | None => Timestamp::MIN,
    }
}

fn before(end: Timestamp, margin: SignedDuration) -> Timestamp {
    end.saturating_sub(margin).unwrap_or(Timestamp::MIN)
}

fn after(begin: Timestamp, margin: SignedDuration) -> Timestamp {
    begin.saturating_add(margin).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
