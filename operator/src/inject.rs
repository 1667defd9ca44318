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

mod app_variables;
mod mesh;
mod named_collections;
mod outcome;
mod patch;
mod pod;
mod sidecar;
mod token_guard;

use std::collections::BTreeSet;
use std::sync::Arc;

use credence_core::{Environment, names};
use serde_json::{Map, Value, json};

pub use named_collections::{InvalidCollections, named_collections};
pub use outcome::{Decision, Denial, Injection, Skip, Warning};
pub use patch::Patch;
use patch::Pointer;
use pod::Pod;
use token_guard::Found;

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
}

/// Decides about a pod of a namespace with this environment.
pub fn decide(value: &Value, environment: Environment, settings: &InjectSettings) -> Decision {
    let Some(pod) = Pod::of(value) else {
        return Decision::Deny(Denial::NotAPod);
    };
    let environment = lowered(&pod, environment);
    if let Some(skip) = skip(&pod, environment) {
        return Decision::Skip(skip);
    }
    match token_guard::check(&pod, settings) {
        Err(denial) => return Decision::Deny(denial),
        Ok(Found::Sidecar) => return Decision::Skip(Skip::AlreadyInjected),
        Ok(Found::Nothing) => {}
    }
    let collections = match pod.annotation(names::COLLECTIONS).map(named_collections) {
        Some(Err(invalid)) => return Decision::Deny(Denial::Collections(invalid)),
        Some(Ok(collections)) => collections,
        None => BTreeSet::new(),
    };
    let variables = app_variables::variables(&collections);
    Decision::Inject(Injection {
        patch: patch(value, &pod, environment, settings, &variables),
        warnings: warnings(&pod),
    })
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
        (pod.label(names::INJECT) == Some("false"), Skip::OptedOut),
        (pod.annotation(MIRROR).is_some(), Skip::MirrorPod),
        (pod.windows(), Skip::Windows),
        (pod.host_network(), Skip::HostNetwork),
        (shared, Skip::SharedProcesses),
    ]
    .into_iter()
    .find_map(|(applies, skip)| applies.then_some(skip))
}

fn warnings(pod: &Pod<'_>) -> Vec<Warning> {
    let label = pod.label(names::INJECT);
    let environment = pod.annotation(names::ENVIRONMENT);
    let label = label
        .filter(|label| *label != "true")
        .map(|_| Warning::InjectLabel);
    let environment = environment
        .filter(|environment| *environment != "development")
        .map(|_| Warning::EnvironmentAnnotation);
    let proxies = pod
        .all_containers()
        .filter_map(app_variables::swallowed_by_egress_proxy);
    label
        .into_iter()
        .chain(environment)
        .chain(proxies)
        .collect()
}

fn patch(
    value: &Value,
    pod: &Pod<'_>,
    environment: Environment,
    settings: &InjectSettings,
    variables: &[(String, String)],
) -> Patch {
    let mut patch = Patch::default();
    let absent = |at: &str| value.pointer(at).is_none_or(Value::is_null);
    let length = |at: &str| value.pointer(at).and_then(Value::as_array).map(Vec::len);

    let labels = Map::from_iter([(names::INJECTED.to_owned(), json!("true"))]);
    let at = Pointer::to(&["metadata", "labels"]);
    patch.set(&at, absent("/metadata/labels"), labels);

    let annotations = annotations(pod, environment, settings);
    let at = Pointer::to(&["metadata", "annotations"]);
    patch.set(&at, absent("/metadata/annotations"), annotations);

    let at = Pointer::to(&["spec", "containers"]);
    app_variables::add(&mut patch, &at, &pod.spec.containers, variables);
    // Before the sidecar is among them and moves their indices.
    let at = Pointer::to(&["spec", "initContainers"]);
    app_variables::add(&mut patch, &at, pod.init_containers(), variables);
    let sidecar = sidecar::container(settings, sidecar::is_guaranteed(pod));
    let position = mesh::position(pod.init_containers());
    patch.insert(&at, length("/spec/initContainers"), position, vec![sidecar]);

    let volumes = length("/spec/volumes");
    let end = volumes.unwrap_or_default();
    let at = Pointer::to(&["spec", "volumes"]);
    patch.insert(&at, volumes, end, vec![sidecar::token_volume()]);
    patch
}

fn annotations(
    pod: &Pod<'_>,
    environment: Environment,
    settings: &InjectSettings,
) -> Map<String, Value> {
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "environment": environment.as_str(),
        "root": settings.root_sha256,
    });
    let mut annotations = Map::new();
    annotations.insert(names::STATUS.to_owned(), json!(status.to_string()));
    if let Some(first) = pod.spec.containers.first() {
        for name in DEFAULT_CONTAINER {
            if pod.annotation(name).is_none() {
                annotations.insert(name.to_owned(), json!(first.name));
            }
        }
    }
    annotations
}
