//! Pods of every shape: each calls, as a pod without a sidecar would.

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_core::names::CONTAINER;
use credence_tests::shop::{APP, Branch, Shop, restricted_pod};
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::parallel("pods of every shape call", pods_of_every_shape_call),
    Case::parallel(
        "Jobs, CronJobs and single pods call and complete",
        what_ends_calls_and_completes,
    ),
    Case::parallel(
        "a quota and default limits let a pod with a sidecar start",
        a_quota_and_default_limits_let_it_start,
    ),
    Case::parallel(
        "a pod on the node's network gets no sidecar, and its author is told",
        host_network_is_skipped,
    ),
];

/// A call that must be answered.
const CALL: [&str; 2] = ["call", "http://localhost:2733/payments/x"];
/// How the provider knows it.
const KNOWN: &str = "payments dev";

/// What stays: it calls when it is asked to.
fn pods_of_every_shape_call(shop: &Shop) -> Result<()> {
    let mut shapes = vec![("plain", restricted_pod(&["hold"]))];
    let mut shape = |name, change: fn(&mut Value)| {
        let mut spec = restricted_pod(&["hold"]);
        change(&mut spec);
        shapes.push((name, spec));
    };
    shape("guaranteed", |spec| {
        let both = json!({"cpu": "20m", "memory": "32Mi"});
        spec["containers"][0]["resources"] = json!({"requests": both, "limits": both});
    });
    shape("own-user", |spec| {
        spec["securityContext"]["runAsUser"] = json!(4711);
        spec["securityContext"]["runAsGroup"] = json!(4711);
        spec["securityContext"]["fsGroup"] = json!(4712);
    });
    shape("read-only", |spec| {
        spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = json!(true);
    });
    shape("no-account-token", |spec| {
        spec["automountServiceAccountToken"] = json!(false);
    });
    shape("without-service-links", |spec| {
        spec["enableServiceLinks"] = json!(false);
        spec["hostAliases"] = json!([{"ip": "127.0.0.1", "hostnames": ["localhost"]}]);
    });
    shape("init-containers", |spec| {
        let mut first = spec["containers"][0].clone();
        first["name"] = json!("first");
        first["args"] = json!(CALL);
        let mut second = first.clone();
        second["name"] = json!("second");
        spec["initContainers"] = json!([first, second]);
    });
    shop.with_branch("shapes", Environment::Development, |branch| {
        let pods: Vec<Value> = shapes.iter().map(|(name, spec)| pod(name, spec)).collect();
        branch.apply(&pods)?;
        for (name, _) in &shapes {
            branch.wait_for(&format!("pod/{name}"), "condition=Ready")?;
            calls(branch, name)?;
        }
        let guaranteed = branch.json(&["get", "pod", "guaranteed"])?;
        let class = &guaranteed["status"]["qosClass"];
        ensure!(class == "Guaranteed", "its class became {class}");
        for container in ["first", "second"] {
            let log = branch.kubectl(&["logs", "init-containers", "-c", container])?;
            ensure!(log.contains(KNOWN), "{container} was answered {log}");
        }
        Ok(())
    })
}

/// What ends: a sidecar does not keep it from ending.
fn what_ends_calls_and_completes(shop: &Shop) -> Result<()> {
    shop.with_branch("ends", Environment::Development, |branch| {
        let mut spec = restricted_pod(&CALL);
        spec["restartPolicy"] = json!("Never");
        let mut failing = spec.clone();
        failing["containers"][0]["args"] = json!(["call", "http://localhost:1/"]);
        let template = json!({"spec": spec});
        branch.apply(&[
            pod("single", &spec),
            pod("failing", &failing),
            json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "thrice"},
                "spec": {"completions": 3, "parallelism": 3, "template": template},
            }),
            json!({
                "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
                "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
            }),
        ])?;
        // As it would at three in the morning.
        branch.kubectl(&["create", "job", "tonight", "--from=cronjob/nightly"])?;
        branch.wait_for("pod/single", "jsonpath={.status.phase}=Succeeded")?;
        branch.wait_for("pod/failing", "jsonpath={.status.phase}=Failed")?;
        for job in ["thrice", "tonight"] {
            branch.wait_for(&format!("job/{job}"), "condition=Complete")?;
        }
        for object in ["pod/single", "job/thrice", "job/tonight"] {
            let log = branch.kubectl(&["logs", object, "-c", APP])?;
            ensure!(log.contains(KNOWN), "{object} was answered {log}");
        }
        Ok(())
    })
}

/// The quota counts limits, so that it refuses whoever has none; the range
/// gives them to whoever has none.
fn a_quota_and_default_limits_let_it_start(shop: &Shop) -> Result<()> {
    shop.with_branch("quota", Environment::Development, |branch| {
        branch.apply(&[
            json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"},
                "spec": {"hard": {"limits.cpu": "2", "limits.memory": "1Gi", "requests.cpu": "1", "requests.memory": "1Gi", "pods": "4"}},
            }),
            json!({
                "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "each"},
                "spec": {"limits": [{
                    "type": "Container", "max": {"cpu": "1", "memory": "256Mi"},
                    "default": {"cpu": "500m", "memory": "128Mi"}, "defaultRequest": {"cpu": "10m", "memory": "16Mi"},
                }]},
            }),
        ])?;
        branch.apply(&[pod("counted", &restricted_pod(&["hold"]))])?;
        branch.wait_for("pod/counted", "condition=Ready")?;
        calls(branch, "counted")
    })
}

/// Its loopback is the node's, where every pod of that kind would find the
/// proxy.
fn host_network_is_skipped(shop: &Shop) -> Result<()> {
    shop.with_branch("host-network", Environment::Development, |branch| {
        let namespace = branch.namespace();
        branch.kubectl(&[
            "label",
            "namespace",
            namespace,
            "--overwrite",
            "pod-security.kubernetes.io/enforce=privileged",
        ])?;
        let mut spec = restricted_pod(&["hold"]);
        spec["hostNetwork"] = json!(true);
        let kubectl = shop.cluster().kubectl();
        let output = kubectl.output_with_input(
            &["-n", namespace, "apply", "-f", "-"],
            &pod("outside", &spec).to_string(),
        )?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "refused: {told}");
        ensure!(
            told.contains("Warning: no credence sidecar: with hostNetwork"),
            "told {told:?}"
        );
        branch.wait_for("pod/outside", "condition=Ready")?;
        let pod = branch.json(&["get", "pod", "outside"])?;
        ensure!(
            !pod.to_string()
                .contains(&format!("\"name\":\"{CONTAINER}\"")),
            "it has a sidecar: {pod}"
        );
        Ok(())
    })
}

fn calls(branch: &Branch<'_>, pod: &str) -> Result<()> {
    let answer = branch.call(pod, "/payments/x")?;
    let body = answer["body"].as_str().context("a body")?;
    ensure!(body.contains(KNOWN), "{pod} is answered {answer}");
    Ok(())
}

fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}
