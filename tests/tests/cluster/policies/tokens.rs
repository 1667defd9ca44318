//! The token for the feed is the sidecar's.

use anyhow::{Context, Result, ensure};
use credence_core::names::{AUDIENCE, CONTAINER, TOKEN_VOLUME};
use credence_tests::bound_token;
use credence_tests::image::{PROBE, SIDECAR};
use credence_tests::shop::{DEVELOPMENT, Shop, restricted_pod};
use serde_json::{Value, json};

use super::{Namespace, accepted, refused_by};

const POLICY: &str = "credence-sidecar-token";

/// Not at birth, not by another image later, and not by a container that joins
/// a running pod.
pub(super) fn only_the_sidecar_holds_the_token(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let namespace = Namespace::new(kubectl, "token-holders", &json!({}))?;
    let create = [
        "-n",
        namespace.name,
        "create",
        "--dry-run=server",
        "-f",
        "-",
    ];
    for (what, pod) in thieves() {
        let said = refused_by(kubectl, POLICY, &create, &pod).with_context(|| what)?;
        ensure!(said.contains("volume mount"), "{what}: {said}");
    }
    let by_hand = pod(&json!({}), &sidecar(&json!({})));
    accepted(kubectl, &create, &by_hand)?;
    // Somebody else's token is nobody's business.
    let mut other = pod(&json!({"volumeMounts": mounts()}), &json!(null));
    other["spec"]["volumes"] = volume("vault");
    accepted(kubectl, &create, &other)?;
    running(shop)
}

/// A pod that the injector made.
fn running(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let app = shop.app(DEVELOPMENT)?;
    let of = ["-n", DEVELOPMENT, "patch", "pod", &app];
    let patch = |subresource: &[&str], patch: &Value| {
        let patch = patch.to_string();
        let how = ["--type=strategic", "--dry-run=server", "-p", &patch];
        let call = [&of[..], subresource, &how].concat();
        refused_by(kubectl, POLICY, &call, &Value::Null)
    };
    let image = json!({"spec": {"initContainers": [{"name": CONTAINER, "image": PROBE}]}});
    patch(&[], &image)?;
    let ephemeral = ["--subresource=ephemeralcontainers"];
    let joining = |container: &Value| json!({"spec": {"ephemeralContainers": [container]}});
    // As Pod Security demands it here.
    let debugger = |member: &str, value: Value| {
        let mut debugger = restricted_pod(&["hold"])["containers"][0].clone();
        debugger["name"] = json!("debug");
        debugger[member] = value;
        debugger
    };
    let mount = json!([{"name": TOKEN_VOLUME, "mountPath": "/token"}]);
    let mounting = debugger("volumeMounts", mount);
    patch(&ephemeral, &joining(&mounting))?;
    let watching = debugger("targetContainerName", json!(CONTAINER));
    let said = patch(&ephemeral, &joining(&watching))?;
    ensure!(said.contains("2734"), "it does not say what to do: {said}");
    let label = [&of[..2], &["label", "pod", &app, "seen=yes"]].concat();
    kubectl.run(&label)?;
    Ok(())
}

/// Neither an administrator nor a ServiceAccount that may ask for tokens gets
/// one for the feed; kubelets do.
pub(super) fn only_kubelets_get_tokens_for_the_feed(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let namespace = Namespace::new(kubectl, "token-requests", &json!({}))?;
    let builder = "system:serviceaccount:token-requests:default";
    namespace.allow(
        builder,
        &json!([{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]),
    )?;
    let create = ["-n", namespace.name, "create", "token", "default"];
    let mine = [&["--as", builder], &create[..]].concat();
    credence_tests::wait::until("the role", credence_tests::shop::PATIENCE, || {
        Ok(kubectl.run(&mine).ok())
    })?;
    let audience = format!("--audience={AUDIENCE}");
    for asking in [&mine[..], &create] {
        for more in [&[audience.as_str()][..], &["--audience=x", &audience]] {
            let call = [asking, more].concat();
            let said = refused_by(kubectl, "credence-token-requests", &call, &Value::Null)?;
            ensure!(said.contains("kubelets only"), "{said}");
        }
        kubectl.run(&[asking, &["--audience=x"]].concat())?;
    }
    let token = bound_token::of_pod(kubectl, DEVELOPMENT, &shop.app(DEVELOPMENT)?)?;
    ensure!(token.split('.').count() == 3, "not a token");
    Ok(())
}

/// Pods in which others than the sidecar would hold the token.
fn thieves() -> Vec<(&'static str, Value)> {
    let mounting = json!({"volumeMounts": mounts()});
    let beside = |change: Value| pod(&json!({}), &sidecar(&change));
    let mut named_alike = pod(&mounting, &json!(null));
    named_alike["spec"]["containers"][0]["name"] = json!(CONTAINER);
    named_alike["spec"]["containers"][0]["image"] = json!(SIDECAR);
    vec![
        ("the app alone", pod(&mounting, &json!(null))),
        ("the app as well", pod(&mounting, &sidecar(&json!({})))),
        ("an app of its name", named_alike),
        ("another image", beside(json!({"image": PROBE}))),
        (
            "an image whose name begins alike",
            beside(json!({"image": SIDECAR.replace("sidecar:", "sidecar-2:")})),
        ),
        ("another program", beside(json!({"command": ["/probe"]}))),
        ("other arguments", beside(json!({"args": ["env"]}))),
        ("another name", beside(json!({"name": "mine"}))),
        (
            "an init container that ends",
            beside(json!({"restartPolicy": null})),
        ),
    ]
}

fn pod(app: &Value, sidecar: &Value) -> Value {
    let mut spec = restricted_pod(&["hold"]);
    merge(&mut spec["containers"][0], app);
    if sidecar.is_object() {
        spec["initContainers"] = json!([sidecar]);
    }
    spec["volumes"] = volume(AUDIENCE);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "thief"}, "spec": spec})
}

fn sidecar(change: &Value) -> Value {
    let mut sidecar = json!({
        "name": CONTAINER, "image": SIDECAR, "restartPolicy": "Always", "volumeMounts": mounts(),
    });
    merge(&mut sidecar, change);
    sidecar
}

fn mounts() -> Value {
    json!([{"name": "token", "mountPath": "/token", "readOnly": true}])
}

fn volume(audience: &str) -> Value {
    let token = json!({"serviceAccountToken": {"audience": audience, "path": "token"}});
    json!([{"name": "token", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, token]}}])
}

fn merge(into: &mut Value, members: &Value) {
    for (name, value) in members.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
