//! Tokens of the cluster that are exchanged for others.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_core::Environment;
use credence_tests::shop::{Branch, Issuer, PATIENCE, SYSTEM, Shop};
use credence_tests::wait::until;
use serde_json::{Value, json};

use crate::calls::expect;
use crate::case::Case;
use crate::tokens::{condition, pod, unharmed};

pub(crate) const CASES: &[Case] = &[Case::parallel(
    "a token of the cluster is exchanged and no secret is stored",
    a_token_of_the_cluster_is_exchanged_and_no_secret_is_stored,
)];

const COLLECTION: &str = "machine";
const OBJECT: &str = "apicollection/machine";
const ACCOUNT: &str = "reporter";
const CLIENT: &str = "system:serviceaccount:exchange:reporter";
/// What an API server's own tokens are for, unless it is told otherwise.
const CLUSTER: &str = "https://kubernetes.default.svc";

/// What is missing is told; with a ServiceAccount calls are made as whom its
/// token names; and a token that the cluster itself would take is sent nowhere.
fn a_token_of_the_cluster_is_exchanged_and_no_secret_is_stored(shop: &Shop) -> Result<()> {
    shop.with_branch("exchange", Environment::Development, |branch| {
        allow(branch)?;
        let clients = json!({CLIENT: {
            "secrets": [], "identity": "the reporter", "lifetimeSeconds": 20,
        }});
        let issuer = Issuer::start(branch, &clients)?;
        let auth = json!({"tokenExchange": {
            "serviceAccountToken": {"name": ACCOUNT, "audience": "probe-issuer"},
        }});
        let mut collection = issuer.collection(COLLECTION, &auth);
        let settings = collection["spec"]["development"].as_object_mut();
        settings.context("settings")?.remove("secretRef");
        branch.apply(&[collection])?;
        missing(branch, "there is no such ServiceAccount")?;

        branch.kubectl(&["create", "serviceaccount", ACCOUNT])?;
        // Another order is tried at once.
        change(branch, &json!({"expirationSeconds": 600}))?;
        branch.wait_for(OBJECT, "condition=TokenReady")?;
        let pod = pod(branch)?;
        let answer = until("a call to be answered", PATIENCE, || {
            let answer = branch.call(pod, "/machine/x")?;
            Ok((answer["status"] == 200).then_some(answer))
        })?;
        ensure!(answer.to_string().contains("the reporter"), "{answer}");
        until("another token", PATIENCE, || {
            Ok((issuer.count(CLIENT, "issued")? >= 2).then_some(()))
        })?;
        ensure!(issuer.count(CLIENT, "refused")? == 0, "it refused one");
        nothing_is_kept(shop)?;

        change(branch, &json!({"audience": CLUSTER}))?;
        missing(
            branch,
            "the API server itself accepts tokens for that audience",
        )?;
        let refused = until("calls to be refused", PATIENCE, || {
            let answer = branch.call(pod, "/machine/x")?;
            Ok((answer["status"] != 200).then_some(answer))
        })?;
        expect(&refused, 503, "token-unavailable")?;
        let counters = issuer.counters()?;
        ensure!(counters["clients"][""].is_null(), "it was sent: {counters}");
        unharmed(&issuer)?;
        // Before the right to ask goes with the namespace.
        branch.kubectl(&["delete", OBJECT]).map(drop)
    })
}

/// What the chart's value `serviceAccountTokens` gives, once it is in force.
fn allow(branch: &Branch<'_>) -> Result<()> {
    let named = |kind: &str, more: Value| {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": "credence-tokens"},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            object[name] = value.clone();
        }
        object
    };
    let rule = json!({"apiGroups": [""], "resources": ["serviceaccounts/token"],
        "resourceNames": [ACCOUNT], "verbs": ["create"]});
    branch.apply(&[
        named("Role", json!({"rules": [rule]})),
        named(
            "RoleBinding",
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                    "name": "credence-tokens"},
                "subjects": [{"kind": "ServiceAccount", "name": "credence-operator",
                    "namespace": SYSTEM}],
            }),
        ),
    ])?;
    let operator = format!("--as=system:serviceaccount:{SYSTEM}:credence-operator");
    let account = format!("serviceaccounts/{ACCOUNT}");
    let may = [
        "auth",
        "can-i",
        "create",
        &account,
        "--subresource=token",
        &operator,
    ];
    until("the role", PATIENCE, || {
        Ok(branch.kubectl(&may).ok().map(drop))
    })
}

fn change(branch: &Branch<'_>, members: &Value) -> Result<()> {
    let patch = json!({"spec": {"auth": {"tokenExchange": {"serviceAccountToken": members}}}});
    let patch = patch.to_string();
    branch.kubectl(&["patch", OBJECT, "--type=merge", "-p", &patch])?;
    Ok(())
}

fn missing(branch: &Branch<'_>, cause: &str) -> Result<()> {
    until(cause, PATIENCE, || {
        let told = condition(branch, COLLECTION, "TokenReady").ok();
        let told = told.filter(|told| told["reason"] == "ServiceAccountTokenMissing");
        let message = told.as_ref().and_then(|told| told["message"].as_str());
        Ok(message.filter(|text| text.contains(cause)).map(drop))
    })
}

/// Nothing that begins like a JSON Web Token is in the state of its token.
fn nothing_is_kept(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let kind = "--field-selector=type=credence.dev/token";
    let list = kubectl.json(&["-n", SYSTEM, "get", "secrets", kind])?;
    let secrets = list["items"].as_array().context("Secrets")?.iter();
    let of = |secret: &&Value| secret.to_string().contains("\"exchange/machine\"");
    let secrets: Vec<_> = secrets.filter(of).collect();
    ensure!(!secrets.is_empty(), "no state at all");
    for secret in secrets {
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let value = STANDARD.decode(value.as_str().unwrap_or_default())?;
            let held = String::from_utf8_lossy(&value).contains("eyJ");
            ensure!(!held, "{key} of {}", secret["metadata"]["name"]);
        }
    }
    Ok(())
}
