//! What the injector reads of a Pod: a view for reading only. Everything else
//! stays in the raw object, which is patched and never written back, so that
//! fields newer than this program survive.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::found_sidecar::Traits;

type Strings<'a> = BTreeMap<&'a str, &'a str>;

#[derive(Debug, Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    pub(super) spec: Spec<'a>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<Strings<'a>>,
    #[serde(borrow)]
    annotations: Option<Strings<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(borrow)]
    pub(super) containers: Vec<Container<'a>>,
    #[serde(borrow)]
    init_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    volumes: Option<Vec<Volume<'a>>>,
    host_network: Option<bool>,
    dns_policy: Option<&'a str>,
    share_process_namespace: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(borrow)]
    os: Option<Os<'a>>,
    #[serde(borrow)]
    node_selector: Option<Strings<'a>>,
    #[serde(borrow)]
    resources: Option<Resources<'a>>,
}

#[derive(Debug, Deserialize)]
struct Os<'a> {
    name: &'a str,
}

/// Amounts of resources, by name.
pub(super) type Amounts<'a> = BTreeMap<&'a str, Value>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container<'a> {
    pub(super) name: &'a str,
    image: Option<&'a str>,
    restart_policy: Option<&'a str>,
    command: Option<IgnoredAny>,
    args: Option<IgnoredAny>,
    env_from: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) env: Option<Vec<Variable<'a>>>,
    #[serde(borrow)]
    volume_mounts: Option<Vec<Mount<'a>>>,
    #[serde(borrow)]
    pub(super) resources: Option<Resources<'a>>,
    ports: Option<Vec<Port>>,
    lifecycle: Option<IgnoredAny>,
    #[serde(borrow)]
    startup_probe: Option<Probe<'a>>,
    #[serde(borrow)]
    liveness_probe: Option<Probe<'a>>,
    #[serde(borrow)]
    readiness_probe: Option<Probe<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    container_port: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe<'a> {
    exec: Option<IgnoredAny>,
    #[serde(borrow)]
    http_get: Option<HttpGet<'a>>,
}

#[derive(Debug, Deserialize)]
struct HttpGet<'a> {
    path: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    /// Absent where it comes from another object, and in an empty variable.
    pub(super) value: Option<&'a str>,
    #[serde(rename = "valueFrom")]
    pub(super) value_from: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mount<'a> {
    name: &'a str,
    mount_path: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resources<'a> {
    #[serde(borrow)]
    pub(super) requests: Option<Amounts<'a>>,
    #[serde(borrow)]
    pub(super) limits: Option<Amounts<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Volume<'a> {
    pub(super) name: &'a str,
    #[serde(borrow)]
    projected: Option<Projected<'a>>,
}

#[derive(Debug, Deserialize)]
struct Projected<'a> {
    #[serde(borrow)]
    sources: Option<Vec<Source<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    #[serde(borrow)]
    service_account_token: Option<Token<'a>>,
}

#[derive(Debug, Deserialize)]
struct Token<'a> {
    audience: Option<&'a str>,
}

impl<'a> Pod<'a> {
    /// Reads the view; nothing where the value is no Pod.
    ///
    /// The cause is dropped: a deserializer's message quotes the value that it
    /// could not read, and that may be a variable with a secret in it.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        self.metadata.labels.as_ref()?.get(name).copied()
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&'a str> {
        self.metadata.annotations.as_ref()?.get(name).copied()
    }

    pub(super) fn init_containers(&self) -> &[Container<'a>] {
        self.spec.init_containers.as_deref().unwrap_or_default()
    }

    /// Init containers first, as they run.
    pub(super) fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.init_containers().iter().chain(&self.spec.containers)
    }

    pub(super) fn volumes(&self) -> &[Volume<'a>] {
        self.spec.volumes.as_deref().unwrap_or_default()
    }

    /// Whether names of the cluster's Services are asked of the node's own
    /// servers, which do not know them. (`None` comes with servers of the
    /// author's choice.)
    pub(super) fn asks_the_nodes_dns(&self) -> bool {
        self.spec.dns_policy == Some("Default")
    }

    pub(super) fn host_network(&self) -> bool {
        self.spec.host_network.unwrap_or(false)
    }

    /// Whether the pod as a whole says something about this resource (KEP-2837).
    pub(super) fn states(&self, resource: &str) -> bool {
        let stated = self.spec.resources.as_ref();
        stated.is_some_and(|r| {
            [&r.requests, &r.limits]
                .into_iter()
                .flatten()
                .any(|amounts| amounts.contains_key(resource))
        })
    }

    /// With its other containers, or with the whole node.
    pub(super) fn shares_processes(&self) -> bool {
        self.spec.share_process_namespace == Some(true) || self.spec.host_pid == Some(true)
    }

    /// By its own word or by the nodes that it asks for.
    pub(super) fn windows(&self) -> bool {
        let selector = self.spec.node_selector.as_ref();
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
            || selector.and_then(|s| s.get("kubernetes.io/os")) == Some(&"windows")
    }
}

impl Container<'_> {
    pub(super) fn variable(&self, name: &str) -> Option<&Variable<'_>> {
        self.env.iter().flatten().find(|v| v.name == name)
    }

    pub(super) fn mounts(&self, volume: &str) -> bool {
        let mut mounts = self.volume_mounts.iter().flatten();
        mounts.any(|mount| mount.name == volume)
    }

    pub(super) fn listens_on(&self, port: u16) -> bool {
        let mut ports = self.ports.iter().flatten();
        ports.any(|declared| declared.container_port == i64::from(port))
    }

    /// What decides whether it is a sidecar of ours.
    pub(super) fn traits(&self) -> Traits<'_> {
        let probes = [
            &self.startup_probe,
            &self.liveness_probe,
            &self.readiness_probe,
        ];
        let mut probes = probes.into_iter().flatten();
        let mounts = self.volume_mounts.iter().flatten();
        let variables = self.env.iter().flatten();
        Traits {
            name: self.name,
            image: self.image.unwrap_or_default(),
            restart_policy: self.restart_policy.unwrap_or_default(),
            has_command: self.command.is_some() || self.args.is_some(),
            is_entered: self.lifecycle.is_some() || probes.any(|probe| probe.exec.is_some()),
            mount_paths: mounts.filter_map(|mount| mount.mount_path).collect(),
            has_env_from: self.env_from.is_some(),
            variables: variables
                .map(|variable| (variable.name, variable.value))
                .collect(),
        }
    }

    /// The path that its startup probe asks for.
    pub(super) fn startup_path(&self) -> Option<&str> {
        self.startup_probe.as_ref()?.http_get.as_ref()?.path
    }
}

impl Volume<'_> {
    /// Whether it holds a ServiceAccount token for this audience.
    pub(super) fn has_audience(&self, audience: &str) -> bool {
        let projected = self.projected.as_ref();
        projected
            .and_then(|p| p.sources.as_ref())
            .into_iter()
            .flatten()
            .filter_map(|source| source.service_account_token.as_ref())
            .any(|token| token.audience == Some(audience))
    }
}
