//! Who decides which environment a namespace is of.

use anyhow::{Result, ensure};
use credence_tests::shop::{DEVELOPMENT, PATIENCE, Shop};
use credence_tests::wait::until;
use serde_json::json;

use crate::rotation::until_identity;

const EDITOR: &str = "namespace-editor";

/// Somebody who may change namespaces, but not promote, cannot change the
/// label, by none of the three ways; other labels he can.
pub(crate) fn relabelling_needs_the_verb_promote(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": EDITOR},
        "rules": [{
            "apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
            "verbs": ["get", "create", "update", "patch"],
        }],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": EDITOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": EDITOR},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": EDITOR}],
    });
    kubectl.apply(&format!("{role}\n---\n{binding}"))?;
    let patch = r#"{"metadata":{"labels":{"credence.dev/environment":"live"}}}"#;
    for subresource in [&[][..], &["--subresource=status"]] {
        let arguments = [
            "--as",
            EDITOR,
            "patch",
            "namespace",
            DEVELOPMENT,
            "--type=merge",
            "-p",
            patch,
        ];
        let said = kubectl.refused(&[&arguments, subresource].concat())?;
        ensure!(
            said.contains("promote"),
            "refused for another reason: {said}"
        );
    }
    let mut namespace = kubectl.json(&["get", "namespace", DEVELOPMENT])?;
    namespace["metadata"]["labels"]["credence.dev/environment"] = json!("live");
    let path = format!("/api/v1/namespaces/{DEVELOPMENT}/finalize");
    let output = kubectl.output_with_input(
        &["--as", EDITOR, "replace", "--raw", &path, "-f", "-"],
        &namespace.to_string(),
    )?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        !output.status.success() && said.contains("promote"),
        "finalize let it pass: {said}"
    );
    let born = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "born-live", "labels": {"credence.dev/environment": "live"}},
    });
    let output =
        kubectl.output_with_input(&["--as", EDITOR, "create", "-f", "-"], &born.to_string())?;
    ensure!(!output.status.success(), "a namespace was created live");

    kubectl.run(&[
        "--as",
        EDITOR,
        "label",
        "namespace",
        DEVELOPMENT,
        "team=shop",
    ])?;
    ensure!(
        shop.identity(DEVELOPMENT, "/payments/x")? == "payments dev",
        "the environment changed"
    );
    Ok(())
}

/// With the verb, the new credential is used and the old one is withdrawn;
/// and back.
pub(crate) fn a_promoted_namespace_uses_the_other_credential(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let rolebinding = [
        "-n",
        DEVELOPMENT,
        "create",
        "rolebinding",
        "promoter",
        "--clusterrole=credence-promote",
        "--user",
        EDITOR,
    ];
    kubectl.run(&rolebinding)?;
    let relabel = |environment: &str| {
        let label = format!("credence.dev/environment={environment}");
        kubectl.run(&[
            "--as",
            EDITOR,
            "label",
            "namespace",
            DEVELOPMENT,
            "--overwrite",
            &label,
        ])
    };
    // The binding takes effect when the API server has seen it.
    until(
        "the right to promote",
        PATIENCE,
        || Ok(relabel("live").ok()),
    )?;
    until_identity(shop, "payments live")?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "jsonpath={.status.environment}=Live",
    )?;
    relabel("development")?;
    until_identity(shop, "payments dev")?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "jsonpath={.status.environment}=Development",
    )
}
