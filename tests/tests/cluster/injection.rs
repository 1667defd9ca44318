//! What the injector fits to a pod and to its namespace.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_core::names::CONTAINER;
use credence_tests::shop::{Branch, Shop, restricted_pod};
use credence_tests::wait::until;
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "a quota alone and a limit range let a pod with a sidecar start",
        a_quota_alone_and_a_limit_range_let_it_start,
    ),
    Case::parallel(
        "a pod that cannot have a sidecar is an Event on its owner",
        an_owner_is_told,
    ),
];

/// Far above what writing one takes.
const EVENT: Duration = Duration::from_secs(60);

/// Nothing gives the sidecar a limit here but the injector.
fn a_quota_alone_and_a_limit_range_let_it_start(shop: &Shop) -> Result<()> {
    shop.with_branch("quota-alone", Environment::Development, |branch| {
        branch.apply(&[
            json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"},
                "spec": {"hard": {"limits.cpu": "1", "limits.memory": "1Gi"}},
            }),
            json!({
                "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "each"},
                "spec": {"limits": [{
                    "type": "Container", "min": {"cpu": "50m", "memory": "32Mi"},
                    "maxLimitRequestRatio": {"memory": "2"},
                }]},
            }),
        ])?;
        let mut spec = restricted_pod(&["hold"]);
        let both = json!({"cpu": "60m", "memory": "32Mi"});
        spec["containers"][0]["resources"] =
            json!({"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": both});
        branch.apply(&[json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "counted"}, "spec": spec,
        })])?;
        branch.wait_for("pod/counted", "condition=Ready")?;
        let pod = branch.json(&["get", "pod", "counted"])?;
        let sidecar = sidecar(&pod)?;
        // Half of the limit, which is 32Mi: computed, so written in bytes.
        let expected = json!({
            "requests": {"cpu": "50m", "memory": "33554432"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        });
        ensure!(sidecar["resources"] == expected, "it has {sidecar}");
        Ok(())
    })
}

fn an_owner_is_told(shop: &Shop) -> Result<()> {
    shop.with_branch("owner-told", Environment::Development, |branch| {
        let mut spec = restricted_pod(&["hold"]);
        spec["nodeSelector"] = json!({"kubernetes.io/os": "windows"});
        let labels = json!({"app": "elsewhere"});
        branch.apply(&[json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "elsewhere"},
            "spec": {
                "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        })])?;
        event(branch, "elsewhere")
    })
}

fn event(branch: &Branch<'_>, name: &str) -> Result<()> {
    until("the Event", EVENT, || {
        let selector = format!("reason=SidecarNotInjected,involvedObject.name={name}");
        let events = branch.json(&["get", "events", "--field-selector", &selector])?;
        Ok(events["items"].get(0).is_some().then_some(()))
    })
}

fn sidecar(pod: &Value) -> Result<&Value> {
    let init = pod["spec"]["initContainers"].as_array();
    let mut init = init.context("init containers")?.iter();
    init.find(|container| container["name"] == CONTAINER)
        .context("no sidecar")
}
