//! Where tokens survive a crash.

mod file;
mod memory;

use std::fmt;
use std::sync::Arc;

use credence_core::token::Record;
use credence_core::token::record::Unreadable;

use crate::TokenKey;

pub use file::FileStore;
pub use memory::MemoryStore;

/// Keeps one [`Record`] for each token. A record is replaced only by one who
/// has seen the newest: of two that write at once, one is told so.
pub trait TokenStore: Send + Sync + 'static {
    /// What is kept of a token; `None` where nothing is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and [`StoreError::Unreadable`], upon which
    /// nothing must be saved: there may be a refresh token in it.
    fn load(
        &self,
        key: &TokenKey,
    ) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// Replaces the record of this version, or makes the first one, durably:
    /// once this has returned, no crash undoes it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is kept, or any where
    /// none was expected, and [`StoreError::Unavailable`], after which it may
    /// or may not have been saved.
    fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// Forgets a token. It is no error if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn remove(&self, key: &TokenKey) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl<S: TokenStore> TokenStore for Arc<S> {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        (**self).load(key).await
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        (**self).save(key, record, expected).await
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        (**self).remove(key).await
    }
}

/// A record, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What was kept.
    pub record: Record,
    /// Of this state of the store.
    pub version: Version,
}

/// Names one state of one record: where it is the same, the record is.
#[derive(Clone, PartialEq, Eq)]
pub struct Version(Box<str>);

impl Version {
    /// As the store calls it.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// As the store calls it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was faster.
    #[error("another has changed the state of the token")]
    Conflict,
    /// It cannot be reached, or cannot write. The text holds nothing secret.
    #[error("the state of the token cannot be kept: {0}")]
    Unavailable(String),
    /// What it holds is no record.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Notes that an API refused the token of a generation, for the one who keeps
/// it fresh. What was renewed meanwhile needs no note.
///
/// # Errors
/// [`StoreError`], also when the record changes all the time.
pub async fn note_refusal<S: TokenStore>(
    store: &S,
    key: &TokenKey,
    generation: u64,
) -> Result<(), StoreError> {
    // Whoever writes meanwhile is renewing the token.
    for _ in 0..3 {
        let Some(Stored { record, version }) = store.load(key).await? else {
            return Ok(());
        };
        let noted = record.refusing(generation);
        if noted == record {
            return Ok(());
        }
        match store.save(key, &noted, Some(&version)).await {
            Err(StoreError::Conflict) => {}
            other => return other.map(drop),
        }
    }
    Err(StoreError::Conflict)
}
