//! Tokens of pods, as kubelets ask for them.

use anyhow::{Context, Result};
use credence_core::names::AUDIENCE;

use crate::kubectl::Kubectl;

/// A token of a running pod for the feed, asked for in the name of the pod's
/// node: nobody else is given one. The pod must have a volume for it.
///
/// # Errors
/// There is no such pod on a node, or it has no such volume.
pub fn of_pod(kubectl: &Kubectl, namespace: &str, pod: &str) -> Result<String> {
    let object = kubectl.json(&["-n", namespace, "get", "pod", pod])?;
    let uid = object["metadata"]["uid"].as_str().context("a uid")?;
    let node = object["spec"]["nodeName"].as_str().context("a node")?;
    let account = object["spec"]["serviceAccountName"].as_str();
    let token = kubectl.run(&[
        &format!("--as=system:node:{node}"),
        "--as-group=system:nodes",
        "-n",
        namespace,
        "create",
        "token",
        account.context("a ServiceAccount")?,
        "--duration=10m",
        &format!("--audience={AUDIENCE}"),
        "--bound-object-kind=Pod",
        &format!("--bound-object-name={pod}"),
        &format!("--bound-object-uid={uid}"),
    ])?;
    Ok(token.trim().to_owned())
}
