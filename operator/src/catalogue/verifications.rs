//! Which credentials are to be verified, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use credence_core::Environment;
use credence_core::bundle::{Entry, Route};
use credence_core::collection::Verification;
use credence_core::token::decide::standing;
use credence_core::token::{Record, Standing};
use jiff::Timestamp;

use super::Catalogue;
use crate::collection_key::CollectionKey;
use crate::resolution::Resolution;
use crate::verification::Verified;

/// A credential that is to be verified.
#[derive(Clone, Debug)]
pub struct Verifiable {
    /// Whose.
    pub of: CollectionKey,
    /// Of which environment.
    pub environment: Environment,
    /// By which call.
    pub verification: Arc<Verification>,
    resolution: Arc<Resolution>,
    record: Option<Arc<Record>>,
}

/// What came of verifications, by uid and environment.
pub(super) type Verifications = BTreeMap<(String, Environment), Verified>;

impl Catalogue {
    /// The credentials that are to be verified: those that are in use.
    pub fn verifiable(&self) -> Vec<Verifiable> {
        let state = self.lock();
        let mut verifiable = Vec::new();
        for of in state.keys() {
            let Some(slot) = state.slot(&of) else {
                continue;
            };
            let resolutions = slot.planned.iter().flat_map(|planned| &planned.resolutions);
            for (environment, resolution) in resolutions {
                let Some(verification) = &resolution.verification else {
                    continue;
                };
                verifiable.push(Verifiable {
                    of: of.clone(),
                    environment: *environment,
                    verification: verification.clone(),
                    resolution: resolution.clone(),
                    record: slot.records.get(&resolution.token_environment()).cloned(),
                });
            }
        }
        verifiable
    }

    /// Takes note of what came of a call, for the next plan.
    pub fn set_verified(&self, of: &CollectionKey, verified: Verified) {
        let place = (verified.inputs.uid.clone(), verified.inputs.environment);
        self.lock().verifications.insert(place, verified);
        self.queue.push(of.clone());
    }

    /// What came of the last calls with the credentials of a collection.
    pub fn verified(&self, uid: &str) -> BTreeMap<Environment, Verified> {
        let state = self.lock();
        let known = [Environment::Live, Environment::Development].map(|environment| {
            let place = (uid.to_owned(), environment);
            let verified = state.verifications.get(&place)?;
            Some((environment, verified.clone()))
        });
        known.into_iter().flatten().collect()
    }

    /// Forgets what came of calls that are not among these, which are not made
    /// any more.
    pub fn retain_verified(&self, kept: &[Verifiable]) {
        let kept: BTreeSet<_> = kept.iter().map(Verifiable::place).collect();
        let mut state = self.lock();
        state
            .verifications
            .retain(|(uid, environment), _| kept.contains(&(uid.as_str(), *environment)));
    }
}

impl Verifiable {
    /// What the call is made from, whichever token it is made with.
    pub fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    /// The route by which a call goes now, with its token; none while there is
    /// no token. One that was obtained with what the collection said before says
    /// nothing about what it says now.
    pub fn route(&self, now: Timestamp) -> Option<Arc<Route>> {
        let Entry::Ready(route) = &self.resolution.entry else {
            return None;
        };
        let Some(order) = &self.resolution.order else {
            return Some(route.clone());
        };
        let record = self.record.as_ref()?;
        let Standing::Usable(held) = standing(record, &order.terms, now) else {
            return None;
        };
        let token = held.token(record.generation, &order.terms).ok()?;
        Some(Arc::new(route.bind(&token).ok()?))
    }

    fn place(&self) -> (&str, Environment) {
        (&self.resolution.inputs.uid, self.environment)
    }
}
