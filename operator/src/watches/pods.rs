//! The pods that carry a sidecar.

use std::borrow::Cow;
use std::sync::Arc;

use credence_core::{Environment, names};
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ObjectMeta;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::Deserialize;
use tracing::warn;

use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::catalogue::Catalogue;
use crate::readiness::{Check, Readiness};

/// What is known of a pod with a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedPod {
    /// Tells it from an earlier pod of the same name.
    pub uid: String,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
    /// Image of the container [`names::CONTAINER`], if there is one.
    pub sidecar_image: Option<String>,
    /// Whether it ran to its end.
    pub finished: bool,
    /// Whether its containers see one another's memory.
    pub shares_processes: bool,
    /// Whether it asks for development in a live namespace.
    pub lowered: bool,
    /// The annotation [`names::COLLECTIONS`].
    pub collections: Option<String>,
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
    annotations: AnnotationsForm,
}

/// The names are those of [`names::ENVIRONMENT`] and [`names::COLLECTIONS`]; a
/// test compares them.
#[derive(Default, Deserialize)]
struct AnnotationsForm {
    #[serde(rename = "credence.dev/environment", default)]
    environment: Option<String>,
    #[serde(rename = "credence.dev/collections", default)]
    collections: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecForm {
    #[serde(default)]
    service_account_name: String,
    #[serde(default)]
    share_process_namespace: bool,
    #[serde(default)]
    init_containers: Vec<ContainerForm>,
    #[serde(default)]
    containers: Vec<ContainerForm>,
}

#[derive(Deserialize)]
struct ContainerForm {
    name: String,
    #[serde(default)]
    image: String,
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
        let sidecar = spec
            .init_containers
            .into_iter()
            .chain(spec.containers)
            .find(|container| container.name == names::CONTAINER);
        let environment = metadata.annotations.environment.as_deref().map(str::parse);
        Self {
            pod: InjectedPod {
                uid: metadata.uid,
                service_account: spec.service_account_name,
                sidecar_image: sidecar.map(|container| container.image),
                finished: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
                shares_processes: spec.share_process_namespace,
                lowered: environment == Some(Ok(Environment::Development)),
                collections: metadata.annotations.collections,
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

    /// Watches for ever. Tells the catalogue where pods ask for development,
    /// and wakes the streams of a namespace when a pod's annotations changed.
    pub async fn follow(self, catalogue: Arc<Catalogue>, readiness: Readiness) {
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
            for change in self.mirror.apply(event, &mut listing) {
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
                if let (Some(before), Some(after)) = (&change.before, &change.after)
                    && (before.lowered, &before.collections) != (after.lowered, &after.collections)
                {
                    catalogue.touch(namespace);
                }
            }
            if listed {
                readiness.set(Check::Pods, true);
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_matters_of_a_pod_is_decoded() {
        let view: PodView = serde_json::from_value(json!({
            "metadata": {
                "name": "web-0", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "labels": {names::INJECTED: "true"},
                "annotations": {names::ENVIRONMENT: "development", names::COLLECTIONS: "openai", "x": "y"},
            },
            "spec": {
                "serviceAccountName": "checkout",
                "initContainers": [{"name": names::CONTAINER, "image": "sidecar:1", "restartPolicy": "Always"}],
                "containers": [{"name": "app", "image": "app:1", "env": [{"name": "A", "value": "b"}]}],
            },
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }))
        .unwrap();
        assert_eq!(view.meta().name.as_deref(), Some("web-0"));
        assert_eq!(
            InjectedPod::from(view),
            InjectedPod {
                uid: "u".to_owned(),
                service_account: "checkout".to_owned(),
                sidecar_image: Some("sidecar:1".to_owned()),
                finished: false,
                shares_processes: false,
                lowered: true,
                collections: Some("openai".to_owned()),
            }
        );
    }

    #[test]
    fn nothing_but_development_lowers_a_pod() {
        for (annotation, lowered) in [
            ("development", true),
            ("live", false),
            ("dev", false),
            ("", false),
        ] {
            let view: PodView = serde_json::from_value(
                json!({"metadata": {"annotations": {names::ENVIRONMENT: annotation}}}),
            )
            .unwrap();
            assert_eq!(view.pod.lowered, lowered, "{annotation}");
        }
    }
}
