//! More connections than there are file descriptors.

use std::thread;

use anyhow::{Result, bail, ensure};

use crate::caller;
use crate::provider::Offer;
use crate::stage::Stage;

/// Connections that are made at one time.
const CONNECTIONS: usize = 200;

/// The descriptors that are left for them, on both sides.
const LEFT: u64 = 40;

pub(crate) fn without_descriptors_calls_wait_or_fail_and_then_go_on(
    stage: &Stage,
) -> Result<String> {
    let (provider, credence) = stage.with_provider(Offer::Misbehaviour)?;
    let beginning = credence.at_rest()?;
    let few = u64::try_from(beginning.descriptors)? + LEFT;
    let before = credence.limit_files(Some(few))?;
    let proxy = credence.proxy;
    let all: Vec<_> = (0..CONNECTIONS)
        .map(|_| thread::spawn(move || caller::get(proxy, "/api/slowly", &[])))
        .collect();
    let (mut served, mut failed) = (0, 0);
    for each in all {
        let Ok(answer) = each.join() else {
            bail!("a connection panicked");
        };
        let answer = answer?;
        match (answer.status, answer.slug()) {
            (200, None) => served += 1,
            (503, Some("overloaded")) => failed += 1,
            _ => bail!("{answer:?}"),
        }
    }
    ensure!(failed > 0, "there were descriptors enough for all");
    credence.limit_files(before)?;
    for _ in 0..CONNECTIONS {
        let answer = caller::get(proxy, "/api/quickly", &[])?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    drop(provider);
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(format!(
        "{CONNECTIONS} calls at one time with {LEFT} descriptors: {served} served, {failed} told so; then {CONNECTIONS} of {CONNECTIONS} served"
    ))
}
