//! What is kept of the tokens of collections, and which are to be kept fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use credence_broker::TokenKey;
use credence_core::Environment;
use credence_core::token::{Order, Record};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Catalogue, Records, Slot, State};
use crate::collection_key::CollectionKey;
use crate::tokens::refusals::RefusedToken;
use crate::tokens::state_secret;

/// What is kept of one token.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Whose token it is.
    pub of: CollectionKey,
    /// What is kept.
    pub record: Arc<Record>,
}

/// A token that is to be kept fresh.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which.
    pub token: TokenKey,
    /// Whose.
    pub of: CollectionKey,
    /// How it is obtained.
    pub order: Arc<Order>,
    /// Whether anything is kept of it.
    pub is_kept: bool,
    /// The newest generation that an API refused.
    pub refused: Option<u64>,
}

/// What a report of a refused token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// No note: there is a newer token, or somebody has written it down.
    Nothing,
    /// None yet: nobody has seen such a token here. Who leads may be ahead of
    /// us, or somebody makes it up.
    Unseen,
    /// A note in the record of this token.
    Note(TokenKey),
}

impl Catalogue {
    /// Ready whenever anything has changed that tokens depend on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// What is kept of the tokens of a collection.
    pub fn records(&self, key: &CollectionKey) -> Records {
        let slot = self.lock().slot(key);
        slot.map(|slot| slot.records).unwrap_or_default()
    }

    /// The tokens that are to be kept fresh.
    pub fn wanted(&self) -> Vec<Wanted> {
        let state = self.lock();
        let mut wanted = Vec::new();
        for of in state.keys() {
            let Some(slot) = state.slot(&of) else {
                continue;
            };
            let planned = slot.planned.as_ref();
            let mut orders = BTreeMap::new();
            for resolution in planned.iter().flat_map(|it| it.resolutions.values()) {
                let Some(order) = &resolution.order else {
                    continue;
                };
                // Where both environments have one, the orders are the same.
                orders
                    .entry(resolution.token_environment())
                    .or_insert(order);
            }
            wanted.extend(orders.into_iter().map(|(environment, order)| {
                let record = slot.records.get(&environment);
                Wanted {
                    token: TokenKey::new(&slot.outline.uid, environment),
                    of: of.clone(),
                    order: order.clone(),
                    is_kept: record.is_some(),
                    refused: record.and_then(|record| record.refused),
                }
            }));
        }
        wanted
    }

    /// What a report of a refused token is worth, as far as is known here.
    pub fn worth(&self, refused: &RefusedToken) -> Worth {
        let Some(slot) = self.lock().slot(&refused.of) else {
            return Worth::Nothing;
        };
        let environment = slot.token_environment(refused.environment);
        let Some(record) = slot.records.get(&environment) else {
            return Worth::Nothing;
        };
        if refused.generation > record.generation {
            return Worth::Unseen;
        }
        let noted = record.refused.is_some_and(|it| it >= refused.generation);
        match refused.generation < record.generation || noted {
            true => Worth::Nothing,
            false => Worth::Note(TokenKey::new(&slot.outline.uid, environment)),
        }
    }

    /// Takes over what is kept under the name of a Secret.
    pub fn set_record(&self, name: &str, kept: Option<Kept>) {
        let mut state = self.lock();
        let before = match kept {
            Some(kept) => state.records.insert(name.to_owned(), kept),
            None => state.records.remove(name),
        };
        let now = state.records.get(name);
        let concerned: BTreeSet<CollectionKey> = [before.as_ref(), now]
            .into_iter()
            .flatten()
            .map(|kept| kept.of.clone())
            .collect();
        for key in concerned {
            if let Some(slot) = state.slot(&key) {
                state.set_slot(&key, Some(slot));
                self.queue.push(key);
            }
        }
        self.changes.send_replace(());
    }

    /// Forgets what is kept under other names than these.
    pub fn retain_records(&self, listed: &BTreeSet<String>) {
        let gone: Vec<String> = {
            let state = self.lock();
            let names = state.records.keys();
            names
                .filter(|name| !listed.contains(*name))
                .cloned()
                .collect()
        };
        for name in gone {
            self.set_record(&name, None);
        }
    }

    /// The names of Secrets that keep tokens of collections which do not exist
    /// any more; none until every listing is complete.
    pub fn orphans(&self) -> Vec<String> {
        let state = self.lock();
        if !state.listed.all() {
            return Vec::new();
        }
        let kept = state.records.iter();
        let orphaned = |(name, kept): (&String, &Kept)| {
            let slot = state.slot(&kept.of);
            let own = slot.is_some_and(|slot| state_names(&slot).any(|(_, own)| own == *name));
            (!own).then(|| name.clone())
        };
        kept.filter_map(orphaned).collect()
    }
}

impl State {
    /// The slot with what is kept of its tokens.
    pub(super) fn with_records(&self, slot: Slot) -> Slot {
        let kept = |(environment, name): (Environment, String)| {
            let kept = self.records.get(&name)?;
            Some((environment, kept.record.clone()))
        };
        let records = state_names(&slot).filter_map(kept).collect();
        Slot { records, ..slot }
    }
}

impl Slot {
    /// The first end of the tokens that are in use.
    pub(super) fn token_ends(&self) -> Option<Timestamp> {
        let resolutions = &self.planned.as_ref()?.resolutions;
        let ends = resolutions.values().filter_map(|resolution| {
            let record = self.records.get(&resolution.token_environment())?;
            let held = record.held_for(&resolution.order.as_ref()?.terms)?;
            held.expires_at
        });
        ends.min()
    }

    /// Under which environment the token is kept that calls of one are made
    /// with.
    fn token_environment(&self, environment: Environment) -> Environment {
        let planned = self.planned.as_ref();
        let resolution = planned.and_then(|planned| planned.resolutions.get(&environment));
        resolution.map_or(environment, |resolution| resolution.token_environment())
    }
}

/// The names of the Secrets that keep a collection's tokens.
fn state_names(slot: &Slot) -> impl Iterator<Item = (Environment, String)> {
    [Environment::Live, Environment::Development]
        .into_iter()
        .map(|environment| {
            let token = TokenKey::new(&slot.outline.uid, environment);
            (environment, state_secret::name(&token))
        })
}

#[cfg(test)]
mod tests;
