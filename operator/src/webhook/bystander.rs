//! The Event about a pod that asked for a sidecar and is created without.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Deserialize;
use serde_json::Value;

use crate::events::{Happening, Severity};
use crate::inject::Skip;

/// What there is to tell; nothing where nobody expected a sidecar.
pub(super) fn happening(skip: Skip, namespace: &str, pod: &Value) -> Option<Happening> {
    let note = skip.warning()?.to_owned();
    Some(Happening {
        regarding: regarding(namespace, &pod["metadata"])?,
        severity: Severity::Warning,
        reason: "SidecarNotInjected".into(),
        action: "Inject",
        note,
    })
}

/// Whoever makes such pods, where somebody does: the pod itself has no uid yet,
/// and mostly no name.
fn regarding(namespace: &str, metadata: &Value) -> Option<ObjectReference> {
    let owners = Vec::<OwnerReference>::deserialize(&metadata["ownerReferences"]);
    let controller = owners
        .unwrap_or_default()
        .into_iter()
        .find(|owner| owner.controller == Some(true));
    let namespace = Some(namespace.to_owned());
    Some(match controller {
        Some(owner) => ObjectReference {
            api_version: Some(owner.api_version),
            kind: Some(owner.kind),
            name: Some(owner.name),
            uid: Some(owner.uid),
            namespace,
            ..ObjectReference::default()
        },
        None => ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(metadata["name"].as_str()?.to_owned()),
            namespace,
            ..ObjectReference::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_owner_is_told_and_else_the_pod() {
        let told = |metadata: Value| {
            let pod = json!({ "metadata": metadata });
            let happening = happening(Skip::HostNetwork, "shop", &pod)?;
            assert_eq!(happening.reason, "SidecarNotInjected");
            let regarding = happening.regarding;
            assert_eq!(regarding.namespace.as_deref(), Some("shop"));
            Some((regarding.kind?, regarding.name?, regarding.uid))
        };
        let owner = |controller| {
            json!({"generateName": "web-7c-", "name": "web-7c-x", "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7c", "uid": "u",
                "controller": controller,
            }]})
        };
        let set = (
            "ReplicaSet".to_owned(),
            "web-7c".to_owned(),
            Some("u".to_owned()),
        );
        assert_eq!(told(owner(true)), Some(set));
        let pod = ("Pod".to_owned(), "web-7c-x".to_owned(), None);
        assert_eq!(told(owner(false)), Some(pod));
        assert_eq!(told(json!({"generateName": "web-"})), None);
    }

    #[test]
    fn nobody_is_told_what_they_asked_for() {
        let pod = json!({"metadata": {"name": "web"}});
        for skip in [Skip::OptedOut, Skip::AlreadyInjected, Skip::MirrorPod] {
            assert_eq!(happening(skip, "shop", &pod), None);
        }
        for skip in [Skip::Windows, Skip::HostNetwork, Skip::SharedProcesses] {
            assert!(happening(skip, "shop", &pod).is_some());
        }
    }
}
