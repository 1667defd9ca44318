//! A Pod as the API server sends it.

use std::borrow::Cow;
use std::fmt;

use credence_core::{Environment, names};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::InjectedPod;
use crate::inject::{FoundSidecar, Status, Traits, is_told};

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
    env: EnvForm,
    #[serde(default)]
    env_from: Vec<IgnoredAny>,
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

/// The variables that decide whose sidecar it is; no others are kept, since they
/// may hold what is secret.
#[derive(Default)]
struct EnvForm(Vec<VariableForm>);

#[derive(Deserialize)]
struct VariableForm {
    name: String,
    #[serde(default)]
    value: Option<String>,
}

impl<'de> Deserialize<'de> for EnvForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Told;

        impl<'de> Visitor<'de> for Told {
            type Value = EnvForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of variables")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<EnvForm, A::Error> {
                let mut told = Vec::new();
                while let Some(variable) = list.next_element::<VariableForm>()? {
                    if is_told(&variable.name) {
                        told.push(variable);
                    }
                }
                Ok(EnvForm(told))
            }
        }

        deserializer.deserialize_seq(Told)
    }
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
    fn sidecar(&self) -> Option<FoundSidecar> {
        let probes = [
            &self.startup_probe,
            &self.liveness_probe,
            &self.readiness_probe,
        ];
        let variables = self.env.0.iter();
        let mounts = self.volume_mounts.iter();
        let traits = Traits {
            name: &self.name,
            image: &self.image,
            restart_policy: &self.restart_policy,
            has_command: !self.command.is_empty() || !self.args.is_empty(),
            is_entered: self.lifecycle.is_some()
                || probes.into_iter().any(|probe| probe.exec.is_some()),
            mount_paths: mounts.map(|mount| mount.mount_path.as_str()).collect(),
            has_env_from: !self.env_from.is_empty(),
            variables: variables
                .map(|variable| (variable.name.as_str(), variable.value.as_deref()))
                .collect(),
        };
        traits.sidecar()
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
            .filter(|container| container.sidecar().is_none())
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
        let mut sidecars = spec.init_containers.iter();
        let sidecar = sidecars.find_map(ContainerForm::sidecar);
        let status_annotation = metadata.annotations.status.as_deref();
        let injection = status_annotation.and_then(Status::parse);
        let template = injection.map(|injection| injection.template);
        let environment = metadata.annotations.environment.as_deref().map(str::parse);
        Self {
            pod: InjectedPod {
                uid: metadata.uid,
                service_account: spec.service_account_name,
                sidecar,
                injected: metadata.labels.injected.is_some(),
                token_elsewhere,
                host_network: spec.host_network,
                finished: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
                shares_processes: spec.share_process_namespace || spec.host_pid,
                lowered: environment == Some(Ok(Environment::Development)),
                collections: metadata.annotations.collections,
                template: template.filter(|template| !template.is_empty()),
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
