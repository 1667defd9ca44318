//! The operator is gone for a while.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use credence_tests::shop::{APP, LIVE, SYSTEM, Shop};
use serde_json::Value;

/// All replicas are killed while calls are made: no call fails. When they are
/// back, changes arrive again.
pub(crate) fn calls_go_on_while_the_operator_is_killed(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let app = shop.app(LIVE)?;
    let load = kubectl
        .command(&[
            "-n",
            LIVE,
            "exec",
            &app,
            "-c",
            APP,
            "--",
            "/probe",
            "load",
            "http://localhost:2733/payments/x",
            "--seconds",
            "10",
            "--rest",
            "5",
        ])
        .stdout(Stdio::piped())
        .spawn()?;
    kubectl.run(&[
        "-n",
        SYSTEM,
        "delete",
        "pods",
        "--all",
        "--grace-period=0",
        "--force",
    ])?;
    let output = load.wait_with_output()?;
    let report: Value = serde_json::from_slice(&output.stdout).context("the load's report")?;
    let outcomes = report["outcomes"].as_array().context("outcomes")?;
    ensure!(
        outcomes.iter().all(|outcome| outcome["status"] == 200),
        "calls failed: {report:#}"
    );
    ensure!(
        report["calls"].as_u64() > Some(100),
        "hardly any calls: {report:#}"
    );
    println!("        {} calls, none failed", report["calls"]);
    shop.wait_for(
        SYSTEM,
        "deployment/credence-operator",
        "condition=Available",
    )?;
    shop.write_secret(
        LIVE,
        "payments-live",
        "api-key",
        shop.key("payments-rotated"),
    )?;
    credence_tests::wait::until("the rotated key", credence_tests::shop::PATIENCE, || {
        Ok((shop.identity(LIVE, "/payments/x")? == "payments rotated").then_some(()))
    })?;
    shop.write_secret(LIVE, "payments-live", "api-key", shop.key("payments-live"))
}
