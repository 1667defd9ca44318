//! `credence check`, as a user runs it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use credence_tests::credence;
use credence_tests::image::PROBE;
use credence_tests::shop::{LIVE, Shop};
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[Case::alone(
    "credence check names what is wrong and what to do",
    what_is_wrong_is_named_with_what_to_do,
)];

/// A namespace with everything wrong that can be wrong in one.
const WRONG: &str = "checked";

/// Nothing is wrong with the shop. What is wrong elsewhere is named, with what
/// to do.
fn what_is_wrong_is_named_with_what_to_do(shop: &Shop) -> Result<()> {
    let binary = credence::build(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let check = |arguments: &[&str]| run(&binary, shop, arguments);
    let well = check(&["--namespace", LIVE])?;
    ensure!(well["failures"] == 0, "the shop is well: {well:#}");
    for question in [
        "clock",
        "definition",
        "operator",
        "operator-leader",
        "operator-rights",
        "serving-certificate",
        "webhook-configuration",
        "injection",
        "policies",
        "promote",
        "collections",
        "sidecar-outdated",
    ] {
        let answer = answer(&well, question)?;
        ensure!(answer["verdict"] == "ok", "{question}: {answer:#}");
    }

    break_things(shop)?;
    let found = check(&["--namespace", WRONG])?;
    shop.cluster()
        .kubectl()
        .run(&["delete", "namespace", WRONG, "--wait=false"])?;
    let elsewhere = check(&["--namespace", LIVE, "--operator-namespace", "elsewhere"])?;
    for (report, question, said) in [
        (&found, "sidecar-missing", "rollout restart deployment"),
        (&found, "sidecar-missing", "checked/early"),
        (
            &found,
            "credential-access",
            "kubectl create rolebinding credence-credentials --namespace=checked",
        ),
        (&found, "collection", "checked/orders is not ready"),
        (&elsewhere, "operator", "helm install credence"),
    ] {
        let answer = answer(report, question)?;
        ensure!(answer["verdict"] == "failure", "{question}: {answer:#}");
        ensure!(
            answer.to_string().contains(said),
            "{question} does not say \"{said}\": {answer:#}"
        );
    }
    Ok(())
}

/// A pod that is there before its namespace opts in, and a collection whose
/// Secret the operator may not read.
fn break_things(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WRONG}});
    kubectl.apply(&namespace.to_string())?;
    kubectl.wait(
        WRONG,
        "serviceaccount/default",
        "create",
        credence_tests::shop::PATIENCE,
    )?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "early", "namespace": WRONG},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "app", "image": PROBE, "args": ["hold"]}],
        },
    });
    kubectl.apply(&pod.to_string())?;
    kubectl.run(&["label", "namespace", WRONG, "credence.dev/inject=enabled"])?;
    let collection = json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
        "metadata": {"name": "orders", "namespace": WRONG},
        "spec": {
            "baseUrl": "https://api.example.com",
            "auth": {"apiKey": {"in": "Header", "name": "x-key", "value": "${secret.key}"}},
            "development": {"secretRef": {"name": "orders"}},
        },
    });
    kubectl.apply(&collection.to_string())?;
    shop.wait_for(WRONG, "apicollection/orders", "condition=Ready=False")
}

/// The report, whatever the exit status is.
fn run(binary: &Path, shop: &Shop, arguments: &[&str]) -> Result<Value> {
    let kubeconfig = shop.cluster().kubectl().kubeconfig();
    let output = Command::new(binary)
        .args(["check", "--output", "json", "--kubeconfig"])
        .arg(kubeconfig)
        .args(arguments)
        .output()
        .context("starting credence")?;
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        let told = String::from_utf8_lossy(&output.stderr);
        format!("credence check {}: {told}", arguments.join(" "))
    })?;
    let status = i32::from(report["failures"] != 0);
    ensure!(output.status.code() == Some(status), "{}", output.status);
    Ok(report)
}

/// The finding of that name.
fn answer<'a>(report: &'a Value, question: &str) -> Result<&'a Value> {
    let findings = report["findings"].as_array().context("findings")?;
    findings
        .iter()
        .find(|finding| finding["check"] == question)
        .with_context(|| format!("nothing about {question}: {report:#}"))
}
