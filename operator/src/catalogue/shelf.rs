//! What one namespace may use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use credence_core::bundle::{Entry, NoToken, TokenState, Withheld};
use credence_core::collection::{Consumer, Scope};
use credence_core::token::decide::standing;
use credence_core::token::{Held, Order, Record, Standing, Terms};
use credence_core::{CollectionName, Environment};
use jiff::Timestamp;

use crate::collection_key::CollectionKey;
use crate::resolution::Resolution;

/// A collection that cannot be planned is waited for as long as this, and sent
/// as not ready from then on: one unreadable Secret must not keep its
/// neighbours back for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// The collections of one namespace, its own and those of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// What the watch shows of the namespace; none until it has, and when it
    /// is gone.
    pub namespace: Option<Namespace>,
    /// Whether pods of a live namespace ask for development.
    pub lowered: bool,
    /// Those of the namespace.
    pub collections: BTreeMap<CollectionName, Slot>,
    /// Those of the cluster that reach it.
    pub of_cluster: BTreeMap<CollectionName, Slot>,
}

/// What decides which collections a namespace sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its environment.
    pub environment: Environment,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A collection that exists.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What its manifest says of it now.
    pub outline: Arc<Outline>,
    /// What was last planned for it, if anything was.
    pub planned: Option<Arc<Planned>>,
    /// Whether planning it fails.
    pub trouble: Trouble,
    /// What is kept of its tokens.
    pub records: Records,
    /// How what is kept was obtained, where calls go on with it until the order
    /// in force has its first token.
    pub earlier: Orders,
}

/// What is kept of the tokens of one collection, by
/// [`Resolution::token_environment`].
pub type Records = BTreeMap<Environment, Arc<Record>>;

/// How the tokens of one collection are obtained.
pub type Orders = BTreeMap<Environment, Arc<Order>>;

/// Whether a collection cannot be planned: something is wrong with the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// It can, or nobody has tried.
    #[default]
    None,
    /// It could not since then.
    Since(Instant),
    /// It could not for so long that nobody waits for it.
    Lasting,
}

/// What a manifest says of a collection, whether the rest of it is usable or
/// not: what others must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The object's uid.
    pub uid: String,
    /// When the object was made.
    pub created: Option<Timestamp>,
    /// Whom it is for.
    pub scope: Scope,
    /// The port of its own that it asks for.
    pub sidecar_port: Option<u16>,
}

/// What sidecars may know of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What the manifest said when it was planned.
    pub outline: Arc<Outline>,
    /// Its resolutions, each under the environment it was made for.
    pub resolutions: BTreeMap<Environment, Arc<Resolution>>,
}

impl Shelf {
    /// The environment of the namespace.
    pub fn environment(&self) -> Option<Environment> {
        Some(self.namespace.as_ref()?.environment)
    }

    /// The environments that collections of this namespace are resolved for.
    pub fn environments(&self) -> BTreeSet<Environment> {
        let lowered = self.lowered.then_some(Environment::Development);
        self.environment().into_iter().chain(lowered).collect()
    }

    /// What is called by each name: a collection of the namespace comes before
    /// one of the cluster, whoever may use it.
    pub fn on_offer(&self) -> impl Iterator<Item = (bool, &CollectionName, &Slot)> {
        let own = self.collections.iter();
        let of_cluster = self.of_cluster.iter();
        own.map(|(name, slot)| (false, name, slot)).chain(
            of_cluster
                .filter(|(name, _)| !self.collections.contains_key(*name))
                .map(|(name, slot)| (true, name, slot)),
        )
    }

    /// Whether a scope reaches this namespace, which has this name.
    pub fn is_reached(&self, namespace: &str, scope: &Scope) -> bool {
        let seen = self.namespace.as_ref();
        seen.is_some_and(|seen| scope.reaches(namespace, &seen.labels))
    }

    /// The key of something on offer in the namespace of this name.
    pub fn key(namespace: &str, of_cluster: bool, name: &CollectionName) -> CollectionKey {
        CollectionKey {
            namespace: (!of_cluster).then(|| namespace.to_owned()),
            name: name.clone(),
        }
    }
}

impl Slot {
    /// Of a collection that was just seen.
    pub const fn new(outline: Arc<Outline>) -> Self {
        Self {
            outline,
            planned: None,
            trouble: Trouble::None,
            records: Records::new(),
            earlier: Orders::new(),
        }
    }

    /// What calls of an environment can be made with now; none where they need
    /// no token.
    pub fn token(&self, environment: Environment, now: Timestamp) -> Option<TokenState> {
        let planned = self.planned.as_ref()?;
        let resolution = planned.resolutions.get(&environment)?;
        let order = resolution.order.as_ref()?;
        let withheld = |why, retry_at| TokenState::Withheld(Withheld { why, retry_at });
        let unknown = TokenState::Withheld(Withheld::UNKNOWN);
        let Some(record) = self.records.get(&resolution.token_environment()) else {
            return Some(unknown);
        };
        let held = |held: &Held, terms: &Terms| match held.token(record.generation, terms) {
            Ok(token) if resolution.takes(&token) => TokenState::Held(token),
            Ok(_) | Err(_) => TokenState::Withheld(Withheld::UNKNOWN),
        };
        Some(match standing(record, &order.terms, now) {
            Standing::Usable(usable) => held(usable, &order.terms),
            Standing::Unavailable { retry_at } => {
                let earlier = self.earlier.get(&environment);
                // What only a change can bring, nobody waits for.
                let earlier = earlier.filter(|_| retry_at.is_some());
                match earlier.map(|earlier| (standing(record, &earlier.terms, now), earlier)) {
                    Some((Standing::Usable(usable), earlier)) => held(usable, &earlier.terms),
                    _ => withheld(NoToken::Unavailable, retry_at),
                }
            }
            Standing::ReauthorizationRequired => withheld(NoToken::ReauthorizationRequired, None),
        })
    }

    /// Whether a consumer may use it, by the manifest as it is and as it was
    /// planned: what the manifest takes away is gone also while the rest of it
    /// cannot be planned, and what it gives comes with the plan.
    pub fn admits(&self, consumer: &Consumer<'_>) -> bool {
        self.scopes().all(|scope| scope.admits(consumer))
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let planned = self.planned.iter().map(|planned| &planned.outline.scope);
        std::iter::once(&self.outline.scope).chain(planned)
    }

    /// What counts for those who are sent what was planned.
    pub fn in_use(&self) -> &Outline {
        match &self.planned {
            Some(planned) => &planned.outline,
            None => &self.outline,
        }
    }

    /// Whether it was planned, or at least tried.
    pub fn is_tried(&self) -> bool {
        self.planned.is_some() || self.trouble != Trouble::None
    }

    /// Whether both say the same, without a look into what is planned.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_plan = match (&self.planned, &other.planned) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let same_records = self.records.len() == other.records.len()
            && (self.records.iter().zip(&other.records))
                .all(|(one, two)| one.0 == two.0 && Arc::ptr_eq(one.1, two.1));
        same_plan && same_records && self.trouble == other.trouble && self.outline == other.outline
    }
}

impl Trouble {
    /// After another failure.
    #[must_use]
    pub fn after_failure(self, now: Instant) -> Self {
        match self {
            Self::None => Self::Since(now),
            Self::Since(since) if now.duration_since(since) < PATIENCE => Self::Since(since),
            Self::Since(_) | Self::Lasting => Self::Lasting,
        }
    }
}

impl Planned {
    /// The entry for an environment; none if it was not resolved for that.
    pub fn entry(&self, environment: Environment) -> Option<(&Entry, &str)> {
        let resolution = self.resolutions.get(&environment)?;
        Some((&resolution.entry, &resolution.revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_long_is_not_waited_for() {
        let start = Instant::now();
        let after =
            |trouble: Trouble, seconds| trouble.after_failure(start + Duration::from_secs(seconds));
        let first = after(Trouble::None, 0);
        assert_eq!(first, Trouble::Since(start));
        assert_eq!(after(first, 29), first);
        assert_eq!(after(first, 30), Trouble::Lasting);
        assert_eq!(after(Trouble::Lasting, 31), Trouble::Lasting);
    }
}
