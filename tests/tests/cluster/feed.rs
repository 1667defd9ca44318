//! Who is given a bundle, and what is in it.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_core::names::{AUDIENCE, CONTAINER, FEED_PORT};
use credence_tests::bound_token;
use credence_tests::feed::{Answer, Recording, connect};
use credence_tests::image::SIDECAR;
use credence_tests::shop::{APIS, APP, DEVELOPMENT, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::suspension::Suspension;
use serde_json::json;

use crate::case::Case;
use crate::rotation::until_identity;
use crate::runner::note;

/// Whoever tests the feed connects as a sidecar does.
const REACH: &str = "the addresses of pods are not reached from this machine";

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "a development feed never holds a live key",
        a_development_feed_never_holds_a_live_key,
    )
    .here(REACH),
    Case::alone("strangers are refused by the feed", strangers_are_refused).here(REACH),
    Case::alone(
        "a pod gets what it may use and no more",
        a_pod_gets_what_it_may_use_and_no_more,
    )
    .here(REACH),
];

/// What keeps strangers from having a token at all.
const POLICIES: [&str; 2] = ["credence-token-requests", "credence-sidecar-token"];

/// The whole feed of a development pod, recorded while Secrets of both
/// environments change: the development keys come, and no live one ever does.
fn a_development_feed_never_holds_a_live_key(shop: &Shop) -> Result<()> {
    let recording = stream(shop, &shop.app(DEVELOPMENT)?)?;
    let holds = |name: &str| {
        let key = shop.key(name).to_owned();
        move |text: &str| text.contains(&key)
    };
    recording.wait_until(PATIENCE, holds("payments-dev"))?;
    // A change of the live Secret must not bring it in.
    shop.write_secret(
        DEVELOPMENT,
        "payments-live",
        "api-key",
        shop.key("weather-live"),
    )?;
    shop.write_secret(
        DEVELOPMENT,
        "payments-dev",
        "api-key",
        shop.key("payments-rotated"),
    )?;
    recording.wait_until(PATIENCE, holds("payments-rotated"))?;
    shop.write_secret(
        DEVELOPMENT,
        "payments-live",
        "api-key",
        shop.key("payments-live"),
    )?;
    shop.write_secret(
        DEVELOPMENT,
        "payments-dev",
        "api-key",
        shop.key("payments-dev"),
    )?;
    until_identity(shop, "payments dev")?;
    recording.keep("development")?;
    let text = recording.text();
    for api in APIS {
        let (_, secret) = shop
            .key(&format!("{api}-live"))
            .split_once(':')
            .unwrap_or_else(|| ("", shop.key(&format!("{api}-live"))));
        let encoded = BASE64_STANDARD.encode(shop.key(&format!("{api}-live")));
        ensure!(
            !text.contains(secret) && !text.contains(&encoded),
            "the feed held the live key of {api}"
        );
    }
    note(format!("{} bytes recorded", text.len()));
    Ok(())
}

/// No token, a token for another audience or for no pod, a pod that is
/// finished, was replaced, or lacks the sidecar: refused.
fn strangers_are_refused(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let app = shop.app(DEVELOPMENT)?;
    refused(shop, None, 401, "no token")?;
    refused(shop, Some("not.a.token"), 401, "not a token")?;
    let other = token(
        shop,
        &[
            "--bound-object-kind=Pod",
            &format!("--bound-object-name={app}"),
        ],
    )?;
    refused(shop, Some(&other), 401, "another audience")?;
    // The API server lets nobody get this far. The feed does not rely on it.
    let _suspension = Suspension::of(kubectl, &POLICIES)?;
    let unbound = credence_tests::wait::until("a token for a user", PATIENCE, || {
        Ok(token(shop, &["--audience=credence"]).ok())
    })?;
    refused(shop, Some(&unbound), 403, "no pod")?;

    let pod = |name: &str, arguments: &[&str], inject: &str| {
        let mut spec = restricted_pod(arguments);
        spec["restartPolicy"] = json!("Never");
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": DEVELOPMENT, "labels": {"credence.dev/inject": inject}},
            "spec": spec,
        })
        .to_string()
    };
    kubectl.apply(&pod("plain", &["hold"], "false"))?;
    kubectl.apply(&pod("finished", &["env"], "true"))?;
    kubectl.apply(&pod("replaced", &["hold"], "true"))?;
    shop.wait_for(DEVELOPMENT, "pod/plain", "condition=Ready")?;
    refused(
        shop,
        Some(&pod_token(shop, "plain")?),
        403,
        "a pod without the sidecar",
    )?;

    credence_tests::wait::until("a pod with a thief", PATIENCE, || {
        Ok(kubectl.apply(&thief().to_string()).ok())
    })?;
    refused(
        shop,
        Some(&pod_token(shop, "thief")?),
        403,
        "a pod whose app can read the token too",
    )?;

    shop.wait_for(DEVELOPMENT, "pod/replaced", "condition=Ready")?;
    let old = pod_token(shop, "replaced")?;
    drop(
        open(shop, Some(&old))
            .and_then(streaming)
            .context("before it was replaced")?,
    );
    kubectl.run(&[
        "-n",
        DEVELOPMENT,
        "delete",
        "pod",
        "replaced",
        "--grace-period=0",
        "--force",
    ])?;
    kubectl.apply(&pod("replaced", &["hold"], "true"))?;
    shop.wait_for(DEVELOPMENT, "pod/replaced", "condition=Ready")?;
    // The replica remembers what the API server said of the token: it is the
    // pod that tells.
    refused(shop, Some(&old), 403, "a pod with another uid")?;

    shop.wait_for(
        DEVELOPMENT,
        "pod/finished",
        "jsonpath={.status.phase}=Succeeded",
    )?;
    refused(
        shop,
        Some(&pod_token(shop, "finished")?),
        403,
        "a pod that is finished",
    )?;
    kubectl.run(&[
        "-n",
        DEVELOPMENT,
        "delete",
        "pod",
        "plain",
        "thief",
        "finished",
        "replaced",
        "--wait=false",
    ])?;
    Ok(())
}

/// Opted out of injection, with a sidecar put in by hand and its token in the
/// app as well.
fn thief() -> serde_json::Value {
    let mut spec = restricted_pod(&["hold"]);
    let mounts = json!([{"name": "token", "mountPath": "/token", "readOnly": true}]);
    let mut sidecar = spec["containers"][0].clone();
    sidecar["name"] = json!(CONTAINER);
    sidecar["image"] = json!(SIDECAR);
    sidecar["restartPolicy"] = json!("Always");
    sidecar["volumeMounts"] = mounts.clone();
    sidecar["args"] = json!(null);
    spec["containers"][0]["volumeMounts"] = mounts;
    spec["initContainers"] = json!([sidecar]);
    spec["volumes"] = json!([{
        "name": "token",
        "projected": {"sources": [{"serviceAccountToken": {"audience": AUDIENCE, "path": "token"}}]},
    }]);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "thief", "namespace": DEVELOPMENT, "labels": {"credence.dev/inject": "false"}},
        "spec": spec,
    })
}

/// A pod gets what its annotation names, of what its ServiceAccount may use.
fn a_pod_gets_what_it_may_use_and_no_more(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let access = r#"{"spec":{"access":{"serviceAccounts":["clerk"]}}}"#;
    let patch = [
        "-n",
        DEVELOPMENT,
        "patch",
        "apicollection",
        "reports",
        "--type=merge",
        "-p",
    ];
    kubectl.run(&[&patch[..], &[access]].concat())?;
    credence_tests::wait::until("reports to be withdrawn", PATIENCE, || {
        Ok((shop.call(DEVELOPMENT, "/reports/x")?["status"] == 404).then_some(()))
    })?;
    let index = shop.call(DEVELOPMENT, "/")?;
    ensure!(
        !index["body"]
            .as_str()
            .unwrap_or_default()
            .contains("reports"),
        "the index tells of it: {index}"
    );
    kubectl.run(&[&patch[..], &[r#"{"spec":{"access":null}}"#]].concat())?;

    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "choosy", "namespace": DEVELOPMENT, "annotations": {"credence.dev/collections": "weather"}},
        "spec": restricted_pod(&["hold"]),
    });
    kubectl.apply(&pod.to_string())?;
    shop.wait_for(DEVELOPMENT, "pod/choosy", "condition=Ready")?;
    let recording = stream(shop, "choosy")?;
    recording.wait_until(PATIENCE, |text| text.contains(shop.key("weather-dev")))?;
    ensure!(
        !recording.text().contains(shop.key("payments-dev")),
        "it was given payments"
    );
    recording.keep("choosy")?;
    let url = "http://localhost:2733/payments/x";
    let answer = kubectl.exec(DEVELOPMENT, "choosy", APP, &["/probe", "call", url])?;
    crate::calls::expect(&serde_json::from_str(&answer)?, 404, "unknown-collection")?;
    kubectl.run(&["-n", DEVELOPMENT, "delete", "pod", "choosy", "--wait=false"])?;
    Ok(())
}

/// By 401 where the API server does not know the token, by 403 where it does.
fn refused(shop: &Shop, token: Option<&str>, wanted: u16, what: &str) -> Result<()> {
    match open(shop, token)? {
        Answer::Refused { status, .. } => {
            ensure!(
                status == wanted,
                "{what}: refused with {status} and not {wanted}"
            );
            Ok(())
        }
        Answer::Stream(_) => bail!("{what} was given a feed"),
    }
}

fn stream(shop: &Shop, pod: &str) -> Result<Recording> {
    let token = bound_token::of_pod(shop.cluster().kubectl(), DEVELOPMENT, pod)?;
    streaming(open(shop, Some(&token))?)
}

fn streaming(answer: Answer) -> Result<Recording> {
    match answer {
        Answer::Stream(recording) => Ok(recording),
        Answer::Refused { status, body } => bail!("refused with {status}: {body}"),
    }
}

/// As a sidecar connects, to one of the replicas.
fn open(shop: &Shop, token: Option<&str>) -> Result<Answer> {
    let kubectl = shop.cluster().kubectl();
    let replica = kubectl.run(&[
        "-n",
        SYSTEM,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=credence-operator",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ])?;
    let root = kubectl.run(&[
        "get",
        "mutatingwebhookconfiguration",
        "credence-injector",
        "-o",
        "jsonpath={.webhooks[0].clientConfig.caBundle}",
    ])?;
    let root = String::from_utf8(BASE64_STANDARD.decode(root.trim())?)?;
    connect(
        SocketAddr::new(replica.trim().parse()?, FEED_PORT),
        &root,
        token,
    )
}

/// As an administrator gets it, while the policies are suspended.
fn pod_token(shop: &Shop, pod: &str) -> Result<String> {
    let name = format!("--bound-object-name={pod}");
    token(
        shop,
        &["--audience=credence", "--bound-object-kind=Pod", &name],
    )
}

/// A real token of the ServiceAccount `default`.
fn token(shop: &Shop, arguments: &[&str]) -> Result<String> {
    let create = [
        "-n",
        DEVELOPMENT,
        "create",
        "token",
        "default",
        "--duration=10m",
    ];
    Ok(shop
        .cluster()
        .kubectl()
        .run(&[&create, arguments].concat())?
        .trim()
        .to_owned())
}
