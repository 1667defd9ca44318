//! Reads what a plan is made from, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use credence_core::collection::Collection;
use credence_core::resolve::{Material, Needs, SecretObject, needs};
use credence_core::{Environment, names};
use credence_crds::{ApiCollection, Rejected};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::lag::Lags;
use super::plan::{Observed, Sight};
use crate::catalogue::Catalogue;
use crate::resolution::{Gathered, Resolution};
use crate::revision::{Found, Inputs, SourceKind};
use crate::watches::sources::{Known, Sources};

/// An API server that takes longer is not going to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The ClusterRole that a RoleBinding grants, namespace by namespace.
const CREDENTIALS_ROLE: &str = "credence-credentials";

/// Something was not answered; asking again later is all there is to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The watch that will tell has just begun.
    #[error("the namespace has not been seen yet")]
    NotSeen,
    /// A watch gets errors.
    #[error("{0} of the namespace cannot be watched")]
    NotWatched(&'static str),
    /// The API server answered with an error.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It did not answer.
    #[error("the API server did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// Where everything is read from.
pub(super) struct Gatherer {
    client: Client,
    catalogue: Arc<Catalogue>,
    sources: Arc<Sources>,
    lags: Lags,
    /// The operator, as a flag of `kubectl create rolebinding` names it.
    subject: OnceCell<String>,
}

/// The objects that one environment refers to, by what the watches know.
type Objects = BTreeMap<(SourceKind, String), Found>;

impl Gatherer {
    pub(super) fn new(client: Client, catalogue: Arc<Catalogue>, sources: Arc<Sources>) -> Self {
        Self {
            client,
            catalogue,
            sources,
            lags: Lags::default(),
            subject: OnceCell::new(),
        }
    }

    /// Looks at everything that concerns a collection.
    ///
    /// # Errors
    /// [`Unanswered`], when something must be asked again.
    pub(super) async fn gather(
        &self,
        namespace: &str,
        object: &ApiCollection,
        now: Timestamp,
    ) -> Result<Observed, Unanswered> {
        let shelf = self.catalogue.shelf(namespace);
        let environment = shelf.environment.ok_or(Unanswered::NotSeen)?;
        let collection = Collection::try_from(object);
        let mut sights = BTreeMap::new();
        for environment in shelf.environments() {
            let sight = self
                .sight(namespace, object, &collection, environment, now)
                .await?;
            sights.insert(environment, sight);
        }
        let uid = object.uid().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        Ok(Observed {
            name: object.name_any(),
            generation: generation(object),
            service_accounts: object
                .spec
                .access
                .as_ref()
                .and_then(|access| access.service_accounts.as_ref())
                .map(|names| names.iter().cloned().collect()),
            lagging_since: self.lags.observe(&uid, &status.feeds, now),
            environment,
            collection,
            sights,
            status,
        })
    }

    async fn sight(
        &self,
        namespace: &str,
        object: &ApiCollection,
        collection: &Result<Collection, Rejected>,
        environment: Environment,
        now: Timestamp,
    ) -> Result<Sight, Unanswered> {
        let mut inputs = Inputs {
            uid: object.uid().unwrap_or_default(),
            generation: generation(object),
            environment,
            objects: Objects::new(),
        };
        let Ok(collection) = collection else {
            return Ok(Sight::Rejected(inputs));
        };
        let needs = needs(collection, environment);
        inputs.objects = self.known(namespace, &needs)?;
        let before = self.before(namespace, object, environment);
        let unchanged = |before: &&Arc<Resolution>| {
            before.inputs == inputs && before.changes_at.is_none_or(|change| change > now)
        };
        if let Some(before) = before.as_ref().filter(unchanged) {
            return Ok(Sight::Unchanged(before.clone()));
        }
        let forbidden = inputs
            .objects
            .iter()
            .find_map(|((kind, _), found)| (*found == Found::Forbidden).then_some(*kind));
        if let Some(kind) = forbidden {
            let gathered = self.forbidden(namespace, kind).await?;
            return Ok(Sight::Read(inputs, gathered));
        }
        let material = match self.read(namespace, &needs, &mut inputs.objects).await {
            // The watch may read and this may not: a right that is just being
            // taken away, or a Role without `get`. What is in use stays in use
            // until the watch is refused too, unless the collection has become
            // another: then what it was must not go on.
            Err(Unanswered::Api(kube::Error::Api(status)))
                if status.is_forbidden()
                    && !before.is_some_and(|before| {
                        before.inputs.uid == inputs.uid
                            && before.inputs.generation == inputs.generation
                    }) =>
            {
                // Not the versions that the watch showed: with them this would
                // look like what another replica could read, and not change
                // when the right is given.
                for found in inputs.objects.values_mut() {
                    *found = Found::Forbidden;
                }
                let gathered = self.forbidden(namespace, SourceKind::Secret).await?;
                return Ok(Sight::Read(inputs, gathered));
            }
            read => read?,
        };
        Ok(Sight::Read(inputs, Gathered::Material(material)))
    }

    fn before(
        &self,
        namespace: &str,
        object: &ApiCollection,
        environment: Environment,
    ) -> Option<Arc<Resolution>> {
        let planned = self.catalogue.planned(namespace, &object.name_any())?;
        planned.resolutions.get(&environment).cloned()
    }

    fn known(&self, namespace: &str, needs: &Needs) -> Result<Objects, Unanswered> {
        let secrets = needs.secrets.iter().map(|name| (SourceKind::Secret, name));
        let config_maps = needs
            .config_maps
            .iter()
            .map(|name| (SourceKind::ConfigMap, name));
        let mut objects = Objects::new();
        for (kind, name) in secrets.chain(config_maps) {
            let found = match self.sources.known(kind, namespace, name) {
                Known::Awaited => return Err(Unanswered::NotSeen),
                Known::Failing => return Err(Unanswered::NotWatched(kind.resource())),
                Known::Forbidden => Found::Forbidden,
                Known::Absent => Found::Absent,
                Known::At(version) => Found::At(version),
            };
            objects.insert((kind, name.clone()), found);
        }
        Ok(objects)
    }

    /// Reads the objects themselves, and corrects the versions by what was
    /// read: the watch may be behind.
    async fn read(
        &self,
        namespace: &str,
        needs: &Needs,
        objects: &mut Objects,
    ) -> Result<Material, Unanswered> {
        let mut material = Material::default();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        for name in &needs.secrets {
            let secret = tokio::time::timeout(TIMEOUT, secrets.get_opt(name)).await??;
            let found = secret.as_ref().and_then(ResourceExt::resource_version);
            objects.insert((SourceKind::Secret, name.clone()), at(found));
            if let Some(secret) = secret {
                material.secrets.insert(name.clone(), secret_object(secret));
            }
        }
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        for name in &needs.config_maps {
            let config_map = tokio::time::timeout(TIMEOUT, config_maps.get_opt(name)).await??;
            let found = config_map.as_ref().and_then(ResourceExt::resource_version);
            objects.insert((SourceKind::ConfigMap, name.clone()), at(found));
            if let Some(config_map) = config_map {
                let content = config_map.data.unwrap_or_default();
                material.config_maps.insert(name.clone(), content);
            }
        }
        Ok(material)
    }

    async fn forbidden(&self, namespace: &str, kind: SourceKind) -> Result<Gathered, Unanswered> {
        let subject = self
            .subject
            .get_or_try_init(|| subject(&self.client))
            .await?;
        Ok(Gathered::Forbidden {
            kind,
            command: format!(
                "kubectl create rolebinding {CREDENTIALS_ROLE} --namespace={namespace} \
                 --clusterrole={CREDENTIALS_ROLE} {subject}"
            ),
        })
    }
}

/// Asks the API server who we are.
async fn subject(client: &Client) -> Result<String, Unanswered> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let (params, question) = (PostParams::default(), SelfSubjectReview::default());
    let review = tokio::time::timeout(TIMEOUT, api.create(&params, &question)).await??;
    let user = review.status.and_then(|status| status.user_info);
    let name = user.and_then(|user| user.username).unwrap_or_default();
    Ok(match name.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={account}"),
        None => format!("--user={name}"),
    })
}

fn secret_object(secret: Secret) -> SecretObject {
    SecretObject {
        environment: secret.labels().get(names::ENVIRONMENT).cloned(),
        kind: secret.type_.unwrap_or_default(),
        data: secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, Zeroizing::new(value.0)))
            .collect(),
    }
}

fn at(version: Option<String>) -> Found {
    version.map_or(Found::Absent, Found::At)
}

fn generation(object: &ApiCollection) -> i64 {
    object.metadata.generation.unwrap_or_default()
}
