//! A store that fails when it is told to.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use credence_broker::store::MemoryStore;
use credence_broker::{StoreError, Stored, TokenKey, TokenStore, Version};
use credence_core::token::Record;
use tokio::sync::Notify;
use tokio::time::sleep;

/// What happens at a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before it.
    CrashBefore,
    /// The process ends after it.
    CrashAfter,
    /// It is done, and said not to be.
    FailAfter,
    /// It takes nine seconds.
    Slow,
}

/// What a Secret of Kubernetes holds at most.
const LONGEST: usize = 1024 * 1024;

/// Keeps everything in memory, which outlives the process that is meant.
#[derive(Default)]
pub(crate) struct FaultyStore {
    pub(crate) inner: MemoryStore,
    plan: Mutex<Plan>,
    crashed: Notify,
}

#[derive(Default)]
struct Plan {
    saves: usize,
    at: Option<(usize, Fault)>,
    down: bool,
    read_only: bool,
    unwritable: HashSet<String>,
    refused: usize,
    lost: bool,
}

impl FaultyStore {
    /// At the save of this number, from now on, counted from 1.
    pub(crate) fn fault_at(&self, number: usize, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        plan.at = Some((plan.saves + number, fault));
    }

    /// No more faults.
    pub(crate) fn be_sound(&self) {
        self.plan.lock().unwrap().at = None;
    }

    /// Whether a process ended between an answer and its being stored.
    pub(crate) fn has_lost_an_answer(&self) -> bool {
        self.plan.lock().unwrap().lost
    }

    /// Whether it can be reached.
    pub(crate) fn be_down(&self, down: bool) {
        self.plan.lock().unwrap().down = down;
    }

    /// Whether it can be written.
    pub(crate) fn be_read_only(&self, read_only: bool) {
        self.plan.lock().unwrap().read_only = read_only;
    }

    /// One token that nobody may write, for whatever reason.
    pub(crate) fn refuse(&self, key: &TokenKey) {
        let key = key.as_str().to_owned();
        self.plan.lock().unwrap().unwritable.insert(key);
    }

    /// How often it was tried to write while it could not be.
    pub(crate) fn refused(&self) -> usize {
        self.plan.lock().unwrap().refused
    }

    /// Until the process has ended.
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.plan.lock().unwrap().down {
            return Err(StoreError::Unavailable("away".to_owned()));
        }
        Ok(())
    }

    fn check_writable(&self, key: &TokenKey) -> Result<(), StoreError> {
        let mut plan = self.plan.lock().unwrap();
        if plan.read_only || plan.unwritable.contains(key.as_str()) {
            plan.refused += 1;
            return Err(StoreError::Unavailable("no space".to_owned()));
        }
        Ok(())
    }

    fn planned(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        plan.saves += 1;
        let saves = plan.saves;
        plan.at
            .take_if(|(at, _)| *at == saves)
            .map(|(_, fault)| fault)
    }

    /// What is here belongs to a process that is gone.
    async fn crash<T>(&self) -> T {
        self.crashed.notify_one();
        std::future::pending().await
    }
}

impl TokenStore for FaultyStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        self.check()?;
        self.inner.load(key).await
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        self.check()?;
        self.check_writable(key)?;
        let fault = self.planned();
        if fault == Some(Fault::CrashBefore) {
            let is_answer = record.unread.as_ref().is_some_and(|unread| !unread.tried);
            self.plan.lock().unwrap().lost |= is_answer;
            return self.crash().await;
        }
        if fault == Some(Fault::Slow) {
            sleep(Duration::from_secs(9)).await;
        }
        // As it is stored, and not as it is in memory.
        let bytes = record.to_bytes();
        if bytes.len() > LONGEST {
            return Err(StoreError::Unavailable("too long".to_owned()));
        }
        let stored = Record::of_bytes(&bytes).unwrap();
        let saved = self.inner.save(key, &stored, expected).await;
        match fault {
            Some(Fault::CrashAfter) => self.crash().await,
            Some(Fault::FailAfter) => Err(StoreError::Unavailable("no answer".to_owned())),
            Some(Fault::CrashBefore | Fault::Slow) | None => saved,
        }
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        self.inner.remove(key).await
    }
}
