//! The Pod Security Standard "restricted", as the API server checks it.

use serde_json::{Value, json};

/// Volumes that it allows.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten()
}

/// The pod with what the profile asks of each container that is not ours.
pub(crate) fn hardened(mut pod: Value) -> Value {
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            if container["name"] != "credence" {
                container["securityContext"] = json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": true,
                    "seccompProfile": {"type": "RuntimeDefault"},
                });
            }
        }
    }
    pod
}

/// The first rule that the pod breaks.
pub(crate) fn violation(pod: &Value) -> Option<String> {
    let spec = &pod["spec"];
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[host] == true {
            return Some(host.to_owned());
        }
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let kinds = volume.as_object()?.keys().filter(|key| *key != "name");
        if let Some(kind) = kinds
            .into_iter()
            .find(|kind| !VOLUMES.contains(&kind.as_str()))
        {
            return Some(format!("a volume of kind {kind}"));
        }
    }
    containers(pod).find_map(|container| {
        let broken = broken_by(container, &spec["securityContext"])?;
        Some(format!("{}: {broken}", container["name"]))
    })
}

fn broken_by(container: &Value, of_pod: &Value) -> Option<&'static str> {
    let context = &container["securityContext"];
    let either = |field: &str| match &context[field] {
        Value::Null => of_pod[field].clone(),
        own => own.clone(),
    };
    let seccomp = either("seccompProfile")["type"].clone();
    let added = context["capabilities"]["add"].as_array();
    let only_bind = added.is_none_or(|added| added.iter().all(|c| c == "NET_BIND_SERVICE"));
    let ports = container["ports"].as_array().into_iter().flatten();
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    let holds = [
        (context["privileged"] != true, "privileged"),
        (
            context["allowPrivilegeEscalation"] == false,
            "allowPrivilegeEscalation",
        ),
        (
            context["capabilities"]["drop"] == json!(["ALL"]),
            "capabilities.drop",
        ),
        (only_bind, "capabilities.add"),
        (either("runAsNonRoot") == true, "runAsNonRoot"),
        (either("runAsUser") != 0, "runAsUser"),
        (
            seccomp == "RuntimeDefault" || seccomp == "Localhost",
            "seccompProfile",
        ),
        (
            ports.into_iter().all(|port| port["hostPort"].is_null()),
            "hostPort",
        ),
        (
            probes
                .iter()
                .all(|probe| container[probe]["httpGet"]["host"].is_null()),
            "a probe's host",
        ),
    ];
    holds
        .into_iter()
        .find_map(|(holds, rule)| (!holds).then_some(rule))
}

#[test]
fn each_rule_can_be_broken() {
    let pod = crate::fixture::pod();
    assert_eq!(
        violation(&pod).unwrap(),
        "\"app\": allowPrivilegeEscalation"
    );
    assert_eq!(violation(&hardened(pod.clone())), None);
    for (path, value) in [
        (&["spec", "hostPID"][..], json!(true)),
        (
            &["spec", "volumes"],
            json!([{"name": "root", "hostPath": {"path": "/"}}]),
        ),
        (
            &["spec", "containers", "0", "securityContext", "runAsUser"],
            json!(0),
        ),
        (
            &["spec", "containers", "0", "securityContext", "privileged"],
            json!(true),
        ),
        (
            &[
                "spec",
                "containers",
                "0",
                "securityContext",
                "seccompProfile",
            ],
            json!(null),
        ),
        (
            &["spec", "containers", "0", "ports"],
            json!([{"hostPort": 80}]),
        ),
    ] {
        let broken = crate::fixture::with(hardened(pod.clone()), path, value);
        assert!(violation(&broken).is_some(), "{path:?}");
    }
}
