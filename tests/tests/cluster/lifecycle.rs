//! Upgrade, rollback, uninstallation and installation anew, beside an app that
//! goes on calling. These come last: each leaves the shop as it found it, but
//! with other replicas.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use credence_core::names::CONTAINER;
use credence_tests::Cluster;
use credence_tests::shop::{APIS, DEVELOPMENT, LIVE, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::thirdparty::HELM_3;
use credence_tests::wait::until;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lifetimes::report_of_deleted;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::last(
        "upgrades and a rollback fail no call",
        upgrades_and_a_rollback_fail_no_call,
    ),
    Case::last(
        "an uninstallation stops nobody",
        an_uninstallation_stops_nobody,
    ),
    Case::last(
        "Helm 3 installs and Helm 4 takes over",
        helm_3_installs_and_helm_4_takes_over,
    ),
];

const RELEASE: &str = "credence";
const OPERATOR: &str = "app.kubernetes.io/name=credence-operator";

/// Each replaces every replica. Helm 4 applies on the server's side: what it
/// writes and the operator writes as well would be a conflict at the second
/// upgrade.
fn upgrades_and_a_rollback_fail_no_call(shop: &Shop) -> Result<()> {
    let cluster = shop.cluster();
    forget_scaling(shop)?;
    let load = Load::start(shop)?;
    let mut known = replicas(shop)?;
    let mut replaced_by = |wanted: usize| {
        let now = replicas(shop)?;
        ensure!(now.len() == wanted, "{} replicas, not {wanted}", now.len());
        ensure!(known.is_disjoint(&now), "a replica is an old one");
        known.extend(now);
        anyhow::Ok(())
    };
    let annotated = "operator.podAnnotations.upgraded=once";
    shop.install(cluster, &["--set", annotated])?;
    replaced_by(2)?;
    shop.install(cluster, &["--set", "operator.replicas=1"])?;
    replaced_by(1)?;
    cluster.helm(&["rollback", RELEASE, "--namespace", SYSTEM, "--wait"])?;
    replaced_by(2)?;
    let calls = load.until_after(Timestamp::now())?;
    note(format!("{calls} calls, none failed"));
    changes_arrive(shop)
}

/// Other cases have scaled the operator by kubectl, and Helm 4 leaves a field
/// to whoever wrote it last.
fn forget_scaling(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let of = ["-n", SYSTEM, "get", "deployment/credence-operator"];
    let deployment = kubectl.json(&[&of[..], &["--show-managed-fields"]].concat())?;
    let fields = deployment["metadata"]["managedFields"].as_array();
    let mut fields = fields.context("managed fields")?.clone();
    fields.retain(|of| of["subresource"] != "scale");
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": fields}]);
    let to = ["-n", SYSTEM, "patch", "deployment/credence-operator"];
    kubectl.run(&[&to[..], &["--type=json", "-p", &patch.to_string()]].concat())?;
    Ok(())
}

/// The uids of the operator's pods that are not about to go.
fn replicas(shop: &Shop) -> Result<BTreeSet<String>> {
    let of = ["-n", SYSTEM, "get", "pods", "-l", OPERATOR];
    let pods = shop.cluster().kubectl().json(&of)?;
    let pods = pods["items"].as_array().context("pods")?;
    let stay = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let uids = pods.iter().filter(stay).map(|pod| &pod["metadata"]["uid"]);
    Ok(uids.map(Value::to_string).collect())
}

/// Running pods keep what they have, new pods start, collections stay; what is
/// installed anew serves the old sidecars.
fn an_uninstallation_stops_nobody(shop: &Shop) -> Result<()> {
    let cluster = shop.cluster();
    let before = pods(shop)?;
    uninstall(cluster)?;
    let objects = "validatingadmissionpolicies,mutatingwebhookconfigurations,clusterroles";
    let left = cluster.kubectl().run(&["get", objects, "-o", "name"])?;
    ensure!(!left.contains("credence"), "left behind: {left}");
    let kept = ["-n", LIVE, "get", "apicollections", "-o", "name"];
    let kept = cluster.kubectl().run(&kept)?;
    for api in APIS {
        ensure!(kept.contains(api), "{api} is gone: {kept}");
    }
    let identity = shop.identity(LIVE, "/payments/x")?;
    ensure!(identity == "payments live", "calls are {identity}");
    starts_without_a_sidecar(shop)?;

    shop.install(cluster, &[])?;
    changes_arrive(shop)?;
    let after = pods(shop)?;
    ensure!(before == after, "pods were replaced: {before:?}, {after:?}");
    starts_with_a_sidecar(shop)
}

/// Helm 3 installs and upgrades as well, and Helm 4 takes its release over.
fn helm_3_installs_and_helm_4_takes_over(shop: &Shop) -> Result<()> {
    let cluster = shop.cluster();
    let previous = cluster.with_helm(HELM_3.binary()?);
    uninstall(cluster)?;
    shop.install(&previous, &[])?;
    shop.install(&previous, &[])?;
    changes_arrive(shop)?;
    shop.install(cluster, &[])?;
    starts_with_a_sidecar(shop)?;
    changes_arrive(shop)
}

fn uninstall(cluster: &Cluster) -> Result<()> {
    cluster.helm(&["uninstall", RELEASE, "--namespace", SYSTEM, "--wait"])?;
    Ok(())
}

/// Names of the apps' pods.
fn pods(shop: &Shop) -> Result<[String; 2]> {
    Ok([shop.app(DEVELOPMENT)?, shop.app(LIVE)?])
}

/// A rotated key reaches a pod that was there before.
fn changes_arrive(shop: &Shop) -> Result<()> {
    for key in ["payments-rotated", "payments-live"] {
        shop.write_secret(LIVE, "payments-live", "api-key", shop.key(key))?;
        let wanted = key.replace('-', " ");
        until(&wanted, PATIENCE, || {
            Ok((shop.identity(LIVE, "/payments/x")? == wanted).then_some(()))
        })?;
    }
    Ok(())
}

fn starts_without_a_sidecar(shop: &Shop) -> Result<()> {
    ensure!(!sidecar_of_a_new_pod(shop)?, "something injects still");
    Ok(())
}

fn starts_with_a_sidecar(shop: &Shop) -> Result<()> {
    ensure!(sidecar_of_a_new_pod(shop)?, "nothing injects");
    Ok(())
}

/// Whether a new pod of an opted-in namespace has one, once it is ready.
fn sidecar_of_a_new_pod(shop: &Shop) -> Result<bool> {
    let kubectl = shop.cluster().kubectl();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "newcomer", "namespace": LIVE},
        "spec": restricted_pod(&["hold"]),
    });
    kubectl.apply(&pod.to_string())?;
    shop.wait_for(LIVE, "pod/newcomer", "condition=Ready")?;
    let pod = kubectl.json(&["-n", LIVE, "get", "pod", "newcomer"])?;
    let delete = ["-n", LIVE, "delete", "pod", "newcomer", "--grace-period=0"];
    kubectl.run(&[&delete[..], &["--force"]].concat())?;
    let mut containers = pod["spec"]["initContainers"]
        .as_array()
        .into_iter()
        .flatten();
    Ok(containers.any(|container| container["name"] == CONTAINER))
}

/// A live pod that calls without a pause.
struct Load<'a>(&'a Shop);

impl<'a> Load<'a> {
    fn start(shop: &'a Shop) -> Result<Self> {
        let url = "http://localhost:2733/payments/x";
        let load = ["load", url, "--seconds=900", "--linger=4", "--rest=10"];
        let mut spec = restricted_pod(&load);
        spec["terminationGracePeriodSeconds"] = json!(20);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load", "namespace": LIVE},
            "spec": spec,
        });
        shop.cluster().kubectl().apply(&pod.to_string())?;
        shop.wait_for(LIVE, "pod/load", "condition=Ready")?;
        Ok(Self(shop))
    }

    /// How many calls there were, when none failed and some were made after
    /// this time.
    fn until_after(self, time: Timestamp) -> Result<u64> {
        let report = report_of_deleted(self.0.cluster().kubectl(), LIVE, "load")?;
        let outcomes = report["outcomes"].as_array().context("outcomes")?;
        ensure!(
            outcomes.iter().all(|outcome| outcome["status"] == 200),
            "calls failed: {report:#}"
        );
        let last = outcomes
            .iter()
            .filter_map(|outcome| outcome["last"].as_i64());
        let last = last.max().context("a call")?;
        ensure!(
            last > time.as_millisecond(),
            "none was made after {time}: {report:#}"
        );
        report["calls"].as_u64().context("calls")
    }
}
