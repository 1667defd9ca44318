//! The injector: which pods get a sidecar, and how.
//!
//! [`decide`] is a function of the Pod as the API server sent it. It makes no
//! call, so that pods can be admitted while everything else is down, and it
//! writes a patch of additions on the raw object, so that nothing it does not
//! know is lost.
//!
//! # Who is asked
//!
//! The label [`names::INJECT`] on the namespace and on the pod:
//!
//! | namespace | pod `"true"` | pod `"false"` | pod without, or anything else |
//! |---|---|---|---|
//! | `enabled` | inject | leave alone | inject |
//! | without, or anything else | inject | leave alone | leave alone |
//! | kube-system and its like, the operator's own | leave alone | leave alone | leave alone |
//!
//! The namespace's side is decided by the selectors of the webhook
//! configuration and not looked up again here: the API server has just read
//! the label, and a cache could only be older.
//!
//! # Where the sidecar stands
//!
//! ```text
//! [mesh set-up] [mesh proxy] credence  init containers …  | containers …
//!                            └ restartPolicy: Always, ready with the first bundle
//! ```
//!
//! # Asked again
//!
//! Another webhook may change the pod after us; then the API server asks once
//! more (`reinvocationPolicy: IfNeeded`). What the change made necessary is
//! added: variables of new containers, and the sidecar's place behind a mesh
//! that came later. Where nothing is missing, nothing is done.

mod app_variables;
mod bounds;
mod egress;
mod found_sidecar;
mod mesh;
mod named_collections;
mod outcome;
mod patch;
mod pod;
mod quantity;
mod resources;
mod sidecar;
mod status;
mod token_guard;
mod wishes;

use std::sync::Arc;

use credence_core::{Environment, names};
use serde_json::{Map, Value, json};

pub use bounds::{Bound, Bounds};
pub use egress::{EgressProxy, InvalidProxyUrl, ProxyUrl};
pub use found_sidecar::{DialledFeed, FoundSidecar, Traits, is_told};
pub use named_collections::{InvalidCollections, named_collections};
pub use outcome::{Decision, Denial, Injection, Skip, Warning};
pub use patch::Patch;
use patch::Pointer;
use pod::{Container, Pod};
pub use quantity::{NotAQuantity, Quantity};
use sidecar::Fitting;
pub use status::{Status, template};
use token_guard::Found;
pub use wishes::InvalidWish;
use wishes::Wishes;

/// Set by the kubelet on the copy of a static pod, which cannot be changed.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Which container `kubectl exec` and `kubectl logs` mean.
const DEFAULT_CONTAINER: [&str; 2] = [
    "kubectl.kubernetes.io/default-container",
    "kubectl.kubernetes.io/default-logs-container",
];

/// What every injected sidecar is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectSettings {
    /// The sidecar's image.
    pub image: String,
    /// `host:port` of the feed.
    pub feed: String,
    /// PEM of the roots that the feed's certificate may chain to. Public.
    pub ca: Arc<str>,
    /// PEM of the roots that a sidecar may have been given instead, by a replica
    /// that has not seen the last change of authority, or has seen the next.
    pub other_cas: Vec<Arc<str>>,
    /// Hexadecimal SHA-256 of the DER root that the sidecar will ask for.
    pub root_sha256: String,
    /// How sidecars leave the cluster's network, if not directly.
    pub egress: Option<EgressProxy>,
}

/// What is known of the namespace that a pod is created in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Whose credentials its pods get.
    pub environment: Environment,
    /// What it demands of containers.
    pub bounds: Bounds,
}

/// Decides about a pod of this namespace.
pub fn decide(value: &Value, namespace: &Namespace, settings: &InjectSettings) -> Decision {
    let Some(pod) = Pod::of(value) else {
        return Decision::Deny(Denial::NotAPod);
    };
    let environment = lowered(&pod, namespace.environment);
    match skip(&pod, environment) {
        // Its copy on the node runs whatever is said here.
        Some(Skip::MirrorPod) => return Decision::Skip(Skip::MirrorPod),
        Some(skip) => {
            let checked = token_guard::check_bystander(&pod, settings);
            return checked.map_or_else(Decision::Deny, |()| Decision::Skip(skip));
        }
        None => {}
    }
    let found = match token_guard::check(&pod, settings) {
        Ok(found) => found,
        Err(denial) => return Decision::Deny(denial),
    };
    let wishes = match Wishes::of(&pod) {
        Ok(wishes) => wishes,
        Err(invalid) => return Decision::Deny(invalid.into()),
    };
    let plan = Plan {
        value,
        pod: &pod,
        environment,
        found,
        others: others(&pod),
        wishes: &wishes,
        awaits: wishes.awaits && !mesh::is_cut_off_at_first(&pod),
    };
    let patch = plan.patch(&namespace.bounds, settings);
    if patch.is_empty() {
        return Decision::Skip(Skip::AlreadyInjected);
    }
    Decision::Inject(Injection {
        completes: found != Found::Nothing,
        patch,
        warnings: plan.warnings(),
    })
}

/// Why a pod of a namespace in this environment is left alone, if it is: for
/// who only wants to tell.
pub fn skips(value: &Value, environment: Environment) -> Option<Skip> {
    let pod = Pod::of(value)?;
    skip(&pod, lowered(&pod, environment))
}

/// The pod may ask for less than its namespace has, never for more.
fn lowered(pod: &Pod<'_>, environment: Environment) -> Environment {
    match pod.annotation(names::ENVIRONMENT) {
        Some("development") => Environment::Development,
        _ => environment,
    }
}

fn skip(pod: &Pod<'_>, environment: Environment) -> Option<Skip> {
    let shared = pod.shares_processes() && environment == Environment::Live;
    [
        (pod.annotation(MIRROR).is_some(), Skip::MirrorPod),
        (pod.label(names::INJECT) == Some("false"), Skip::OptedOut),
        (pod.windows(), Skip::Windows),
        (pod.host_network(), Skip::HostNetwork),
        (shared, Skip::SharedProcesses),
    ]
    .into_iter()
    .find_map(|(applies, skip)| applies.then_some(skip))
}

/// The init containers that are not the sidecar.
fn others<'p, 'a>(pod: &'p Pod<'a>) -> Vec<&'p Container<'a>> {
    let init = pod.init_containers().iter();
    init.filter(|c| c.name != names::CONTAINER).collect()
}

/// A pod that is to have a sidecar, and what is known of it.
struct Plan<'p, 'a> {
    value: &'p Value,
    pod: &'p Pod<'a>,
    environment: Environment,
    found: Found,
    others: Vec<&'p Container<'a>>,
    wishes: &'p Wishes<'a>,
    /// Whether the app waits for the first bundle.
    awaits: bool,
}

impl Plan<'_, '_> {
    fn patch(&self, bounds: &Bounds, settings: &InjectSettings) -> Patch {
        let mut patch = Patch::default();
        let labels = Map::from_iter(
            (self.pod.label(names::INJECTED) != Some("true"))
                .then(|| (names::INJECTED.to_owned(), json!("true"))),
        );
        let at = Pointer::to(&["metadata", "labels"]);
        patch.set(&at, self.absent("/metadata/labels"), labels);

        let at = Pointer::to(&["metadata", "annotations"]);
        let annotations = self.annotations(settings);
        patch.set(&at, self.absent("/metadata/annotations"), annotations);

        let variables = app_variables::variables(&self.wishes.collections, self.wishes.port);
        let at = Pointer::to(&["spec", "containers"]);
        app_variables::add(&mut patch, &at, &self.pod.spec.containers, &variables);
        // Before the sidecar moves their indices.
        let at = Pointer::to(&["spec", "initContainers"]);
        app_variables::add(&mut patch, &at, self.pod.init_containers(), &variables);
        self.place_sidecar(&mut patch, &at, bounds, settings);

        let at = Pointer::to(&["spec", "volumes"]);
        let mut volumes = self.pod.volumes().iter();
        if !volumes.any(|volume| volume.name == names::TOKEN_VOLUME) {
            let length = self.length("/spec/volumes");
            let end = length.unwrap_or_default();
            patch.insert(&at, length, end, vec![sidecar::token_volume()]);
        }
        patch
    }

    fn place_sidecar(
        &self,
        patch: &mut Patch,
        at: &Pointer,
        bounds: &Bounds,
        settings: &InjectSettings,
    ) {
        let position = self.position();
        match self.found {
            Found::Nothing => {
                let fitting = Fitting {
                    resources: resources::resources(self.pod, self.wishes, bounds),
                    port: self.wishes.port,
                    awaits: self.awaits,
                };
                let sidecar = sidecar::container(settings, &fitting);
                let length = self.length("/spec/initContainers");
                patch.insert(at, length, position, vec![sidecar]);
            }
            Found::Sidecar(stands) => {
                let path = sidecar::startup_path(self.awaits);
                let waits = self.pod.init_containers()[stands].startup_path();
                // The other way would be a wait that began too late.
                if !self.awaits && waits == Some(sidecar::startup_path(true)) {
                    let probe = at.child(&stands.to_string()).child("startupProbe");
                    patch.put(probe.child("httpGet").child("path"), json!(path));
                }
                // Never forward: whoever put something in front meant it.
                if stands < position {
                    patch.rearrange(at, stands, position);
                }
            }
        }
    }

    /// Among the other init containers.
    fn position(&self) -> usize {
        let named = self.follows().map(|index| index + 1);
        named.unwrap_or_else(|| mesh::position(&self.others))
    }

    /// The init container that the pod's author wants in front.
    fn follows(&self) -> Option<usize> {
        let name = self.wishes.after?;
        self.others.iter().position(|other| other.name == name)
    }

    fn annotations(&self, settings: &InjectSettings) -> Map<String, Value> {
        let mut annotations = Map::new();
        let anew = self.found == Found::Nothing;
        if anew || self.pod.annotation(names::STATUS).is_none() {
            let status = json!(Status::new(self.environment, settings)).to_string();
            annotations.insert(names::STATUS.to_owned(), json!(status));
        }
        let first = self.pod.spec.containers.first().filter(|_| anew);
        for name in DEFAULT_CONTAINER {
            if let Some(first) = first
                && self.pod.annotation(name).is_none()
            {
                annotations.insert(name.to_owned(), json!(first.name));
            }
        }
        annotations
    }

    fn warnings(&self) -> Vec<Warning> {
        let pod = self.pod;
        let label = pod.label(names::INJECT);
        let environment = pod.annotation(names::ENVIRONMENT);
        let missing = self.wishes.after.is_some() && self.follows().is_none();
        let general = [
            (label.is_some_and(|l| l != "true"), Warning::InjectLabel),
            (
                environment.is_some_and(|e| e != "development"),
                Warning::EnvironmentAnnotation,
            ),
            (missing, Warning::StartAfter),
            (self.wishes.awaits && !self.awaits, Warning::CutOff),
            (pod.asks_the_nodes_dns(), Warning::NodeDns),
        ];
        let general = general
            .into_iter()
            .filter_map(|(applies, warning)| applies.then_some(warning));
        let others = || pod.all_containers().filter(|c| c.name != names::CONTAINER);
        let ports = [self.wishes.port, names::SIDECAR_ADMIN_PORT];
        let taken = others().flat_map(|container| {
            let taken = ports.into_iter().filter(|port| container.listens_on(*port));
            taken.map(|port| Warning::PortTaken {
                container: container.name.to_owned(),
                port,
            })
        });
        let proxies = others().filter_map(app_variables::swallowed_by_egress_proxy);
        general.chain(taken).chain(proxies).collect()
    }

    fn absent(&self, at: &str) -> bool {
        self.value.pointer(at).is_none_or(Value::is_null)
    }

    fn length(&self, at: &str) -> Option<usize> {
        Some(self.value.pointer(at)?.as_array()?.len())
    }
}
