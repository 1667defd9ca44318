//! What the API server refuses by the chart's policies, whoever asks.

mod accounts;
mod cluster_references;
mod references;
mod sidecars;
mod tokens;

use anyhow::{Context, Result, ensure};
use credence_tests::kubectl::Kubectl;
use credence_tests::shop::{PATIENCE, Shop};
use credence_tests::wait::until;
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "every policy is in force without a warning",
        every_policy_is_in_force_without_a_warning,
    ),
    Case::parallel(
        "a collection is written only by who may read its Secrets",
        references::a_collection_is_written_only_by_who_may_read_its_secrets,
    ),
    Case::parallel(
        "a cluster collection is written only by who may read its Secrets",
        cluster_references::a_cluster_collection_is_written_only_by_who_may_read_its_secrets,
    ),
    Case::parallel(
        "a neighbour's Secret keeps its host",
        references::a_neighbours_secret_keeps_its_host,
    ),
    Case::parallel(
        "a collection is written only by who may make the tokens that it sends",
        accounts::a_collection_is_written_only_by_who_may_make_the_tokens_that_it_sends,
    ),
    Case::parallel(
        "only the sidecar holds the token",
        tokens::only_the_sidecar_holds_the_token,
    ),
    Case::parallel(
        "only kubelets get tokens for the feed",
        tokens::only_kubelets_get_tokens_for_the_feed,
    ),
    Case::parallel(
        "a pod that asks for the sidecar does not run without it",
        sidecars::a_pod_that_asks_for_the_sidecar_does_not_run_without_it,
    ),
];

const POLICIES: [&str; 5] = [
    "credence-environment",
    "credence-references",
    "credence-sidecar-token",
    "credence-token-requests",
    "credence-injected-pods",
];

/// Each is in force, and its types fit those of the API.
fn every_policy_is_in_force_without_a_warning(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    for name in POLICIES {
        let kind = "validatingadmissionpolicy";
        let policy = until("its types to be checked", PATIENCE, || {
            let policy = kubectl.json(&["get", kind, name])?;
            let checked =
                policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
            Ok(checked.then_some(policy))
        })?;
        let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
        ensure!(warnings.is_null(), "{name}: {warnings:#}");
        ensure!(policy["spec"]["failurePolicy"] == "Fail", "{policy:#}");
        let binding = kubectl.json(&["get", "validatingadmissionpolicybinding", name])?;
        ensure!(
            binding["spec"]["validationActions"] == json!(["Deny"]),
            "{binding:#}"
        );
    }
    Ok(())
}

/// A namespace that is removed in the end.
struct Namespace<'a> {
    kubectl: &'a Kubectl,
    name: &'a str,
}

impl<'a> Namespace<'a> {
    fn new(kubectl: &'a Kubectl, name: &'a str, labels: &Value) -> Result<Self> {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
        });
        kubectl.apply(&object.to_string())?;
        kubectl.wait(name, "serviceaccount/default", "create", PATIENCE)?;
        Ok(Self { kubectl, name })
    }

    /// Lets a user do something in it.
    fn allow(&self, user: &str, rules: &Value) -> Result<()> {
        allow(self.kubectl, self.name, user, rules)
    }
}

/// Lets a user do something in a namespace, by a Role and a RoleBinding of his
/// name.
fn allow(kubectl: &Kubectl, namespace: &str, user: &str, rules: &Value) -> Result<()> {
    let named = |kind: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": user, "namespace": namespace},
        })
    };
    let (mut role, mut binding) = (named("Role"), named("RoleBinding"));
    role["rules"] = rules.clone();
    binding["roleRef"] =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user});
    binding["subjects"] =
        json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]);
    kubectl.apply(&format!("{role}\n---\n{binding}"))?;
    Ok(())
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "namespace", self.name, "--wait=false"];
        if let Err(error) = self.kubectl.run(&delete) {
            eprintln!("{error:#}");
        }
    }
}

/// What is said when `input`, given to this call, is refused by a policy.
fn refused_by(kubectl: &Kubectl, policy: &str, call: &[&str], input: &Value) -> Result<String> {
    let output = kubectl.output_with_input(call, &input.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        !output.status.success() && said.contains(&format!("'{policy}'")),
        "kubectl {} should have been refused by {policy}: {said}\n{input:#}",
        call.join(" "),
    );
    Ok(said)
}

/// The call must succeed.
fn accepted(kubectl: &Kubectl, call: &[&str], input: &Value) -> Result<()> {
    let output = kubectl.output_with_input(call, &input.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output
        .status
        .success()
        .then_some(())
        .with_context(|| format!("kubectl {}: {said}\n{input:#}", call.join(" ")))
}
