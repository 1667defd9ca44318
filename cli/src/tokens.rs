//! The tokens of a session: obtained, kept fresh and handed to the proxy in this
//! process, as an operator does it for a cluster.

mod in_use;
mod kept;
pub(crate) mod news;
pub(crate) mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use credence_broker::{Clock, Egress, Exchange, PrivateNetworks, State, TokenKey, Tools};
use credence_core::bundle::{Bundle, Tokens as States};
use credence_core::token::Order;
use credence_core::{CollectionName, Environment};
use credence_operator::random;
use futures::future::select_all;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::places::Places;
use crate::plan::Ordered;
use kept::Kept;
use news::{News, explained, news};
use storage::Storage;

/// How often it is looked for what another process has stored, which may have
/// run into the renewal that this one is waiting for.
const LOOK: Duration = Duration::from_secs(1);

/// A token that a collection of the plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where it is kept.
    pub(crate) token: TokenKey,
    /// How it is obtained.
    pub(crate) order: Arc<Order>,
}

/// Under which name the token of a collection is kept: the same for every run
/// that finds the collection in the same file.
pub(crate) fn token_key(
    places: &Places,
    collection: &CollectionName,
    ordered: &Ordered,
) -> TokenKey {
    let file = places.of_file(&ordered.file);
    let namespace = ordered.namespace.as_deref().unwrap_or_default();
    // Neither of the last two has a line break in it.
    let identity = format!("{}\n{namespace}\n{collection}", file.display());
    TokenKey::new(&identity, ordered.environment)
}

/// Keeps the tokens of a session.
pub(crate) struct Tokens {
    tools: Arc<Tools<Storage, Exchange>>,
    /// What the files say.
    planned: Bundle,
    wanted: BTreeMap<CollectionName, Wanted>,
    kept: BTreeMap<CollectionName, Kept>,
    /// Those that are told to stop: until one has, no other of its token may
    /// begin, or a refresh token could be sent twice.
    ending: BTreeSet<TokenKey>,
    stopping: JoinSet<TokenKey>,
    look: Interval,
}

/// What became of the tokens.
#[derive(Debug)]
pub(crate) struct Turn {
    /// What is to be told, and of which collection.
    pub(crate) news: Vec<(CollectionName, News)>,
    /// For the proxy.
    pub(crate) update: Update,
}

/// What the proxy is given.
#[derive(Debug)]
pub(crate) enum Update {
    /// Other tokens for the same routes.
    Tokens(States),
    /// Other routes, too.
    Bundle(Bundle),
}

impl Tokens {
    /// None yet.
    pub(crate) fn new(storage: Storage, egress: Egress) -> Self {
        // On a laptop the manifests are its user's own.
        let exchange = Exchange::new(egress, PrivateNetworks::AsOrdered);
        let tools = Tools::new(storage, exchange, Clock::system(), random::name());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            tools: Arc::new(tools),
            planned: Bundle {
                revision: String::new(),
                environment: Environment::default(),
                collections: BTreeMap::new(),
                tokens: States::new(),
            },
            wanted: BTreeMap::new(),
            kept: BTreeMap::new(),
            ending: BTreeSet::new(),
            stopping: JoinSet::new(),
            look,
        }
    }

    /// Takes over what the files say now, and gives what is served for it.
    pub(crate) fn plan(
        &mut self,
        planned: Bundle,
        wanted: BTreeMap<CollectionName, Wanted>,
    ) -> Bundle {
        (self.planned, self.wanted) = (planned, wanted);
        self.adjust();
        self.bundle()
    }

    /// How the token of a collection stands, where it needs one and has none.
    pub(crate) fn trouble(&self, collection: &CollectionName) -> Option<String> {
        self.wanted.get(collection)?;
        let Some(kept) = self.kept.get(collection) else {
            return Some(PENDING.to_owned());
        };
        if matches!(kept.outcome.state, State::Token(_)) {
            return None;
        }
        let told = explained(&kept.outcome, self.tools.store().path());
        Some(told.map_or_else(|| PENDING.to_owned(), |news| news.text))
    }

    /// An API refused the token of this generation.
    pub(crate) fn refuse(&self, collection: &CollectionName, generation: u64) {
        if let Some(kept) = self.kept.get(collection) {
            kept.keeper.refuse(generation);
        }
    }

    /// Waits until there is something new. May be dropped while it waits.
    pub(crate) async fn changed(&mut self) -> Turn {
        let changed = loop {
            let kept = self.kept.values_mut();
            let outcomes = kept.map(|kept| Box::pin(kept.outcomes.changed()));
            let outcomes: Vec<_> = outcomes.collect();
            let any = async {
                match outcomes.is_empty() {
                    true => std::future::pending().await,
                    false => select_all(outcomes).await.0,
                }
            };
            tokio::select! {
                changed = any => break Changed::Outcome(changed.is_ok()),
                Some(ended) = self.stopping.join_next() => break Changed::Ended(ended),
                _ = self.look.tick() => {}
            }
            for kept in self.kept.values_mut() {
                kept.look_at(self.tools.store()).await;
            }
        };
        match changed {
            Changed::Outcome(true) => {}
            // A keeper ends of itself only by a fault of ours.
            Changed::Outcome(false) => self.stop().await,
            Changed::Ended(Ok(token)) => _ = self.ending.remove(&token),
            Changed::Ended(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
        self.adjust();
        self.turn()
    }

    /// Ends all. Requests that are under way are waited for, and their answers
    /// kept.
    pub(crate) async fn stop(&mut self) {
        self.wanted.clear();
        self.adjust();
        while let Some(ended) = self.stopping.join_next().await {
            match ended {
                Ok(token) => _ = self.ending.remove(&token),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    }

    /// Starts what is missing, tells the others what has changed, and stops what
    /// is not wanted any more.
    fn adjust(&mut self) {
        let unwanted: Vec<CollectionName> = (self.kept.iter())
            .filter(|(name, kept)| {
                let wanted = self.wanted.get(*name);
                wanted.is_none_or(|wanted| wanted.token != kept.token)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in unwanted {
            if let Some(Kept { token, keeper, .. }) = self.kept.remove(&name) {
                self.ending.insert(token.clone());
                self.stopping.spawn(async move {
                    keeper.stop().await;
                    token
                });
            }
        }
        for (name, Wanted { token, order }) in &self.wanted {
            if self.ending.contains(token) {
                continue; // Its end brings us back here.
            }
            let kept = self.kept.entry(name.clone()).or_insert_with(|| {
                let (tools, order) = (Arc::clone(&self.tools), Arc::clone(order));
                Kept::start(tools, token.clone(), order)
            });
            if kept.order != *order {
                kept.keeper.assign(Arc::clone(order));
                kept.order = Arc::clone(order);
            }
        }
    }

    /// What is new since the last turn.
    fn turn(&mut self) -> Turn {
        let folder = self.tools.store().path();
        let mut told = Vec::new();
        for (name, kept) in &mut self.kept {
            kept.outcome = Arc::clone(&kept.outcomes.borrow_and_update());
            if let Some(news) = news(kept.told.as_deref(), &kept.outcome, folder) {
                told.push((name.clone(), news));
                kept.told = Some(Arc::clone(&kept.outcome));
            }
        }
        let mut kept = self.kept.values();
        let same_routes = kept.all(|kept| kept.in_use.is_of(&kept.outcome));
        let bundle = self.bundle();
        Turn {
            news: told,
            update: match same_routes {
                true => Update::Tokens(bundle.tokens),
                false => Update::Bundle(bundle),
            },
        }
    }

    fn bundle(&mut self) -> Bundle {
        let mut bundle = self.planned.clone();
        for name in self.wanted.keys() {
            let (Some(kept), Some(entry)) =
                (self.kept.get_mut(name), bundle.collections.get_mut(name))
            else {
                continue;
            };
            let wanted = kept.order.terms.order;
            let (served, state) = kept.in_use.serve(entry, wanted, &kept.outcome);
            *entry = served;
            bundle.tokens.insert(name.clone(), state);
        }
        bundle
    }
}

enum Changed {
    Outcome(bool),
    Ended(Result<TokenKey, tokio::task::JoinError>),
}

const PENDING: &str = "The token endpoint has not answered yet.";
