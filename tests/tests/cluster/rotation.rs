//! Secrets that change.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use credence_tests::shop::{APP, DEVELOPMENT, Shop};
use serde_json::Value;

use crate::calls::expect;

/// A Secret is edited while its key is in use: the new key is used within a
/// second, and no call fails.
pub(crate) fn an_edited_secret_is_used_within_a_second_and_fails_no_call(
    shop: &Shop,
) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let app = shop.app(DEVELOPMENT)?;
    let url = "http://localhost:2733/payments/charges";
    let load = kubectl
        .command(&[
            "-n",
            DEVELOPMENT,
            "exec",
            &app,
            "-c",
            APP,
            "--",
            "/probe",
            "load",
            url,
            "--seconds",
            "8",
            "--connections",
            "4",
            "--rest",
            "2",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    // The load must have begun: the provider counts its calls.
    let answered = |shop: &Shop| -> Result<u64> {
        Ok(shop.counters()?["answered"]["payments dev"]
            .as_u64()
            .unwrap_or_default())
    };
    let start = answered(shop)?;
    credence_tests::wait::until("calls under load", credence_tests::shop::PATIENCE, || {
        Ok((answered(shop)? > start + 20).then_some(()))
    })?;
    let edited = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    shop.write_secret(
        DEVELOPMENT,
        "payments-dev",
        "api-key",
        shop.key("payments-rotated"),
    )?;
    let output = load.wait_with_output()?;
    let report: Value = serde_json::from_slice(&output.stdout).context("the load's report")?;
    let outcomes = report["outcomes"].as_array().context("outcomes")?;
    let mut first_new = None;
    let mut last_old = 0;
    for outcome in outcomes {
        if outcome["status"] != 200 {
            bail!("calls failed: {report:#}");
        }
        let body = outcome["body"].as_str().unwrap_or_default();
        if body.contains("payments rotated") {
            first_new = outcome["first"].as_u64();
        } else {
            last_old = outcome["last"].as_u64().unwrap_or_default();
        }
    }
    let first_new =
        u128::from(first_new.with_context(|| format!("the new key was never used: {report:#}"))?);
    let (first, last) = (
        first_new.saturating_sub(edited),
        u128::from(last_old).saturating_sub(edited),
    );
    println!(
        "        {} calls, none failed; new key after {first} ms, old key until {last} ms",
        report["calls"]
    );
    ensure!(
        first < 1000 && last < 1000,
        "an edit took {first} ms to be used, {last} ms to be everywhere"
    );
    shop.write_secret(
        DEVELOPMENT,
        "payments-dev",
        "api-key",
        shop.key("payments-dev"),
    )?;
    until_identity(shop, "payments dev")
}

/// A deleted Secret stops calls with an error and a condition that says so;
/// written again, they go on.
pub(crate) fn a_deleted_secret_is_an_error_and_a_condition(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    kubectl.run(&["-n", DEVELOPMENT, "delete", "secret", "payments-dev"])?;
    credence_tests::wait::until(
        "calls to be refused",
        credence_tests::shop::PATIENCE,
        || Ok((shop.call(DEVELOPMENT, "/payments/x")?["status"] == 503).then_some(())),
    )?;
    let before = shop.counters()?;
    expect(
        &shop.call(DEVELOPMENT, "/payments/x")?,
        503,
        "credentials-missing",
    )?;
    ensure!(
        before == shop.counters()?,
        "a call without a credential was sent"
    );
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "condition=CredentialsResolved=false",
    )?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/payments",
        "condition=Ready=false",
    )?;
    let object = kubectl.json(&["-n", DEVELOPMENT, "get", "apicollection", "payments"])?;
    let conditions = object["status"]["conditions"]
        .as_array()
        .context("conditions")?;
    let resolved = conditions
        .iter()
        .find(|condition| condition["type"] == "CredentialsResolved");
    let resolved = resolved.context("CredentialsResolved")?;
    ensure!(resolved["reason"] == "SecretNotFound", "{resolved}");
    let message = resolved["message"].as_str().unwrap_or_default();
    ensure!(message.contains("\"payments-dev\""), "{message}");
    // The other collections of the pod are not touched by it.
    ensure!(
        shop.identity(DEVELOPMENT, "/weather/x")? == "weather dev",
        "weather stopped too"
    );
    shop.write_secret(
        DEVELOPMENT,
        "payments-dev",
        "api-key",
        shop.key("payments-dev"),
    )?;
    until_identity(shop, "payments dev")?;
    shop.wait_for(DEVELOPMENT, "apicollection/payments", "condition=Ready")
}

pub(crate) fn until_identity(shop: &Shop, wanted: &str) -> Result<()> {
    credence_tests::wait::until(wanted, credence_tests::shop::PATIENCE, || {
        let answer = shop.call(DEVELOPMENT, "/payments/x")?;
        Ok(answer["body"]
            .as_str()
            .unwrap_or_default()
            .contains(wanted)
            .then_some(()))
    })
}
