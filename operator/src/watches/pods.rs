//! The pods that carry a sidecar.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::{Environment, names};
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ObjectMeta;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::warn;

use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::catalogue::Catalogue;
use crate::inject::{Status, covers};
use crate::metrics::Metrics;
use crate::readiness::{Check, Readiness};

/// What is known of a pod with a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedPod {
    /// Tells it from an earlier pod of the same name.
    pub uid: String,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
    /// Image of the native sidecar [`names::CONTAINER`], if there is one that
    /// runs what its image runs.
    pub sidecar_image: Option<String>,
    /// Whether it has the label [`names::INJECTED`], by which it is watched.
    pub injected: bool,
    /// Whether another container can read a token for the feed, or was added to
    /// look into the sidecar.
    pub token_elsewhere: bool,
    /// Whether its loopback is the node's.
    pub host_network: bool,
    /// Whether it ran to its end.
    pub finished: bool,
    /// Whether its containers see one another's memory.
    pub shares_processes: bool,
    /// Whether it asks for development in a live namespace.
    pub lowered: bool,
    /// The annotation [`names::COLLECTIONS`].
    pub collections: Option<String>,
    /// Hexadecimal SHA-256 of the root that its sidecar trusts, if
    /// [`names::STATUS`] tells.
    pub root: Option<String>,
    /// Which sidecar was injected: see [`crate::inject::template`]. The pod's
    /// author may have written it.
    pub template: Option<String>,
}

/// The roots that the sidecars of running pods trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// How many pods trust each.
    pub pods: BTreeMap<String, i64>,
    /// How many pods do not tell.
    pub unreadable: i64,
}

/// A Pod as the API server sends it. Only what [`InjectedPod`] is made from is
/// decoded; everything else is skipped and never allocated.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "PodForm")]
pub struct PodView {
    metadata: ObjectMeta,
    pod: InjectedPod,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodForm {
    metadata: MetadataForm,
    #[serde(default)]
    spec: SpecForm,
    #[serde(default)]
    status: StatusForm,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataForm {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: Option<String>,
    #[serde(default)]
    labels: LabelsForm,
    #[serde(default)]
    annotations: AnnotationsForm,
}

/// The name is that of [`names::INJECTED`]; a test compares them.
#[derive(Default, Deserialize)]
struct LabelsForm {
    #[serde(rename = "credence.dev/injected", default)]
    injected: Option<IgnoredAny>,
}

/// The names are those of [`names::ENVIRONMENT`], [`names::COLLECTIONS`] and
/// [`names::STATUS`]; a test compares them.
#[derive(Default, Deserialize)]
struct AnnotationsForm {
    #[serde(rename = "credence.dev/environment", default)]
    environment: Option<String>,
    #[serde(rename = "credence.dev/collections", default)]
    collections: Option<String>,
    #[serde(rename = "credence.dev/status", default)]
    status: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecForm {
    #[serde(default)]
    service_account_name: String,
    #[serde(default)]
    share_process_namespace: bool,
    #[serde(default, rename = "hostPID")]
    host_pid: bool,
    #[serde(default)]
    host_network: bool,
    #[serde(default)]
    init_containers: Vec<ContainerForm>,
    #[serde(default)]
    containers: Vec<ContainerForm>,
    #[serde(default)]
    ephemeral_containers: Vec<ContainerForm>,
    #[serde(default)]
    volumes: Vec<VolumeForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerForm {
    name: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    restart_policy: String,
    #[serde(default)]
    command: Vec<IgnoredAny>,
    #[serde(default)]
    args: Vec<IgnoredAny>,
    #[serde(default)]
    volume_mounts: Vec<MountForm>,
    #[serde(default)]
    target_container_name: String,
    #[serde(default)]
    lifecycle: Option<IgnoredAny>,
    #[serde(default)]
    startup_probe: ProbeForm,
    #[serde(default)]
    liveness_probe: ProbeForm,
    #[serde(default)]
    readiness_probe: ProbeForm,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MountForm {
    name: String,
    #[serde(default)]
    mount_path: String,
}

#[derive(Default, Deserialize)]
struct ProbeForm {
    #[serde(default)]
    exec: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct VolumeForm {
    name: String,
    #[serde(default)]
    projected: ProjectedForm,
}

#[derive(Default, Deserialize)]
struct ProjectedForm {
    #[serde(default)]
    sources: Vec<SourceForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceForm {
    #[serde(default)]
    service_account_token: TokenForm,
}

#[derive(Default, Deserialize)]
struct TokenForm {
    #[serde(default)]
    audience: String,
}

impl ContainerForm {
    fn is_sidecar(&self) -> bool {
        self.name == names::CONTAINER
            && self.restart_policy == "Always"
            && self.command.is_empty()
            && self.args.is_empty()
            && !self.runs_more()
    }

    /// Whether a kubelet would run something else in it, or something else in
    /// place of its program.
    fn runs_more(&self) -> bool {
        let probes = [
            &self.startup_probe,
            &self.liveness_probe,
            &self.readiness_probe,
        ];
        let mut mounts = self.volume_mounts.iter();
        self.lifecycle.is_some()
            || probes.iter().any(|probe| probe.exec.is_some())
            || mounts.any(|mount| covers(&mount.mount_path, names::SIDECAR_PROGRAM))
    }
}

impl SpecForm {
    fn token_elsewhere(&self) -> bool {
        let of_feed =
            |source: &SourceForm| source.service_account_token.audience == names::AUDIENCE;
        let tokens: Vec<&str> = self
            .volumes
            .iter()
            .filter(|volume| volume.projected.sources.iter().any(of_feed))
            .map(|volume| volume.name.as_str())
            .collect();
        let others = self
            .init_containers
            .iter()
            .filter(|container| !container.is_sidecar())
            .chain(&self.containers)
            .chain(&self.ephemeral_containers);
        let mut reaching = others.filter(|container| {
            let mut mounts = container.volume_mounts.iter();
            container.target_container_name == names::CONTAINER
                || mounts.any(|mount| tokens.contains(&mount.name.as_str()))
        });
        reaching.next().is_some()
    }
}

#[derive(Default, Deserialize)]
struct StatusForm {
    #[serde(default)]
    phase: String,
}

impl From<PodForm> for PodView {
    fn from(form: PodForm) -> Self {
        let PodForm {
            metadata,
            spec,
            status,
        } = form;
        let token_elsewhere = spec.token_elsewhere();
        let sidecar = spec
            .init_containers
            .into_iter()
            .find(ContainerForm::is_sidecar);
        let status_annotation = metadata.annotations.status.as_deref();
        let injection = status_annotation.and_then(Status::parse);
        let told = |text: String| (!text.is_empty()).then_some(text);
        let (root, template) = injection
            .map(|injection| (told(injection.root), told(injection.template)))
            .unwrap_or_default();
        let environment = metadata.annotations.environment.as_deref().map(str::parse);
        Self {
            pod: InjectedPod {
                uid: metadata.uid,
                service_account: spec.service_account_name,
                sidecar_image: sidecar.map(|container| container.image),
                injected: metadata.labels.injected.is_some(),
                token_elsewhere,
                host_network: spec.host_network,
                finished: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
                shares_processes: spec.share_process_namespace || spec.host_pid,
                lowered: environment == Some(Ok(Environment::Development)),
                collections: metadata.annotations.collections,
                root,
                template,
            },
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
        }
    }
}

impl From<PodView> for InjectedPod {
    fn from(view: PodView) -> Self {
        view.pod
    }
}

impl Resource for PodView {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Pod::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Pod::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Pod::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Pod::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The pods with a sidecar, of all namespaces.
#[derive(Clone)]
pub struct Pods {
    client: Client,
    mirror: Arc<Mirror<InjectedPod>>,
}

impl Pods {
    /// Knows none until [`Pods::follow`] runs.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            mirror: Arc::default(),
        }
    }

    /// The pod as the watch has last shown it.
    pub fn seen(&self, namespace: &str, name: &str) -> Option<Arc<InjectedPod>> {
        self.mirror.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The pod as the API server knows it: one may connect before the watch
    /// has shown it.
    ///
    /// # Errors
    /// Those of the API server; a pod that does not exist is none.
    pub async fn read(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<InjectedPod>>, kube::Error> {
        let api: Api<PodView> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(name).await?.map(|view| Arc::new(view.pod)))
    }

    /// The roots that sidecars trust, of all pods that may still run.
    pub fn roots(&self) -> Roots {
        let mut roots = Roots::default();
        self.mirror.each(|pod| {
            if pod.finished || pod.sidecar_image.is_none() {
                return;
            }
            match &pod.root {
                Some(root) => *roots.pods.entry(root.clone()).or_default() += 1,
                None => roots.unreadable += 1,
            }
        });
        roots
    }

    /// How many pods that may still run carry the sidecar of this template, and
    /// how many another one.
    pub fn by_template(&self, template: &str) -> (i64, i64) {
        let (mut current, mut outdated) = (0, 0);
        self.mirror.each(|pod| {
            if pod.finished || pod.sidecar_image.is_none() {
                return;
            }
            if pod.template.as_deref() == Some(template) {
                current += 1;
            } else {
                outdated += 1;
            }
        });
        (current, outdated)
    }

    /// Watches for ever. Tells the catalogue where pods ask for development,
    /// wakes the streams of a namespace when a pod's annotations changed, and
    /// counts the pods by whether their sidecar is of this template.
    pub async fn follow(
        self,
        catalogue: Arc<Catalogue>,
        readiness: Readiness,
        metrics: Arc<Metrics>,
        template: String,
    ) {
        let api: Api<PodView> = Api::all(self.client.clone());
        let config = watcher::Config::default().labels(names::INJECTED);
        let mut events = patient(watcher(api, config));
        let mut listing = Listing::default();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    warn!(%error, "cannot watch pods");
                    continue;
                }
            };
            let listed = matches!(event, watcher::Event::InitDone);
            self.apply(event, &mut listing, &catalogue);
            let (current, outdated) = self.by_template(&template);
            metrics.set_injected_pods(current, outdated);
            if listed {
                readiness.set(Check::Pods, true);
            }
        }
    }

    /// Follows what the watch says.
    pub fn apply(
        &self,
        event: watcher::Event<PodView>,
        listing: &mut Listing<InjectedPod>,
        catalogue: &Catalogue,
    ) {
        for change in self.mirror.apply(event, listing) {
            let namespace = change.key.0.as_str();
            let lowers = |pod: &Option<Arc<InjectedPod>>| {
                pod.as_ref().is_some_and(|pod| pod.asks_for_development())
            };
            if lowers(&change.before) != lowers(&change.after) {
                let lowered = self
                    .mirror
                    .any(|key, pod| key.0 == namespace && pod.asks_for_development());
                catalogue.set_lowered(namespace, lowered);
            }
            // What is given to a pod depends on nothing else that can change.
            let matters = |pod: &InjectedPod| {
                (
                    pod.lowered,
                    pod.token_elsewhere,
                    pod.sidecar_image.clone(),
                    pod.collections.clone(),
                )
            };
            if let (Some(before), Some(after)) = (&change.before, &change.after)
                && matters(before) != matters(after)
            {
                catalogue.touch(namespace);
            }
        }
    }
}

impl InjectedPod {
    fn asks_for_development(&self) -> bool {
        self.lowered && !self.finished
    }
}

#[cfg(test)]
mod tests;
