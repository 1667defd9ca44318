//! A store that forgets everything with the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use credence_core::token::Record;

use super::{StoreError, Stored, TokenStore, Version};
use crate::TokenKey;

/// Tokens that nobody needs after the process: for trying things, and where
/// nothing may be written to a disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: HashMap<TokenKey, Stored>,
    saved: u64,
}

impl MemoryStore {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in here panics between two changes that belong together.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenStore for MemoryStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        Ok(self.with(|state| state.records.get(key).cloned()))
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        self.with(|state| {
            if state.records.get(key).map(|stored| &stored.version) != expected {
                return Err(StoreError::Conflict);
            }
            state.saved += 1;
            let version = Version::new(state.saved.to_string());
            let stored = Stored {
                record: record.clone(),
                version: version.clone(),
            };
            state.records.insert(key.clone(), stored);
            Ok(version)
        })
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        self.with(|state| state.records.remove(key));
        Ok(())
    }
}
