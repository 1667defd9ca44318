//! Secrets that change.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_tests::shop::{DEVELOPMENT, PATIENCE, Shop};
use credence_tests::stolen::Window;

use crate::audit;
use crate::callers::{Callers, Change};
use crate::calls::expect;
use crate::case::Case;
use crate::runner::note;

const PODS: usize = 10;

/// From the write in the API server to a pod's first call with the new key.
#[derive(Clone, Copy)]
struct Limit {
    median: Duration,
    longest: Duration,
}

/// On a machine that others may be using.
const SHARED: Limit = Limit {
    median: Duration::from_secs(1),
    longest: Duration::from_secs(5),
};
/// On one that nobody else uses.
const OURS: Limit = Limit {
    median: Duration::from_millis(500),
    longest: Duration::from_secs(1),
};

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "an edited Secret is used within a second and fails no call",
        |shop| edited_secrets_are_used(shop, 50, SHARED),
    )
    .here(audit::ELSEWHERE),
    Case::alone(
        "a Secret that is edited for minutes is used within a second each time",
        |shop| edited_secrets_are_used(shop, 200, OURS),
    )
    .here(audit::ELSEWHERE)
    .soak(),
    Case::alone(
        "a deleted Secret is an error and a condition",
        a_deleted_secret_is_an_error_and_a_condition,
    ),
];

/// A Secret is edited again and again while pods call with its key: each time
/// all of them use the new key within a second, and no call fails.
fn edited_secrets_are_used(shop: &Shop, edits: usize, limit: Limit) -> Result<()> {
    shop.with_branch("rotation", Environment::Development, |branch| {
        let callers = Callers::start(branch, PODS)?;
        let following = callers.follow()?;
        following.until_all("payments dev", PATIENCE)?;
        let (mut used, mut stolen) = (Vec::new(), Vec::new());
        for edit in 0..edits {
            let variant = if edit % 2 == 0 { "rotated" } else { "dev" };
            let key = shop.key(&format!("payments-{variant}"));
            let window = Window::open()?;
            branch.write_secret("payments-dev", "api-key", key)?;
            used.push(following.until_all(&format!("payments {variant}"), PATIENCE)?);
            stolen.push(window.stolen()?);
        }
        let changes = callers.unfailed()?;
        // Each pod began, and then changed with each edit, and at no other time.
        ensure!(
            changes.len() == PODS * (edits + 1),
            "{} changes for {edits} edits and {PODS} pods",
            changes.len()
        );
        let written = audit::writes(shop, "secrets", branch.namespace(), "payments-dev")?;
        let written = written.get(1..).context("edits")?;
        ensure!(written.len() == edits, "{} writes", written.len());
        let mut delays: Vec<Duration> = written
            .iter()
            .zip(used.iter().zip(&stolen))
            .flat_map(|(written, (used, stolen))| {
                let since = |change: &Change| change.at.saturating_sub(*written);
                // What the machine did not give is nobody's delay.
                let given = move |delay: u64| Duration::from_millis(delay).saturating_sub(*stolen);
                used.iter().map(move |change| given(since(change)))
            })
            .collect();
        delays.sort_unstable();
        let (median, longest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
        note(format!(
            "{edits} edits, {PODS} pods: a new key is used after {median:?} (median), {longest:?} (longest)"
        ));
        ensure!(median <= limit.median && longest <= limit.longest, "that is too late");
        Ok(())
    })
}

/// A deleted Secret stops calls with an error and a condition that says so;
/// written again, they go on.
fn a_deleted_secret_is_an_error_and_a_condition(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    shop.until_quiet()?;
    kubectl.run(&["-n", DEVELOPMENT, "delete", "secret", "payments-dev"])?;
    credence_tests::wait::until("calls to be refused", PATIENCE, || {
        Ok((shop.call(DEVELOPMENT, "/payments/x")?["status"] == 503).then_some(()))
    })?;
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
    credence_tests::wait::until(wanted, PATIENCE, || {
        let answer = shop.call(DEVELOPMENT, "/payments/x")?;
        Ok(answer["body"]
            .as_str()
            .unwrap_or_default()
            .contains(wanted)
            .then_some(()))
    })
}
