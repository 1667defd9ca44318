//! The record of one token, in memory as it is in the store.

use std::sync::Arc;
use std::time::Duration;

use credence_core::token::Record;
use credence_core::token::record::Intent;

use crate::store::{StoreError, Stored, Version};
use crate::{TokenKey, TokenStore};

/// The first wait for a store that cannot be reached; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait for a store.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is known of the store's copy.
pub(super) struct Ledger<S, I> {
    tools: Arc<super::Tools<S, I>>,
    key: TokenKey,
    pub(super) record: Record,
    version: Option<Version>,
    /// The last error, until something goes well again.
    pub(super) trouble: Option<StoreError>,
    failures: u32,
    /// Whether it was a save that failed last: that it can be read again is no
    /// sign that it can be written.
    read_only: bool,
}

/// A record was not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSaved {
    /// Somebody else has changed it; it is loaded again.
    Conflict,
    /// The store cannot be reached.
    Unavailable,
}

impl<S: TokenStore, I> Ledger<S, I> {
    pub(super) fn new(tools: Arc<super::Tools<S, I>>, key: TokenKey) -> Self {
        Self {
            tools,
            key,
            record: Record::default(),
            version: None,
            trouble: None,
            failures: 0,
            read_only: false,
        }
    }

    /// How long to leave the store alone.
    pub(super) fn wait(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(5);
        (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
    }

    /// Takes over what the store holds. What has vanished from there is put
    /// back.
    pub(super) async fn load(&mut self) -> Result<(), NotSaved> {
        match self.tools.store.load(&self.key).await {
            Ok(Some(Stored { record, version })) => {
                (self.record, self.version) = (record, Some(version));
                self.was_read();
                Ok(())
            }
            Ok(None) => match self.version.take() {
                Some(version) => self.restore(version).await,
                None => {
                    self.record = Record::default();
                    self.was_read();
                    Ok(())
                }
            },
            Err(error) => Err(self.went_wrong(error)),
        }
    }

    /// Somebody has deleted what may have been the only copy of a refresh token
    /// but for this one.
    async fn restore(&mut self, deleted: Version) -> Result<(), NotSaved> {
        let known = self.record.clone();
        let restored = Box::pin(self.save(known.clone())).await;
        if restored.is_err() && self.version.is_none() {
            (self.record, self.version) = (known, Some(deleted));
        }
        restored
    }

    /// Puts `next` in the place of the record that is known.
    pub(super) async fn save(&mut self, next: Record) -> Result<(), NotSaved> {
        let saved = self
            .tools
            .store
            .save(&self.key, &next, self.version.as_ref())
            .await;
        match saved {
            Ok(version) => {
                (self.record, self.version) = (next, Some(version));
                self.read_only = false;
                self.was_read();
                Ok(())
            }
            Err(StoreError::Conflict) => {
                self.read_only = false;
                self.load().await?;
                // An earlier try, of which no answer came, may have done it.
                if self.record == next {
                    Ok(())
                } else {
                    Err(NotSaved::Conflict)
                }
            }
            Err(error) => {
                self.read_only = true;
                Err(self.went_wrong(error))
            }
        }
    }

    /// An intent that may have been saved by a try that failed: nothing was
    /// sent on it.
    pub(super) fn withdraw(&mut self, intent: Option<&Intent>) {
        if intent.is_some() && self.record.intent.as_ref() == intent {
            self.record.intent = self.record.intent.take().and_then(Intent::undone);
        }
    }

    fn was_read(&mut self) {
        if !self.read_only {
            (self.trouble, self.failures) = (None, 0);
        }
    }

    fn went_wrong(&mut self, error: StoreError) -> NotSaved {
        if self.trouble.is_none() {
            tracing::warn!(token = %self.key, %error, "tokens are not renewed until this is over");
        }
        self.trouble = Some(error);
        self.failures = self.failures.saturating_add(1);
        NotSaved::Unavailable
    }
}
