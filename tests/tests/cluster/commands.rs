//! `credence token` and `credence call`, as a user runs them.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_tests::credence;
use credence_tests::shop::{Branch, Shop};
use serde_json::{Value, json};

use crate::case::Case;
use crate::tokens::{COLLECTION, OBJECT, open, pod};

pub(crate) const CASES: &[Case] = &[Case::parallel(
    "credence token tells of a token, and credence call is answered with it",
    a_token_is_told_of_and_called_with,
)];

/// Neither shows the token.
fn a_token_is_told_of_and_called_with(shop: &Shop) -> Result<()> {
    let binary = credence::build(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    shop.with_branch("commands", Environment::Development, |branch| {
        let _issuer = open(branch, shop.secret("client"))?;
        pod(branch)?;
        branch.wait_for(OBJECT, "condition=Ready")?;
        let run = |arguments: &[&str]| run(&binary, branch, arguments);

        let told = run(&["token", COLLECTION, "--output", "json"])?;
        ensure!(told.status.success(), "{told:?}");
        let report: Value = serde_json::from_slice(&told.stdout)?;
        ensure!(report["ready"] == true, "{report}");
        let token = &report["tokens"][0];
        ensure!(token["environment"] == "development", "{report}");
        ensure!(token["expiresAt"].is_string(), "{report}");
        let absent = run(&["token", "absent"])?;
        ensure!(absent.status.code() == Some(1), "{absent:?}");

        let answered = run(&["call", COLLECTION, "/x", "--include"])?;
        ensure!(answered.status.success(), "{answered:?}");
        let answer = json!({"answer": "machine app"}).to_string();
        ensure!(
            String::from_utf8_lossy(&answered.stdout).ends_with(&answer),
            "{answered:?}"
        );
        for Output { stdout, stderr, .. } in [told, answered] {
            let shown = [stdout, stderr].concat();
            let shown = String::from_utf8_lossy(&shown);
            ensure!(!shown.contains(shop.secret("issued")), "the token is shown");
        }
        Ok(())
    })
}

fn run(binary: &Path, branch: &Branch<'_>, arguments: &[&str]) -> Result<Output> {
    Command::new(binary)
        .args(arguments)
        .args(["--namespace", branch.namespace(), "--kubeconfig"])
        .arg(branch.shop().cluster().kubectl().kubeconfig())
        .output()
        .context("starting credence")
}
