//! A collection as it was applied, whichever kind it is of.

use std::fmt::Debug;
use std::sync::Arc;

use credence_core::collection::{Collection, Scope};
use credence_crds::{
    ApiCollection, ApiCollectionSpec, ApiCollectionStatus, ClusterApiCollection, Rejected,
};
use kube::Resource;
use kube::core::DeserializeGuard;
use serde::de::DeserializeOwned;

use crate::catalogue::Outline;
use crate::collection_key::CollectionKey;

/// A collection, or what is left of one that this version cannot read: such an
/// object must not hide all others.
pub type Guarded<K> = DeserializeGuard<K>;

/// The two kinds, as far as the operator treats them alike.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// Whether it is `ClusterApiCollection`.
    const OF_CLUSTER: bool;
    /// Reads the whole manifest.
    fn collection(&self) -> Result<Collection, Rejected>;
    /// Which pods it is for.
    fn scope(&self) -> Scope;
    /// What both kinds say.
    fn spec(&self) -> &ApiCollectionSpec;
    /// The status, if there is one.
    fn status(&self) -> Option<&ApiCollectionStatus>;
}

impl Kind for ApiCollection {
    const OF_CLUSTER: bool = false;

    fn collection(&self) -> Result<Collection, Rejected> {
        self.try_into()
    }

    fn scope(&self) -> Scope {
        self.scope()
    }

    fn spec(&self) -> &ApiCollectionSpec {
        &self.spec
    }

    fn status(&self) -> Option<&ApiCollectionStatus> {
        self.status.as_ref()
    }
}

impl Kind for ClusterApiCollection {
    const OF_CLUSTER: bool = true;

    fn collection(&self) -> Result<Collection, Rejected> {
        self.try_into()
    }

    fn scope(&self) -> Scope {
        self.scope()
    }

    fn spec(&self) -> &ApiCollectionSpec {
        &self.spec.api
    }

    fn status(&self) -> Option<&ApiCollectionStatus> {
        self.status.as_ref()
    }
}

/// A manifest, read.
pub(super) struct Manifest {
    pub(super) key: CollectionKey,
    /// Its `metadata.generation`.
    pub(super) generation: i64,
    /// What counts even where the rest cannot be used.
    pub(super) outline: Arc<Outline>,
    /// All of it.
    pub(super) collection: Result<Collection, Rejected>,
    /// The status as it is.
    pub(super) status: ApiCollectionStatus,
}

impl Manifest {
    pub(super) fn of<K: Kind>(key: CollectionKey, object: &K) -> Self {
        Self {
            key,
            generation: object.meta().generation.unwrap_or_default(),
            outline: Arc::new(readable(object)),
            collection: object.collection(),
            status: object.status().cloned().unwrap_or_default(),
        }
    }
}

/// The key of an object; none for a name that no call can hold.
pub(super) fn key(object: &impl Resource) -> Option<CollectionKey> {
    let metadata = object.meta();
    Some(CollectionKey {
        namespace: metadata.namespace.clone(),
        name: metadata.name.as_deref()?.parse().ok()?,
    })
}

/// The outline of an object, also of one that this version cannot read: one of
/// a namespace concerns everybody there, and whom one of the cluster is for
/// nobody knows.
pub(super) fn outline<K: Kind>(object: &Guarded<K>) -> Outline {
    match &object.0 {
        Ok(object) => readable(object),
        Err(invalid) => Outline {
            uid: invalid.metadata.uid.clone().unwrap_or_default(),
            created: invalid
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0),
            scope: match K::OF_CLUSTER {
                true => Scope::Cluster {
                    namespaces: None,
                    service_accounts: None,
                },
                false => Scope::Namespace {
                    service_accounts: None,
                },
            },
            sidecar_port: None,
        },
    }
}

fn readable<K: Kind>(object: &K) -> Outline {
    let metadata = object.meta();
    Outline {
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|time| time.0),
        scope: object.scope(),
        sidecar_port: (object.spec().sidecar_port).and_then(|port| port.try_into().ok()),
    }
}
