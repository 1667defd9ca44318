//! Tokens that APIs refuse, as sidecars report it to any replica.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credence_broker::store::note_refusal;
use credence_broker::{StoreError, TokenKey};
use credence_core::Environment;

use super::secret_store::SecretStore;
use crate::catalogue::Catalogue;
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

/// Writes refusals where the replica that leads sees them: into the tokens'
/// Secrets. What comes of it is decided there, once for all sidecars.
pub struct Refusals {
    catalogue: Arc<Catalogue>,
    store: SecretStore,
    /// What is being written.
    under_way: Mutex<HashMap<TokenKey, u64>>,
}

/// Ends what is under way, however that comes about.
struct UnderWay<'a> {
    all: &'a Refusals,
    token: TokenKey,
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
    /// known to be refused, costs nothing.
    ///
    /// # Errors
    /// [`StoreError`]: it is to be told again.
    pub async fn note(&self, refused: &RefusedToken) -> Result<(), StoreError> {
        let Some(token) = self.catalogue.unnoted(refused) else {
            return Ok(());
        };
        let Some(under_way) = self.begin(&token, refused.generation) else {
            return Ok(());
        };
        let store = self.store.of(&under_way.token, &refused.of);
        note_refusal(&store, &under_way.token, refused.generation).await
    }

    /// None if the same is being written by another.
    fn begin(&self, token: &TokenKey, generation: u64) -> Option<UnderWay<'_>> {
        let mut under_way = self.lock();
        if under_way
            .get(token)
            .is_some_and(|other| *other >= generation)
        {
            return None;
        }
        under_way.insert(token.clone(), generation);
        Some(UnderWay {
            all: self,
            token: token.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenKey, u64>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.token);
    }
}
