//! Records of tokens in Secrets of the operator's namespace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credence_broker::{StoreError, Stored, TokenKey, TokenStore, Version};
use credence_core::token::Record;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt as _};

use super::state_secret;
use crate::collection_key::CollectionKey;

/// An API server that does not answer must not hold up the others.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps each record in a Secret; the API server compares and swaps.
#[derive(Clone)]
pub struct SecretStore {
    api: Api<Secret>,
    /// Whose tokens they are.
    owners: Arc<Mutex<HashMap<TokenKey, CollectionKey>>>,
}

impl SecretStore {
    /// In the operator's namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            owners: Arc::default(),
        }
    }

    /// The same store for the token of one collection.
    pub fn of(&self, key: &TokenKey, owner: &CollectionKey) -> Self {
        Self {
            api: self.api.clone(),
            owners: Arc::new(Mutex::new(HashMap::from([(key.clone(), owner.clone())]))),
        }
    }

    /// States whose token it is: it is written to the Secret, so that every
    /// replica knows.
    pub fn assign(&self, key: &TokenKey, owner: &CollectionKey) {
        self.lock().insert(key.clone(), owner.clone());
    }

    /// States that nobody keeps the token any more.
    pub fn release(&self, key: &TokenKey) {
        self.lock().remove(key);
    }

    /// Deletes a Secret by its name. It is no error if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let params = DeleteParams::default();
        match tokio::time::timeout(TIMEOUT, self.api.delete(name, &params)).await {
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Ok(()),
            other => answer(other).map(drop),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenKey, CollectionKey>> {
        // It is changed by one call at a time.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self, key: &TokenKey) -> Option<CollectionKey> {
        self.lock().get(key).cloned()
    }
}

impl TokenStore for SecretStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        let name = state_secret::name(key);
        let found = answered(self.api.get_opt(&name)).await?;
        let stored = |secret: Secret| {
            Ok(Stored {
                record: state_secret::record(&secret)?,
                version: version(&secret),
            })
        };
        found.map(stored).transpose()
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let owner = self
            .owner(key)
            .ok_or_else(|| StoreError::Unavailable("its collection is not known".to_owned()))?;
        let expected = expected.map(Version::as_str);
        let secret = state_secret::secret(key, &owner, record, expected);
        let params = PostParams::default();
        let saved = match expected {
            None => answered(self.api.create(&params, &secret)).await?,
            Some(_) => {
                let name = state_secret::name(key);
                answered(self.api.replace(&name, &params, &secret)).await?
            }
        };
        Ok(version(&saved))
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        self.delete(&state_secret::name(key)).await
    }
}

fn version(secret: &Secret) -> Version {
    Version::new(secret.resource_version().unwrap_or_default())
}

async fn answered<T>(asked: impl Future<Output = kube::Result<T>>) -> Result<T, StoreError> {
    answer(tokio::time::timeout(TIMEOUT, asked).await)
}

/// Texts of the API server name objects; of what was sent they quote nothing
/// but in a refusal for its form, whose text is left out.
fn answer<T>(
    answered: Result<kube::Result<T>, tokio::time::error::Elapsed>,
) -> Result<T, StoreError> {
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
            Err(StoreError::Conflict)
        }
        // A Secret that must be there is not: somebody has deleted it.
        Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Err(StoreError::Conflict),
        Ok(Err(kube::Error::Api(status))) => Err(StoreError::Unavailable(format!(
            "the API server answers {}",
            status.reason
        ))),
        Ok(Err(_)) => Err(StoreError::Unavailable(
            "the API server cannot be reached".to_owned(),
        )),
        Err(_) => Err(StoreError::Unavailable(
            "the API server does not answer".to_owned(),
        )),
    }
}
