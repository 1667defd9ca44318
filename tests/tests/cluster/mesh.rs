//! A mesh that redirects all of a pod's connections before its own proxy is
//! up.

use anyhow::{Result, ensure};
use credence_core::Environment;
use credence_core::names::CONTAINER;
use credence_tests::shop::{Shop, restricted_pod};
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[Case::parallel(
    "a pod starts whose mesh redirects everything before its proxy is up",
    a_pod_starts_within_a_mesh,
)
.here("it runs this machine's nft in a pod")];

/// Nobody listens there before the mesh's proxy does.
const REDIRECT: &str = "table ip mesh { chain output { type nat hook output priority -100; \
    ip daddr 127.0.0.0/8 return; meta l4proto tcp redirect to :15001; }; }";

/// The sidecar needs the feed to start, the feed needs the mesh's proxy, and
/// that starts after whatever stands before it: were this the sidecar, neither
/// would ever be ready.
fn a_pod_starts_within_a_mesh(shop: &Shop) -> Result<()> {
    shop.with_branch("mesh", Environment::Development, |branch| {
        let namespace = branch.namespace();
        let privileged = "pod-security.kubernetes.io/enforce=privileged";
        branch.kubectl(&["label", "namespace", namespace, "--overwrite", privileged])?;
        branch.apply(&[pod()])?;
        branch.wait_for("pod/meshed", "condition=Ready")?;
        let answer = branch.call("meshed", "/payments/x")?;
        ensure!(answer["status"] == 200, "{answer}");
        let pod = branch.json(&["get", "pod", "meshed"])?;
        let names: Vec<&str> = pod["spec"]["initContainers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|container| container["name"].as_str())
            .collect();
        ensure!(
            names == ["istio-init", "istio-proxy", CONTAINER],
            "{names:?}"
        );
        Ok(())
    })
}

fn pod() -> Value {
    let mut spec = restricted_pod(&["hold"]);
    let mut set_up = spec["containers"][0].clone();
    set_up["name"] = json!("istio-init");
    set_up["command"] = json!(["/usr/sbin/nft", REDIRECT]);
    set_up["args"] = json!([]);
    set_up["securityContext"] =
        json!({"runAsUser": 0, "runAsNonRoot": false, "capabilities": {"add": ["NET_ADMIN"]}});
    // As this machine has it: its programs and what they are linked with.
    set_up["volumeMounts"] = json!([
        {"name": "machine", "mountPath": "/usr", "readOnly": true},
        {"name": "machine", "mountPath": "/lib", "subPath": "lib", "readOnly": true},
        {"name": "machine", "mountPath": "/lib64", "subPath": "lib64", "readOnly": true},
    ]);
    let mut proxy = set_up.clone();
    proxy["name"] = json!("istio-proxy");
    proxy["restartPolicy"] = json!("Always");
    // What a proxy that is up means for everybody else: connections get through.
    proxy["command"] = json!([
        "/usr/bin/sh",
        "-c",
        "nft delete table ip mesh && exec sleep infinity"
    ]);
    proxy["env"] = json!([{"name": "PATH", "value": "/usr/sbin:/usr/bin"}]);
    let up = ["/usr/bin/sh", "-c", "! /usr/sbin/nft list table ip mesh"];
    proxy["startupProbe"] =
        json!({"exec": {"command": up}, "periodSeconds": 1, "failureThreshold": 60});
    spec["initContainers"] = json!([set_up, proxy]);
    spec["volumes"] = json!([{"name": "machine", "hostPath": {"path": "/usr"}}]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "meshed"}, "spec": spec})
}
