//! Reads what a plan is made from, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Environment;
use credence_core::resolve::{Material, Needs, needs};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use super::lag::Lags;
use super::manifest::Manifest;
use super::plan::{Observed, Plan, Sight};
use super::reads::{Content, Planning, Reads, Wanted};
use super::rejections::Rejections;
use super::unanswered::{TIMEOUT, Unanswered};
use crate::catalogue::Catalogue;
use crate::resolution::{Gathered, Resolution};
use crate::revision::{Found, Inputs, SourceKind};
use crate::watches::sources::{Known, Sources};

/// The ClusterRole that a RoleBinding grants, namespace by namespace.
const CREDENTIALS_ROLE: &str = "credence-credentials";

/// Where everything is read from.
pub(super) struct Gatherer {
    client: Client,
    catalogue: Arc<Catalogue>,
    sources: Arc<Sources>,
    reads: Reads,
    lags: Lags,
    rejections: Rejections,
    /// The operator, as a flag of `kubectl create rolebinding` names it.
    subject: OnceCell<String>,
}

/// The objects that one environment refers to, by what the watches know.
type Objects = BTreeMap<(SourceKind, String), Found>;

impl Gatherer {
    pub(super) fn new(client: Client, catalogue: Arc<Catalogue>, sources: Arc<Sources>) -> Self {
        Self {
            reads: Reads::new(client.clone()),
            client,
            catalogue,
            sources,
            lags: Lags::default(),
            rejections: Rejections::default(),
            subject: OnceCell::new(),
        }
    }

    /// To be held while a collection is planned: those that are planned
    /// together read an object once.
    pub(super) fn begin(&self) -> Planning<'_> {
        self.reads.begin()
    }

    /// Looks at everything that concerns a collection.
    ///
    /// # Errors
    /// [`Unanswered`], when something must be asked again.
    pub(super) async fn gather(
        &self,
        manifest: Manifest,
        now: Timestamp,
    ) -> Result<Observed, Unanswered> {
        let around = self
            .catalogue
            .surroundings(&manifest.key, &manifest.outline)
            .ok_or(Unanswered::NotSeen)?;
        let mut sights = BTreeMap::new();
        for environment in &around.environments {
            let sight = self.sight(&manifest, *environment, now).await?;
            sights.insert(*environment, sight);
        }
        let (uid, feeds) = (&manifest.outline.uid, &manifest.status.feeds);
        Ok(Observed {
            lagging_since: self.lags.since(uid),
            rejections: self.rejections.observe(uid, feeds, now),
            records: self.catalogue.records(&manifest.key),
            verified: self.catalogue.verified(uid),
            manifest,
            around,
            sights,
        })
    }

    /// Takes note of what a plan found, for the next.
    pub(super) fn planned(&self, manifest: &Manifest, plan: &Plan) {
        self.lags.note(&manifest.outline.uid, plan.lagging_since);
    }

    async fn sight(
        &self,
        manifest: &Manifest,
        environment: Environment,
        now: Timestamp,
    ) -> Result<Sight, Unanswered> {
        let namespace = self.catalogue.home(&manifest.key);
        let mut inputs = Inputs {
            uid: manifest.outline.uid.clone(),
            generation: manifest.generation,
            environment,
            objects: Objects::new(),
        };
        let Ok(collection) = &manifest.collection else {
            return Ok(Sight::Rejected(inputs));
        };
        let needs = needs(collection, environment);
        inputs.objects = self.known(namespace, &needs)?;
        let planned = self.catalogue.planned(&manifest.key);
        let before = planned.and_then(|planned| planned.resolutions.get(&environment).cloned());
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
        let material = match self.read(namespace, &mut inputs.objects).await {
            // The watch may read and this may not: a right that is just being
            // taken away, or a Role without `get`. What is in use stays in use
            // until the watch is refused too, unless the collection has become
            // another: then what it was must not go on.
            Err(error)
                if error.is_forbidden()
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
            read => read.map_err(Unanswered::Read)?,
        };
        Ok(Sight::Read(inputs, Gathered::Material(material)))
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
        objects: &mut Objects,
    ) -> Result<Material, Arc<Unanswered>> {
        let mut material = Material {
            accounts_in: Some(namespace.to_owned()),
            ..Material::default()
        };
        for ((kind, name), found) in objects {
            let wanted = Wanted {
                kind: *kind,
                namespace: namespace.to_owned(),
                name: name.clone(),
                shown: found.clone(),
            };
            let read = self.reads.read(&wanted).await?;
            *found = read.found.clone();
            match &read.content {
                Content::Nothing => {}
                Content::Secret(secret) => {
                    material.secrets.insert(name.clone(), secret.clone());
                }
                Content::ConfigMap(content) => {
                    material.config_maps.insert(name.clone(), content.clone());
                }
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
            namespace: namespace.to_owned(),
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
