//! What an app is answered.

use anyhow::{Result, ensure};
use credence_tests::image::SIDECAR;
use credence_tests::shop::{APIS, APP, DEVELOPMENT, LIVE, ORPHAN, PROVIDER, Shop, restricted_pod};
use serde_json::{Value, json};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "each namespace gets its own key, by every method",
        each_namespace_gets_its_own_key,
    ),
    Case::parallel("a Job calls and completes", a_job_calls_and_completes),
    Case::parallel("the status counts sidecars", the_status_counts_sidecars),
    // It compares what the provider counts.
    Case::alone(
        "what cannot be authenticated is never sent",
        what_cannot_be_authenticated_is_never_sent,
    ),
];

/// The same manifests in two namespaces: each gets its own key, by every
/// method.
fn each_namespace_gets_its_own_key(shop: &Shop) -> Result<()> {
    for (namespace, environment) in [(DEVELOPMENT, "dev"), (LIVE, "live")] {
        for api in APIS {
            let identity = shop.identity(namespace, &format!("/{api}/charges?limit=1"))?;
            ensure!(
                identity == format!("{api} {environment}"),
                "{api} in {namespace} is {identity}"
            );
        }
        let status = shop.cluster().kubectl().json(&[
            "-n",
            namespace,
            "get",
            "apicollection",
            "payments",
        ])?;
        let status = &status["status"];
        let expected = if namespace == LIVE {
            "Live"
        } else {
            "Development"
        };
        ensure!(status["environment"] == expected, "{status}");
        ensure!(status["method"] == "apiKey", "{status}");
        ensure!(
            status["environments"][0]["secretName"] == format!("payments-{environment}"),
            "{status}"
        );
    }
    Ok(())
}

/// The status counts the sidecars of both replicas.
fn the_status_counts_sidecars(shop: &Shop) -> Result<()> {
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "jsonpath={.status.sidecars.summary}=2/2",
    )?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "condition=Programmed",
    )?;
    let table = shop
        .cluster()
        .kubectl()
        .run(&["-n", DEVELOPMENT, "get", "apic", "-o", "wide"])?;
    for column in [
        "ENVIRONMENT",
        "METHOD",
        "READY",
        "REASON",
        "SIDECARS",
        "AGE",
    ] {
        ensure!(table.contains(column), "no column {column} in\n{table}");
    }
    Ok(())
}

/// The demo's Job makes its call and completes: a sidecar does not keep it
/// running, also where Pod Security is restricted.
fn a_job_calls_and_completes(shop: &Shop) -> Result<()> {
    for (namespace, wanted) in [(DEVELOPMENT, "payments dev"), (LIVE, "payments live")] {
        shop.wait_for(namespace, "job/call", "condition=Complete")?;
        let log = shop.cluster().kubectl().logs(namespace, "job/call", APP)?;
        ensure!(log.contains(wanted), "the job in {namespace} saw {log}");
    }
    Ok(())
}

/// Each mistake has an error of its own, and the provider hears of none.
fn what_cannot_be_authenticated_is_never_sent(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let orphan = json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
        "metadata": {"name": ORPHAN, "namespace": DEVELOPMENT},
        "spec": {
            "baseUrl": format!("https://provider.{PROVIDER}.svc"),
            "auth": {"apiKey": {"in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}"}},
            "development": {"secretRef": {"name": "nowhere"}},
        },
    });
    kubectl.apply(&orphan.to_string())?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/orphan",
        "condition=CredentialsResolved=false",
    )?;
    let pod = bundleless_pod(shop)?;

    shop.until_quiet()?;
    let before = shop.counters()?;
    expect(
        &shop.call(DEVELOPMENT, "/nonesuch/x")?,
        404,
        "unknown-collection",
    )?;
    expect(
        &shop.call(DEVELOPMENT, "/orphan/x")?,
        503,
        "credentials-missing",
    )?;
    let call = ["/probe", "call", "http://localhost:2733/payments/x"];
    let answer: Value = serde_json::from_str(&kubectl.exec("bundleless", &pod, APP, &call)?)?;
    expect(&answer, 503, "not-ready")?;
    let after = shop.counters()?;
    ensure!(
        before == after,
        "the provider was called: {before} became {after}"
    );

    kubectl.run(&["delete", "namespace", "bundleless", "--wait=false"])?;
    kubectl.run(&["-n", DEVELOPMENT, "delete", "apicollection", "orphan"])?;
    Ok(())
}

/// A sidecar that was put into a pod by hand, where no feed can be reached.
fn bundleless_pod(shop: &Shop) -> Result<String> {
    let mut spec = restricted_pod(&["hold"]);
    let sidecar = json!({
        "name": "sidecar", "image": SIDECAR,
        "env": [
            {"name": "CREDENCE_FEED", "value": "localhost:1"},
            {"name": "CREDENCE_FEED_CA", "value": credence_tests::pki::Authority::new("nobody")?.certificate()},
            {"name": "CREDENCE_TOKEN_FILE", "value": "/nowhere"},
        ],
        "readinessProbe": {"httpGet": {"path": "/livez", "port": 2734}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    if let Some(containers) = spec["containers"].as_array_mut() {
        containers.push(sidecar);
    }
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bundleless"}});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone", "namespace": "bundleless"}, "spec": spec,
    });
    shop.cluster()
        .kubectl()
        .apply(&format!("{namespace}\n---\n{pod}"))?;
    shop.wait_for("bundleless", "pod/alone", "condition=Ready")?;
    Ok("alone".to_owned())
}

/// The answer is one of the sidecar's own, with this status and slug.
pub(crate) fn expect(answer: &Value, status: u16, slug: &str) -> Result<()> {
    ensure!(
        answer["status"] == status,
        "expected {status} {slug}, and it is {answer}"
    );
    ensure!(
        answer["headers"]["credence-error"] == slug,
        "expected {slug}, and it is {answer}"
    );
    ensure!(
        answer["headers"]["content-type"] == "application/problem+json",
        "{answer}"
    );
    Ok(())
}
