//! The certificate authority changes while pods run.

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_core::{Environment, names};
use credence_tests::shop::{Branch, DEVELOPMENT, LIVE, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::{cgroups, process, wait};
use serde_json::{Value, json};

use crate::callers::Callers;
use crate::case::Case;
use crate::runner::note;

const SECRET: &str = "credence-certificates";
const PODS: usize = 3;

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "a new certificate authority cuts off no running pod",
        |shop| changes(shop, |_| Ok(())),
    )
    .here("the programs of the cluster are elsewhere"),
    Case::alone("an authority that no pod trusts is forgotten", |shop| {
        changes(shop, is_forgotten)
    })
    .here("the programs of the cluster are elsewhere")
    .soak(),
];

/// The authority changes under callers, and whoever leads is killed on the
/// way. Running pods call on, new ones are admitted all the time, and both are
/// still fed when every stream was cut.
fn changes(shop: &Shop, afterwards: impl FnOnce(&Branch<'_>) -> Result<()>) -> Result<()> {
    shop.with_branch("authority", Environment::Development, |branch| {
        let callers = Callers::start(branch, PODS)?;
        let old = authority(shop, "ca.crt")?.context("an authority")?;
        ask_for_another(shop)?;
        wait::until("a new authority", PATIENCE, || {
            authority(shop, "next-ca.crt")
        })?;
        let leader = lose_leader(shop)?;
        let mut admitted = 0;
        let new = wait::until("the new authority to be used", PATIENCE, || {
            ensure!(injected(branch)?, "a pod was admitted without a sidecar");
            admitted += 1;
            let current = authority(shop, "ca.crt")?;
            Ok(current.filter(|current| *current != old))
        })?;

        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"},
            "spec": restricted_pod(&["hold"]),
        });
        branch.apply(&[pod])?;
        branch.wait_for("pod/late", "condition=Ready")?;
        ensure!(
            given(branch, "late")? == new,
            "a new pod has the old authority"
        );

        // Every stream is cut: sidecars of both authorities come back.
        process::kill(&cgroups::running("credence-operator")?)?;
        let following = callers.follow()?;
        branch.write_secret("payments-dev", "api-key", shop.key("payments-rotated"))?;
        following.until_all("payments rotated", PATIENCE)?;
        let late = branch.call("late", "/payments/x")?;
        ensure!(late["status"] == 200, "the new pod is answered {late}");
        callers.unfailed()?;
        note(format!(
            "{leader} was lost on the way; {admitted} pods admitted meanwhile"
        ));
        afterwards(branch)
    })
}

/// When every pod was replaced, the Secret holds one authority.
fn is_forgotten(branch: &Branch<'_>) -> Result<()> {
    let shop = branch.shop();
    let kubectl = shop.cluster().kubectl();
    ensure!(retired(shop)? > 0, "the old authority is forgotten already");
    for namespace in [DEVELOPMENT, LIVE, branch.namespace()] {
        kubectl.run(&["-n", namespace, "rollout", "restart", "deployment"])?;
    }
    for namespace in [DEVELOPMENT, LIVE, branch.namespace()] {
        let status = ["rollout", "status", "deployment", "--timeout=120s"];
        kubectl.run(&[&["-n", namespace][..], &status].concat())?;
    }
    wait::until("the old authority to be forgotten", 2 * PATIENCE, || {
        Ok((retired(shop)? == 0).then_some(()))
    })
}

/// By an annotation that was not there before.
fn ask_for_another(shop: &Shop) -> Result<()> {
    let resource_version = secret(shop)?["metadata"]["resourceVersion"].clone();
    let request = format!(
        "{}={}",
        names::ROTATE,
        resource_version.as_str().context("a version")?
    );
    let annotate = ["-n", SYSTEM, "annotate", "--overwrite", "secret", SECRET];
    let kubectl = shop.cluster().kubectl();
    kubectl.run(&[&annotate[..], &[&request]].concat())?;
    Ok(())
}

/// Deletes the pod of the replica that leads, without grace.
fn lose_leader(shop: &Shop) -> Result<String> {
    let kubectl = shop.cluster().kubectl();
    let lease = kubectl.json(&["-n", SYSTEM, "get", "lease", "credence-operator"])?;
    let leader = lease["spec"]["holderIdentity"]
        .as_str()
        .context("a leader")?;
    let force = ["--grace-period=0", "--force", "--wait=false"];
    kubectl.run(&[&["-n", SYSTEM, "delete", "pod", leader][..], &force].concat())?;
    Ok(leader.to_owned())
}

/// Whether a pod that is created now would get a sidecar.
fn injected(branch: &Branch<'_>) -> Result<bool> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "tried", "namespace": branch.namespace()},
        "spec": restricted_pod(&["hold"]),
    });
    let create = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    let kubectl = branch.shop().cluster().kubectl();
    let output = kubectl.output_with_input(&create, &pod.to_string())?;
    ensure!(
        output.status.success(),
        "a pod was refused: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let pod: Value = serde_json::from_slice(&output.stdout)?;
    Ok(pod["spec"]["initContainers"][0]["name"] == names::CONTAINER)
}

/// The authority that a pod trusts, PEM.
fn given(branch: &Branch<'_>, pod: &str) -> Result<String> {
    let pod = branch.json(&["get", "pod", pod])?;
    let variables = pod["spec"]["initContainers"][0]["env"].as_array();
    let variable = variables
        .into_iter()
        .flatten()
        .find(|variable| variable["name"] == names::FEED_CA_VARIABLE);
    let value = variable.context("its authority")?["value"].as_str();
    Ok(value.unwrap_or_default().to_owned())
}

fn secret(shop: &Shop) -> Result<Value> {
    let kubectl = shop.cluster().kubectl();
    kubectl.json(&["-n", SYSTEM, "get", "secret", SECRET])
}

/// An authority in the Secret, PEM.
fn authority(shop: &Shop, key: &str) -> Result<Option<String>> {
    let secret = secret(shop)?;
    let Some(encoded) = secret["data"][key].as_str() else {
        return Ok(None);
    };
    Ok(Some(String::from_utf8(BASE64_STANDARD.decode(encoded)?)?))
}

fn retired(shop: &Shop) -> Result<usize> {
    let secret = secret(shop)?;
    let data = secret["data"].as_object().context("data")?;
    Ok(data
        .keys()
        .filter(|key| key.starts_with("retired-") && key.ends_with("-ca.crt"))
        .count())
}
