//! Tokens that APIs refuse, as sidecars report it to any replica.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credence_broker::store::note_refusal;
use credence_broker::{StoreError, TokenKey};
use credence_core::Environment;
use tokio::sync::watch;

use super::secret_store::SecretStore;
use crate::catalogue::{Catalogue, Worth};
use crate::collection_key::CollectionKey;

/// A token that an API does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedToken {
    /// Whose it is.
    pub of: CollectionKey,
    /// For which environment it was obtained.
    pub environment: Environment,
    /// Which of the collection's tokens it is.
    pub generation: u64,
}

/// Why it is not known to be written down: it is to be told again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNoted {
    /// This replica has not seen that token, or there is none.
    #[error("there is no such token here yet")]
    Unseen,
    /// Somebody else was writing it, and did not come to an end.
    #[error("the write was broken off")]
    BrokenOff,
    /// It cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a write; none before its end.
type Outcome = Option<Result<(), NotNoted>>;

/// Writes refusals where the replica that leads sees them: into the tokens'
/// Secrets. What comes of it is decided there, once for all sidecars.
pub struct Refusals {
    catalogue: Arc<Catalogue>,
    store: SecretStore,
    /// What is being written.
    under_way: Mutex<HashMap<TokenKey, Write>>,
}

struct Write {
    generation: u64,
    outcome: watch::Receiver<Outcome>,
}

/// Who writes a refusal down.
enum Writer<'a> {
    Us(UnderWay<'a>),
    /// Another, who tells what comes of it.
    Another(watch::Receiver<Outcome>),
}

/// Ends what is under way, however that comes about.
struct UnderWay<'a> {
    all: &'a Refusals,
    token: TokenKey,
    generation: u64,
    outcome: watch::Sender<Outcome>,
}

impl Refusals {
    /// For the tokens of a catalogue, which are kept in that store.
    pub fn new(catalogue: Arc<Catalogue>, store: SecretStore) -> Self {
        Self {
            catalogue,
            store,
            under_way: Mutex::default(),
        }
    }

    /// Takes note of a refused token. One that was renewed meanwhile, or is
    /// known to be refused, costs nothing; of all who tell of the same at once,
    /// one writes, and all hear what came of it.
    ///
    /// # Errors
    /// [`NotNoted`]: it is to be told again.
    pub async fn note(&self, refused: &RefusedToken) -> Result<(), NotNoted> {
        let token = match self.catalogue.worth(refused) {
            Worth::Nothing => return Ok(()),
            Worth::Unseen => return Err(NotNoted::Unseen),
            Worth::Note(token) => token,
        };
        match self.begin(token, refused.generation) {
            Writer::Us(under_way) => {
                let store = self.store.of(&under_way.token, &refused.of);
                let noted = note_refusal(&store, &under_way.token, refused.generation).await;
                let outcome = noted.map_err(NotNoted::from);
                under_way.outcome.send_replace(Some(outcome.clone()));
                outcome
            }
            Writer::Another(mut outcome) => match outcome.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or(Err(NotNoted::BrokenOff)),
                Err(_) => Err(NotNoted::BrokenOff),
            },
        }
    }

    fn begin(&self, token: TokenKey, generation: u64) -> Writer<'_> {
        let mut under_way = self.lock();
        let same = under_way
            .get(&token)
            .filter(|write| write.generation == generation);
        if let Some(write) = same {
            return Writer::Another(write.outcome.clone());
        }
        let (sender, outcome) = watch::channel(None);
        let write = Write {
            generation,
            outcome,
        };
        under_way.insert(token.clone(), write);
        Writer::Us(UnderWay {
            all: self,
            token,
            generation,
            outcome: sender,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenKey, Write>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let ours = |write: &Write| write.generation == self.generation;
        if all.get(&self.token).is_some_and(ours) {
            all.remove(&self.token);
        }
    }
}

#[cfg(test)]
mod tests;
