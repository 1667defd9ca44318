//! The replica that leads keeps all tokens fresh.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use credence_broker::{Issuer, Keeper, TokenKey, Tools};
use credence_core::token::Order;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::secret_store::SecretStore;
use crate::catalogue::{Catalogue, Wanted};
use crate::random;
use crate::shutdown::Shutdown;

/// How often states are looked for that no collection has any more.
const SWEEP: Duration = Duration::from_secs(60);

/// One keeper for each token that a collection needs.
pub struct Keepers<I: Issuer<Order = Order>> {
    catalogue: Arc<Catalogue>,
    store: SecretStore,
    tools: Arc<Tools<SecretStore, I>>,
    leader: watch::Receiver<bool>,
    kept: HashMap<TokenKey, Kept<I>>,
    /// Those that are told to stop: until one has, no other of its token may
    /// begin, or a refresh token could be sent twice.
    ending: HashSet<TokenKey>,
    stopping: JoinSet<TokenKey>,
}

struct Kept<I: Issuer<Order = Order>> {
    keeper: Keeper<I>,
    order: Arc<Order>,
    /// Whether the store's copy was there when it was last looked at.
    is_kept: bool,
    refused: Option<u64>,
}

impl<I: Issuer<Order = Order>> Keepers<I> {
    /// None yet.
    pub fn new(
        catalogue: Arc<Catalogue>,
        store: SecretStore,
        tools: Tools<SecretStore, I>,
        leader: watch::Receiver<bool>,
    ) -> Self {
        Self {
            catalogue,
            store,
            tools: Arc::new(tools),
            leader,
            kept: HashMap::new(),
            ending: HashSet::new(),
            stopping: JoinSet::new(),
        }
    }

    /// Keeps tokens while this replica leads, until it is drained. Requests that
    /// are under way then are waited for, and their answers stored.
    pub async fn run(mut self, mut draining: Shutdown) {
        let mut changes = self.catalogue.changes();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let leads = *self.leader.borrow_and_update();
            changes.borrow_and_update();
            let wanted = match leads {
                true => self.catalogue.wanted(),
                false => Vec::new(),
            };
            self.adjust(wanted);
            tokio::select! {
                // Whatever happens at the end begins nothing more.
                biased;
                () = draining.draining() => break,
                changed = self.leader.changed() => if changed.is_err() { break },
                Some(ended) = self.stopping.join_next() => self.ended(ended),
                _ = sweep.tick() => if leads { self.sweep().await },
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        self.adjust(Vec::new());
        while let Some(ended) = self.stopping.join_next().await {
            self.ended(ended);
        }
    }

    /// Starts what is missing, tells the others what has changed, and stops what
    /// is not wanted any more.
    fn adjust(&mut self, wanted: Vec<Wanted>) {
        let tokens: HashSet<&TokenKey> = wanted.iter().map(|wanted| &wanted.token).collect();
        let unwanted: Vec<TokenKey> = (self.kept.keys())
            .filter(|token| !tokens.contains(token))
            .cloned()
            .collect();
        for token in unwanted {
            if let Some(kept) = self.kept.remove(&token) {
                self.ending.insert(token.clone());
                self.stopping.spawn(async move {
                    kept.keeper.stop().await;
                    token
                });
            }
        }
        for wanted in wanted {
            self.keep(wanted);
        }
    }

    fn keep(&mut self, wanted: Wanted) {
        let Wanted {
            token,
            of,
            order,
            is_kept,
            refused,
        } = wanted;
        if self.ending.contains(&token) {
            return; // Its end brings us back here.
        }
        self.store.assign(&token, &of);
        let kept = self.kept.entry(token.clone()).or_insert_with(|| {
            info!(namespace = of.namespace, collection = %of.name, "a token is kept from now on");
            let tools = Arc::clone(&self.tools);
            Kept {
                keeper: Keeper::start(tools, token, Arc::clone(&order), random::seed()),
                order: Arc::clone(&order),
                is_kept,
                refused: None,
            }
        });
        if kept.is_kept && !is_kept {
            warn!(namespace = of.namespace, collection = %of.name,
                "the state of a token was deleted: it is written again");
            kept.keeper.reload();
        }
        kept.is_kept = is_kept;
        if !Arc::ptr_eq(&kept.order, &order) {
            kept.keeper.assign(Arc::clone(&order));
            kept.order = order;
        }
        if let Some(generation) = refused.filter(|_| kept.refused != refused) {
            kept.keeper.refuse(generation);
            kept.refused = refused;
        }
    }

    fn ended(&mut self, ended: Result<TokenKey, tokio::task::JoinError>) {
        match ended {
            Ok(token) => {
                self.store.release(&token);
                self.ending.remove(&token);
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Deletes the states of collections that are gone.
    async fn sweep(&self) {
        for name in self.catalogue.orphans() {
            match self.store.delete(&name).await {
                Ok(()) => info!(secret = name, "the state of a token was deleted"),
                Err(error) => warn!(secret = name, %error, "cannot delete the state of a token"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
