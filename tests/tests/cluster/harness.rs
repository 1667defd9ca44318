//! What everything else stands on: that the cluster does what a cluster does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_tests::image::PROBE;
use credence_tests::pki::Authority;
use credence_tests::shop::Shop;
use credence_tests::{Cluster, collect, leaks, wait};
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[Case::parallel(
    "a restricted pod has a sidecar, names, Services and a token with an audience",
    a_restricted_pod_has_all_that_a_sidecar_needs,
)];

const NAMESPACE: &str = "harness";
const KEY: &str = "let-me-in-4711";
const PATIENCE: Duration = Duration::from_secs(60);

/// Pod Security `restricted` lets a pod with a native sidecar run; its Service
/// is reached by name from another pod and from itself; its projected token
/// is valid for its audience and no other.
fn a_restricted_pod_has_all_that_a_sidecar_needs(shop: &Shop) -> Result<()> {
    let cluster = shop.cluster();
    let kubectl = cluster.kubectl();
    let authority = Authority::new("harness")?;
    kubectl.apply(&manifests(&authority)?)?;
    for pod in ["pod/shop", "pod/caller"] {
        kubectl.wait(NAMESPACE, pod, "condition=Ready", PATIENCE)?;
    }

    let url = format!("https://shop.{NAMESPACE}.svc.cluster.local/v1?key={KEY}");
    let call = ["/probe", "call", "--ca", "/var/run/ca/ca.crt", &url];
    for pod in ["caller", "shop"] {
        // The Service is there a moment after the pod behind it is ready.
        let answer = wait::until("the Service", PATIENCE, || {
            Ok(kubectl.exec(NAMESPACE, pod, "app", &call).ok())
        })?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer["status"] == 200, "{pod} is answered {answer}");
    }

    let token = kubectl.exec(
        NAMESPACE,
        "shop",
        "side",
        &["/probe", "cat", "/var/run/token/token"],
    )?;
    ensure!(
        review(cluster, &token, "harness")?,
        "the token is good for its audience"
    );
    ensure!(
        !review(cluster, &token, "https://kubernetes.default.svc")?,
        "and for no other"
    );
    a_secret_on_a_command_line_is_found(cluster)?;
    kubectl.run(&["delete", "namespace", NAMESPACE, "--wait=false"])?;
    Ok(())
}

/// The key stood in the arguments of a program that the API server was asked
/// to run, so the audit log must hold it: what is collected is whole, and what
/// is searched for is found.
fn a_secret_on_a_command_line_is_found(cluster: &Cluster) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("harness");
    collect::collect(cluster, &folder)?;
    let found = leaks::leaks(&folder, &[KEY, "planted nowhere"])?;
    if cluster.state().is_some() {
        let audit = Path::new("node/log/audit.log");
        ensure!(
            found
                .iter()
                .any(|leak| leak.secret == 0 && leak.file == audit),
            "found only {found:?}"
        );
    }
    ensure!(found.iter().all(|leak| leak.secret == 0), "found {found:?}");
    Ok(())
}

fn review(cluster: &Cluster, token: &str, audience: &str) -> Result<bool> {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    });
    let output = cluster
        .kubectl()
        .output_with_input(&["create", "-f", "-", "-o", "json"], &review.to_string())?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok(answer["status"]["authenticated"] == true)
}

fn manifests(authority: &Authority) -> Result<String> {
    let name = format!("shop.{NAMESPACE}.svc.cluster.local");
    let server = authority.server("shop", &[&name], &[])?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": NAMESPACE},
        "data": {
            "tls.crt": BASE64_STANDARD.encode(&server.certificate),
            "tls.key": BASE64_STANDARD.encode(&server.key),
            "answers.json": BASE64_STANDARD.encode(json!({KEY: "welcome"}).to_string()),
        },
    });
    let roots = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roots", "namespace": NAMESPACE},
        "data": {"ca.crt": authority.certificate()},
    });
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 443, "targetPort": 8443}]},
    });
    let mut shop = pod("shop");
    let side = json!({
        "name": "side",
        "image": PROBE,
        "restartPolicy": "Always",
        "args": ["provider", "--certificate=/var/run/shop/tls.crt", "--key=/var/run/shop/tls.key", "--answers=/var/run/shop/answers.json"],
        "startupProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1, "failureThreshold": 60},
        "securityContext": restricted(),
        "volumeMounts": [
            {"name": "shop", "mountPath": "/var/run/shop", "readOnly": true},
            {"name": "token", "mountPath": "/var/run/token", "readOnly": true},
        ],
    });
    shop["spec"]["initContainers"] = json!([side]);
    let volumes = shop["spec"]["volumes"].as_array_mut().context("a list")?;
    volumes.push(json!({"name": "shop", "secret": {"secretName": "shop"}}));
    volumes.push(json!({
        "name": "token",
        "projected": {"sources": [{"serviceAccountToken": {"audience": "harness", "expirationSeconds": 600, "path": "token"}}]},
    }));
    let objects = [namespace, secret, roots, service, shop, pod("caller")];
    Ok(objects.map(|object| object.to_string()).join("\n---\n"))
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "app",
                "image": PROBE,
                "args": ["hold"],
                "securityContext": restricted(),
                "volumeMounts": [{"name": "roots", "mountPath": "/var/run/ca", "readOnly": true}],
            }],
            "volumes": [{"name": "roots", "configMap": {"name": "roots"}}],
        },
    })
}

fn restricted() -> Value {
    json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true})
}
