//! What nobody may see or reach.

use std::collections::BTreeSet;

use crate::audit;
use crate::case::Case;
use anyhow::{Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_tests::shop::{APP, DEVELOPMENT, LIVE, SYSTEM, Shop};

pub(crate) const CASES: &[Case] = &[
    Case::parallel("the app holds no key", the_app_holds_no_key),
    Case::parallel(
        "the operator has no right beyond its need",
        the_operator_has_no_right_beyond_its_need,
    ),
    Case::parallel(
        "the proxy is reached from its own pod only",
        the_proxy_is_reached_from_its_own_pod_only,
    ),
    Case::last(
        "the live Secret is not read in development",
        the_live_secret_is_not_read_in_development,
    )
    .here(audit::ELSEWHERE),
];

/// The app's environment and files hold no key, and its ServiceAccount may
/// not read one.
fn the_app_holds_no_key(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    for namespace in [DEVELOPMENT, LIVE] {
        let app = shop.app(namespace)?;
        let environment = kubectl.exec(namespace, &app, APP, &["/probe", "env"])?;
        let files = kubectl.exec(namespace, &app, APP, &["/probe", "cat", "/"])?;
        ensure!(
            environment.contains("PAYMENTS_BASE_URL=http://localhost:2733/payments"),
            "{environment}"
        );
        ensure!(
            files.contains("/var/run/secrets/kubernetes.io"),
            "the files were not read"
        );
        for (place, text) in [("environment", &environment), ("files", &files)] {
            for secret in shop.planted() {
                let encoded = BASE64_STANDARD.encode(secret);
                ensure!(
                    !text.contains(secret) && !text.contains(&encoded),
                    "a key is in the app's {place}"
                );
            }
        }
        ensure!(
            !files.contains("/var/run/secrets/credence.dev"),
            "the feed's token is in the app's files"
        );
        let account = format!("system:serviceaccount:{namespace}:default");
        for verb in ["get", "list", "watch"] {
            may_not(shop, &account, &["-n", namespace, verb, "secrets"])?;
        }
    }
    Ok(())
}

/// The operator reads Secrets where it was allowed to, and nowhere else; it
/// writes none there.
fn the_operator_has_no_right_beyond_its_need(shop: &Shop) -> Result<()> {
    let account = format!("system:serviceaccount:{SYSTEM}:credence-operator");
    for namespace in ["default", "kube-system", "provider"] {
        may_not(shop, &account, &["-n", namespace, "get", "secrets"])?;
    }
    may_not(shop, &account, &["list", "secrets", "--all-namespaces"])?;
    for verb in ["create", "update", "patch", "delete"] {
        may_not(shop, &account, &["-n", LIVE, verb, "secrets"])?;
    }
    for verb in ["create", "update", "delete", "promote"] {
        may_not(
            shop,
            &account,
            &["-n", LIVE, verb, "apicollections.credence.dev"],
        )?;
    }
    may_not(shop, &account, &["-n", LIVE, "create", "pods"])?;
    let can = shop.cluster().kubectl().run(&[
        "auth", "can-i", "--as", &account, "-n", LIVE, "get", "secrets",
    ])?;
    ensure!(can.trim() == "yes", "it must read Secrets in {LIVE}");
    Ok(())
}

fn may_not(shop: &Shop, account: &str, what: &[&str]) -> Result<()> {
    let arguments = [&["auth", "can-i", "--as", account], what].concat();
    let output = shop.cluster().kubectl().output(&arguments)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        said.trim() == "no",
        "{account} may {}: {said}",
        what.join(" ")
    );
    Ok(())
}

/// Other pods do not reach the proxy.
fn the_proxy_is_reached_from_its_own_pod_only(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let address = kubectl.run(&[
        "-n",
        LIVE,
        "get",
        "pod",
        &shop.app(LIVE)?,
        "-o",
        "jsonpath={.status.podIP}",
    ])?;
    let url = format!("http://{address}:2733/payments/x");
    let call = [
        "-n",
        DEVELOPMENT,
        "exec",
        &shop.app(DEVELOPMENT)?,
        "-c",
        APP,
        "--",
        "/probe",
        "call",
        &url,
    ];
    let said = kubectl.refused(&call)?;
    ensure!(said.contains("onnect"), "not refused by the kernel: {said}");
    let metrics = format!("http://{address}:2734/metrics");
    let answer = shop.in_app(DEVELOPMENT, &["/probe", "call", &metrics])?;
    ensure!(
        answer["status"] == 200,
        "metrics are for everybody: {answer}"
    );
    let proxied = format!("http://{address}:2734/payments/x");
    let answer = shop.in_app(DEVELOPMENT, &["/probe", "call", &proxied])?;
    ensure!(
        answer["status"] == 404,
        "the metrics port does not proxy: {answer}"
    );
    Ok(())
}

/// The API server's audit log: in the development namespace the operator read
/// the development Secret, and no live one.
fn the_live_secret_is_not_read_in_development(shop: &Shop) -> Result<()> {
    let account = format!("system:serviceaccount:{SYSTEM}:credence-operator");
    let reads = audit::requests(shop, |request| {
        let object = &request["objectRef"];
        request["user"]["username"] == account.as_str()
            && object["resource"] == "secrets"
            && object["namespace"] == DEVELOPMENT
            && request["verb"] == "get"
    })?;
    let read: BTreeSet<&str> = reads
        .iter()
        .filter_map(|request| request["objectRef"]["name"].as_str())
        .collect();
    ensure!(
        read.contains("payments-dev"),
        "the audit log shows no read of payments-dev: {read:?}"
    );
    ensure!(
        !read.iter().any(|name| name.ends_with("-live")),
        "read in {DEVELOPMENT}: {read:?}"
    );
    Ok(())
}
