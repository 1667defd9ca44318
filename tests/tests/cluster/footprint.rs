//! What the programs need, and what they leave behind.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use credence_tests::shop::{LIVE, SYSTEM, Shop};
use credence_tests::{cgroups, collect, leaks};

/// Resident memory in MiB that a sidecar may need.
const SIDECAR: u64 = 12;
/// Resident memory in MiB that a replica of the operator may need.
const OPERATOR: u64 = 40;

/// Both stay within their memory after all the other cases.
pub(crate) fn both_programs_are_small(shop: &Shop) -> Result<()> {
    if shop.cluster().state().is_none() {
        println!("        not measured: the processes of this cluster are not here");
        return Ok(());
    }
    let mut seen = std::collections::BTreeMap::<&str, u64>::new();
    for process in cgroups::processes()? {
        let command =
            std::fs::read_to_string(format!("/proc/{}/cmdline", process.id())).unwrap_or_default();
        for program in ["credence-sidecar", "credence-operator"] {
            if command
                .split('\0')
                .next()
                .is_some_and(|path| path.ends_with(program))
            {
                let largest = seen.entry(program).or_default();
                *largest = (*largest).max(process.resident());
            }
        }
    }
    println!("        largest, in KiB: {seen:?}");
    for (program, limit) in [
        ("credence-sidecar", SIDECAR),
        ("credence-operator", OPERATOR),
    ] {
        let kib = *seen
            .get(program)
            .with_context(|| format!("no {program} runs"))?;
        ensure!(
            kib <= limit * 1024,
            "{program} needs {kib} KiB, more than {limit} MiB"
        );
    }
    Ok(())
}

/// Everything that the cluster says about itself holds none of the planted
/// secrets in any form.
pub(crate) fn no_secret_was_left_anywhere(shop: &Shop) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collected");
    collect::collect(shop.cluster(), &folder)?;
    let log = folder.join(format!("pods/{SYSTEM}"));
    ensure!(log.is_dir(), "the operator's log was not collected");
    ensure!(
        folder.join(format!("pods/{LIVE}")).is_dir(),
        "the sidecars' logs were not collected"
    );
    // The provider's own Secret is not among the objects; its pods are.
    let found = leaks::leaks(&folder, &shop.planted())?;
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}
