//! Who decides which environment a namespace is of.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_tests::shop::{APP, Branch, DEVELOPMENT, PATIENCE, Shop, restricted_pod};
use credence_tests::stolen::Window;
use credence_tests::wait::until;
use serde_json::{Value, json};

use crate::audit;
use crate::callers::Callers;
use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "relabelling needs the verb promote",
        relabelling_needs_the_verb_promote,
    ),
    Case::parallel("a promoted namespace uses the other credential", |shop| {
        promoted(shop, SHARED)
    })
    .here(audit::ELSEWHERE),
    Case::alone(
        "a promoted namespace uses the other credential within a second",
        |shop| promoted(shop, OURS),
    )
    .here(audit::ELSEWHERE)
    .soak(),
];

/// From the write of the label in the API server.
#[derive(Clone, Copy)]
struct Limit {
    /// To the last pod's first call with the other credential.
    used: Duration,
    /// To the end of the last stream that was begun with the old one: a sidecar
    /// gives them five seconds to end by themselves.
    cut: Duration,
}

/// On a machine that others may be using, other cases at least.
const SHARED: Limit = Limit {
    used: Duration::from_secs(5),
    cut: Duration::from_secs(15),
};
/// On one that nobody else uses.
const OURS: Limit = Limit {
    used: Duration::from_secs(1),
    cut: Duration::from_secs(6),
};

const EDITOR: &str = "namespace-editor";

/// Somebody who may change namespaces, but not promote, cannot change the
/// label, by none of the three ways; other labels he can.
fn relabelling_needs_the_verb_promote(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let_edit_namespaces(shop)?;
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

/// Gives [`EDITOR`] all rights on namespaces but the one in question.
fn let_edit_namespaces(shop: &Shop) -> Result<()> {
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
    shop.cluster()
        .kubectl()
        .apply(&format!("{role}\n---\n{binding}"))?;
    Ok(())
}

/// With the verb, the new credential is used at once and the old one is
/// withdrawn: streams that were begun with it are cut. And back.
fn promoted(shop: &Shop, limit: Limit) -> Result<()> {
    shop.with_branch("promoted", Environment::Development, |branch| {
        let_edit_namespaces(shop)?;
        branch.apply(&[promoter()])?;
        let callers = Callers::start(branch, 2)?;
        let following = callers.follow()?;
        following.until_all("payments dev", PATIENCE)?;
        for (label, identity, status) in [
            ("live", "payments live", "Live"),
            ("development", "payments dev", "Development"),
        ] {
            for (name, upgrade) in STREAMS {
                branch.apply(&[stream(name, upgrade)])?;
                until_begun(branch, name)?;
            }
            let before =
                audit::writes(shop, "namespaces", branch.namespace(), branch.namespace())?.len();
            let window = Window::open()?;
            // The binding takes effect when the API server has seen it.
            until("the right to promote", PATIENCE, || {
                Ok(relabel(branch, label).ok())
            })?;
            let used = following.until_all(identity, PATIENCE)?;
            let written =
                audit::writes(shop, "namespaces", branch.namespace(), branch.namespace())?;
            let relabelled = *written.get(before).context("the relabelling")?;
            let delay = used
                .iter()
                .map(|change| change.at)
                .max()
                .unwrap_or_default()
                - relabelled;
            let mut cut = 0;
            for (name, _) in STREAMS {
                cut = cut.max(ended(branch, name)? - relabelled);
                branch.kubectl(&["delete", "pod", name])?;
            }
            note(format!(
                "{label}: used after {delay} ms, the old one's streams cut after {cut} ms"
            ));
            for (what, took, limit) in [
                ("the other credential", delay, limit.used),
                ("the end of streams", cut, limit.cut),
            ] {
                window.judge(what, Duration::from_millis(took), limit)?;
            }
            let shown = format!("jsonpath={{.status.environment}}={status}");
            branch.wait_for("apicollection/payments", &shown)?;
            until("the Event about the namespace", PATIENCE, || {
                let events = branch.kubectl(&["get", "events", "-o", "name", EVENTS])?;
                Ok((!events.is_empty()).then_some(()))
            })?;
        }
        callers.unfailed_but_between()
    })
}

/// Of which there is at least one.
const EVENTS: &str = "--field-selector=reason=EnvironmentChanged,involvedObject.kind=Namespace";

/// A body that goes on for ever, and a connection that has left HTTP.
const STREAMS: [(&str, &[&str]); 2] = [("events", &[]), ("socket", &["--upgrade=websocket"])];

fn stream(name: &str, upgrade: &[&str]) -> Value {
    let call = ["stream", "http://localhost:2733/payments/stream"];
    let mut spec = restricted_pod(&[&call, upgrade].concat());
    spec["restartPolicy"] = json!("Never");
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

fn until_begun(branch: &Branch<'_>, pod: &str) -> Result<()> {
    let said = until("the stream", PATIENCE, || {
        let log = branch
            .kubectl(&["logs", pod, "-c", APP])
            .unwrap_or_default();
        Ok(log.lines().next().map(str::to_owned))
    })?;
    let said: Value = serde_json::from_str(&said)?;
    let head = said["head"].as_str().unwrap_or_default();
    ensure!(
        head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 101"),
        "{pod} is answered {head}"
    );
    Ok(())
}

/// When a stream was cut, in milliseconds since 1970.
fn ended(branch: &Branch<'_>, pod: &str) -> Result<u64> {
    branch.wait_for(&format!("pod/{pod}"), "jsonpath={.status.phase}=Succeeded")?;
    let log = branch.kubectl(&["logs", pod, "-c", APP])?;
    let end: Value = serde_json::from_str(log.lines().last().unwrap_or_default())?;
    end["ended"].as_u64().context("the time of its end")
}

fn promoter() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "promoter"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "credence-promote"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": EDITOR}],
    })
}

fn relabel(branch: &Branch<'_>, environment: &str) -> Result<String> {
    let label = format!("credence.dev/environment={environment}");
    let namespace = branch.namespace();
    branch.kubectl(&[
        "--as",
        EDITOR,
        "label",
        "namespace",
        namespace,
        "--overwrite",
        &label,
    ])
}
