//! When a pod becomes ready, and how it ends.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_tests::kubectl::Kubectl;
use credence_tests::shop::{APP, Shop, restricted_pod};
use credence_tests::stolen::Window;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::alone("a pod is ready soon after it is scheduled", |shop| {
        pods_are_ready_soon(shop, 3, SHARED)
    }),
    Case::alone(
        "a pod is ready within three seconds of being scheduled",
        |shop| pods_are_ready_soon(shop, 10, OURS),
    )
    .soak(),
    Case::parallel(
        "a pod that is deleted calls until it ends",
        a_deleted_pod_calls_until_it_ends,
    ),
];

/// What a pod may take, on a machine that others may be using.
const SHARED: Duration = Duration::from_secs(6);
/// On one that nobody else uses.
const OURS: Duration = Duration::from_secs(3);

/// One after another, as the first pod of an app starts.
fn pods_are_ready_soon(shop: &Shop, pods: usize, limit: Duration) -> Result<()> {
    shop.with_branch("soon", Environment::Development, |branch| {
        shop.until_quiet()?;
        let mut taken = Vec::new();
        for number in 0..pods {
            let name = format!("pod-{number}");
            let spec = restricted_pod(&["hold"]);
            let window = Window::open()?;
            branch.apply(&[json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})])?;
            branch.wait_for(&format!("pod/{name}"), "condition=Ready")?;
            let pod = branch.json(&["get", "pod", &name])?;
            let begun = since(&pod, "PodScheduled")?;
            let seconds = begun.until(since(&pod, "Ready")?)?.get_seconds();
            let took = Duration::from_secs(u64::try_from(seconds)?);
            window.judge(&format!("{name} is ready"), took, limit)?;
            taken.push(seconds);
        }
        note(format!("seconds from scheduled to ready: {taken:?}"));
        Ok(())
    })
}

fn since(pod: &Value, condition: &str) -> Result<Timestamp> {
    let conditions = pod["status"]["conditions"]
        .as_array()
        .context("conditions")?;
    let found = conditions.iter().find(|found| found["type"] == condition);
    let time = found.and_then(|found| found["lastTransitionTime"].as_str());
    Ok(time.context("a condition's time")?.parse()?)
}

/// The app goes on for some seconds after it is told to end, as one does that
/// finishes its work: the sidecar is there until then.
fn a_deleted_pod_calls_until_it_ends(shop: &Shop) -> Result<()> {
    shop.with_branch("deleted", Environment::Development, |branch| {
        let url = "http://localhost:2733/payments/x";
        let load = ["load", url, "--seconds=600", "--linger=4", "--rest=2"];
        let mut spec = restricted_pod(&load);
        spec["terminationGracePeriodSeconds"] = json!(20);
        branch.apply(&[
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy"}, "spec": spec}),
        ])?;
        branch.wait_for("pod/busy", "condition=Ready")?;
        let kubectl = shop.cluster().kubectl();
        let report = report_of_deleted(kubectl, branch.namespace(), "busy")?;
        let outcomes = report["outcomes"].as_array().context("outcomes")?;
        ensure!(
            outcomes.iter().all(|outcome| outcome["status"] == 200),
            "calls failed: {report:#}"
        );
        let span = |outcome: &Value| Some(outcome["last"].as_u64()? - outcome["first"].as_u64()?);
        let longest = outcomes.iter().filter_map(span).max().unwrap_or_default();
        ensure!(longest >= 4000, "it did not go on: {report:#}");
        note(format!(
            "{} calls until its end, none failed",
            report["calls"]
        ));
        Ok(())
    })
}

/// Deletes a pod that calls, and gives what it reports in the end.
pub(crate) fn report_of_deleted(kubectl: &Kubectl, namespace: &str, pod: &str) -> Result<Value> {
    let follow = ["-n", namespace, "logs", pod, "-c", APP, "--follow"];
    let following = kubectl.command(&follow).stdout(Stdio::piped()).spawn()?;
    kubectl.run(&["-n", namespace, "delete", "pod", pod, "--wait=false"])?;
    let output = following.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.lines().last().unwrap_or_default()).context("the load's report")
}
