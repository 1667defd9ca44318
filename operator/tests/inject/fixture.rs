//! Pods and settings to try.

use credence_core::Environment;
use credence_operator::inject::{Bounds, Decision, InjectSettings, Namespace};
use serde_json::{Value, json};

pub(crate) fn settings() -> InjectSettings {
    InjectSettings {
        other_cas: Vec::new(),
        image: "example.com/credence-sidecar:1".to_owned(),
        feed: "credence-feed.credence-system.svc:8444".to_owned(),
        ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into(),
        root_sha256: "0123456789abcdef".repeat(4),
        egress: None,
    }
}

/// A namespace that demands nothing.
fn namespace(environment: Environment) -> Namespace {
    Namespace {
        environment,
        bounds: Bounds::default(),
    }
}

pub(crate) fn live() -> Namespace {
    namespace(Environment::Live)
}

pub(crate) fn development() -> Namespace {
    namespace(Environment::Development)
}

/// The least that the API server accepts.
pub(crate) fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app"},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    })
}

/// The pod with `value` at a path of members, which are made where missing.
pub(crate) fn with(mut pod: Value, path: &[&str], value: Value) -> Value {
    let mut at = &mut pod;
    for member in path {
        at = match member.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[*member],
        };
    }
    *at = value;
    pod
}

/// The pod after an injection; anything else is a failure.
pub(crate) fn injected(pod: &Value, decision: &Decision) -> Value {
    let Decision::Inject(injection) = decision else {
        panic!("not injected: {decision:?}");
    };
    let patch = serde_json::to_value(&injection.patch).unwrap();
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

/// The sidecar of an injected pod.
pub(crate) fn sidecar(pod: &Value) -> &Value {
    let containers = pod["spec"]["initContainers"].as_array().unwrap();
    let mut named = containers.iter().filter(|c| c["name"] == "credence");
    let sidecar = named.next().expect("no sidecar");
    assert!(named.next().is_none(), "two sidecars");
    sidecar
}
