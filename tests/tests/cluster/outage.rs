//! What everything stands on is gone for a while: running pods go on, and
//! afterwards nobody has to do anything.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_tests::shop::{Branch, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::stolen::Window;
use credence_tests::stopped::Stopped;
use credence_tests::{cgroups, process, wait};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::callers::Callers;
use crate::case::Case;
use crate::runner::note;

const HERE: &str = "the programs of the cluster are elsewhere";

/// An outage that is over before anybody was called.
const SHORT: Duration = Duration::from_secs(10);
/// Longer than connections, leases and caches last.
const LONG: Duration = Duration::from_secs(150);
/// How soon after an outage the status must be right.
const RIGHT: Duration = Duration::from_secs(20);

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "calls go on while the operator is killed",
        calls_go_on_while_the_operator_is_killed,
    )
    .here(HERE),
    Case::alone("calls go on while no operator runs", |shop| {
        without_operator(shop, "no-operator", SHORT)
    }),
    Case::alone("calls go on while the API server is down", |shop| {
        without(shop, "no-api-server", "kube-apiserver", SHORT)
    })
    .here(HERE),
    Case::alone("calls go on while etcd is down", |shop| {
        without(shop, "no-etcd", "etcd", Duration::from_secs(3))
    })
    .here(HERE),
    Case::alone("calls go on while no operator runs for minutes", |shop| {
        without_operator(shop, "no-operator-for-long", LONG)
    })
    .soak(),
    Case::alone(
        "calls go on while the API server is down for minutes",
        |shop| without(shop, "no-api-server-for-long", "kube-apiserver", LONG),
    )
    .here(HERE)
    .soak(),
    Case::alone("calls go on while etcd is down for minutes", |shop| {
        without(shop, "no-etcd-for-long", "etcd", LONG)
    })
    .here(HERE)
    .soak(),
    Case::alone(
        "calls go on while operators are killed again and again",
        killed_again_and_again,
    )
    .soak(),
];

const PODS: usize = 3;
const OPERATOR: &str = "app.kubernetes.io/name=credence-operator";

/// Callers go on calling while `outage` lasts; then the status is right soon,
/// and what is changed is used. Every case has a namespace of another name: a
/// controller manager that comes back remembers what was in the last one, and
/// makes the Deployment of that name twice.
fn through(
    shop: &Shop,
    namespace: &str,
    outage: impl FnOnce(&Branch<'_>) -> Result<()>,
) -> Result<()> {
    shop.with_branch(namespace, Environment::Development, |branch| {
        let callers = Callers::start(branch, PODS)?;
        let before = answered(shop)?;
        outage(branch)?;
        let (back, window) = (Instant::now(), Window::open()?);
        becomes_right(branch)?;
        let right = back.elapsed();
        window.judge("the status is right", right, RIGHT)?;
        let following = callers.follow()?;
        branch.write_secret("payments-dev", "api-key", shop.key("payments-rotated"))?;
        following.until_all("payments rotated", PATIENCE)?;
        callers.unfailed()?;
        let calls = answered(shop)? - before;
        ensure!(calls > 100, "hardly any calls: {calls}");
        note(format!(
            "{calls} calls, none failed; the status was right after {:.1} s",
            right.as_secs_f64()
        ));
        Ok(())
    })
}

/// A collection that is made now is refused for want of its Secret, becomes
/// ready with it, and every caller is counted.
fn becomes_right(branch: &Branch<'_>) -> Result<()> {
    let late = json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection", "metadata": {"name": "late"},
        "spec": {
            "baseUrl": "https://late.example.com",
            "headers": [{"name": "X-Api-Key", "value": "${secret.api-key}"}],
            "development": {"secretRef": {"name": "late"}},
        },
    });
    branch.apply(&[late])?;
    branch.wait_for("apicollection/late", "condition=Ready=false")?;
    branch.write_secret("late", "api-key", branch.shop().key("reports-dev"))?;
    branch.wait_for("apicollection/late", "condition=Ready")?;
    let all = format!("jsonpath={{.status.sidecars.summary}}={PODS}/{PODS}");
    branch.wait_for("apicollection/payments", &all)?;
    branch.wait_for("apicollection/payments", "condition=Programmed")
}

fn answered(shop: &Shop) -> Result<u64> {
    shop.counters()?["calls"]
        .as_u64()
        .context("a number of calls")
}

/// Both processes are killed where they stand.
fn calls_go_on_while_the_operator_is_killed(shop: &Shop) -> Result<()> {
    through(shop, "operator-killed", |_| {
        let before = cgroups::running("credence-operator")?;
        ensure!(before.len() == 2, "there are {} replicas", before.len());
        process::kill(&before)?;
        wait::until("both to run again", PATIENCE, || {
            Ok((cgroups::running("credence-operator")?.len() == 2).then_some(()))
        })
    })
}

/// The kubelet and the controller manager find their way back by themselves.
fn without(shop: &Shop, namespace: &str, program: &str, outage: Duration) -> Result<()> {
    let state = shop.cluster().state().context("a cluster of ours")?;
    through(shop, namespace, |_| {
        let begin = now();
        let stopped = Stopped::kill(state, program)?;
        // Nothing is waited for: this is the outage.
        sleep(outage);
        stopped.start()?;
        wait::until("the API server", PATIENCE, || {
            Ok(shop
                .cluster()
                .kubectl()
                .run(&["get", "--raw", "/readyz"])
                .ok())
        })?;
        let mut unready = UNREADY.lock().unwrap_or_else(PoisonError::into_inner);
        unready.push(begin..now());
        Ok(())
    })
}

/// When the API server was down or starting, in milliseconds since 1970.
static UNREADY: Mutex<Vec<Range<u64>>> = Mutex::new(Vec::new());

/// Whether it was so then. A starting API server answers before it has read
/// its own rules, and so that everything is forbidden.
pub(crate) fn was_unready(time: u64) -> bool {
    let unready = UNREADY.lock().unwrap_or_else(PoisonError::into_inner);
    unready.iter().any(|outage| outage.contains(&time))
}

fn now() -> u64 {
    Timestamp::now()
        .as_millisecond()
        .try_into()
        .unwrap_or_default()
}

/// A pod that is wanted meanwhile is refused with a reason, one that had been
/// admitted waits with a reason, and both start by themselves afterwards.
fn without_operator(shop: &Shop, namespace: &str, outage: Duration) -> Result<()> {
    through(shop, namespace, |branch| {
        branch.apply(&[gated()])?;
        let waited = scale(shop, 0).and_then(|()| waiting(branch, outage));
        // Whatever went wrong: others need it.
        scale(shop, 2)?;
        waited?;
        let kubectl = shop.cluster().kubectl();
        // Whoever creates pods tries again after about as long as it has tried.
        let patience = PATIENCE.max(outage * 2);
        for (object, condition) in [
            ("pod/gated", "condition=Ready"),
            ("deployment/wanted", "condition=Available"),
        ] {
            kubectl.wait(branch.namespace(), object, condition, patience)?;
        }
        // Only callers are counted.
        branch.kubectl(&["delete", "pod/gated", "deployment/wanted"])?;
        Ok(())
    })
}

fn waiting(branch: &Branch<'_>, outage: Duration) -> Result<()> {
    let begun = Instant::now();
    branch.apply(&[wanted()])?;
    let ungate = r#"[{"op": "remove", "path": "/spec/schedulingGates"}]"#;
    branch.kubectl(&["patch", "pod", "gated", "--type=json", "-p", ungate])?;
    until_said(branch, "FailedCreate", "inject.credence.dev")?;
    until_said(branch, "Unhealthy", "Startup probe failed")?;
    sleep(outage.saturating_sub(begun.elapsed()));
    Ok(())
}

/// Waits for an Event in the branch.
fn until_said(branch: &Branch<'_>, reason: &str, part: &str) -> Result<()> {
    let of = format!("--field-selector=reason={reason}");
    wait::until(reason, PATIENCE, || {
        let events = branch.json(&["get", "events", &of])?;
        let events = events["items"].as_array().context("events")?;
        let said = |event: &Value| {
            event["message"]
                .as_str()
                .is_some_and(|text| text.contains(part))
        };
        Ok(events.iter().any(said).then_some(()))
    })
}

/// Admitted, and not scheduled yet.
fn gated() -> Value {
    let mut spec = restricted_pod(&["hold"]);
    spec["schedulingGates"] = json!([{"name": "tests.credence.dev/outage"}]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gated"}, "spec": spec})
}

fn wanted() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "wanted"},
        "spec": {
            "selector": {"matchLabels": {"app": "wanted"}},
            "template": {"metadata": {"labels": {"app": "wanted"}}, "spec": restricted_pod(&["hold"])},
        },
    })
}

/// Returns when that many replicas serve, and no others are left.
fn scale(shop: &Shop, replicas: usize) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let count = format!("--replicas={replicas}");
    kubectl.run(&[
        "-n",
        SYSTEM,
        "scale",
        "deployment/credence-operator",
        &count,
    ])?;
    wait::until("the replicas", PATIENCE, || {
        let pods = kubectl.json(&["-n", SYSTEM, "get", "pods", "-l", OPERATOR])?;
        let pods = pods["items"].as_array().context("pods")?;
        let serves = |pod: &&Value| pod["status"]["containerStatuses"][0]["ready"] == true;
        let ready = pods.iter().filter(serves).count();
        Ok((pods.len() == replicas && ready == replicas).then_some(()))
    })
}

/// Never the same replica twice in a row, sometimes both.
fn killed_again_and_again(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    through(shop, "operators-killed", |_| {
        for round in 0..12 {
            let pods = kubectl.run(&["-n", SYSTEM, "get", "pods", "-l", OPERATOR, "-o", "name"])?;
            let victims = if round % 3 == 2 { 2 } else { 1 };
            for pod in pods.lines().take(victims) {
                kubectl.run(&["-n", SYSTEM, "delete", pod, "--grace-period=0", "--force"])?;
            }
            sleep(SHORT);
        }
        scale(shop, 2)
    })
}
