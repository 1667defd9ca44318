//! What the programs need, and what they leave behind.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use credence_tests::images::Archives;
use credence_tests::process::Process;
use credence_tests::shop::{LIVE, SYSTEM, Shop};
use credence_tests::{cgroups, collect, leaks};

use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::last("both programs are small", both_programs_are_small)
        .here("the processes of the cluster are elsewhere"),
    Case::last(
        "no program leaves its memory behind",
        no_program_leaves_its_memory_behind,
    )
    .here("the processes of the cluster are elsewhere"),
    Case::last("both images are small", both_images_are_small)
        .here("the images were built elsewhere"),
    Case::last("no secret was left anywhere", no_secret_was_left_anywhere),
];

/// Resident memory in MiB that a sidecar may need.
const SIDECAR: u64 = 10;
/// Resident memory in MiB that a replica of the operator may need.
const OPERATOR: u64 = 40;
/// Bytes that each of our images may have, before a registry compresses it.
const IMAGES: [(&str, u64); 2] = [
    ("credence-sidecar", 12_000_000),
    ("credence-operator", 12_000_000),
];

/// Both stay within their memory after all the other cases.
fn both_programs_are_small(_: &Shop) -> Result<()> {
    let mut seen = std::collections::BTreeMap::<&str, u64>::new();
    for program in ["credence-sidecar", "credence-operator"] {
        let resident = cgroups::running(program)?
            .iter()
            .map(Process::resident)
            .max();
        seen.extend(resident.map(|kib| (program, kib)));
    }
    note(format!("largest, in KiB: {seen:?}"));
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

/// Both hold credentials, and a core file would hold them, too.
fn no_program_leaves_its_memory_behind(_: &Shop) -> Result<()> {
    for program in ["credence-sidecar", "credence-operator"] {
        let running = cgroups::running(program)?;
        ensure!(!running.is_empty(), "no {program} runs");
        for process in running {
            // One that has ended meanwhile has no limits.
            let limits = fs::read_to_string(format!("/proc/{}/limits", process.id()));
            let limits = limits.unwrap_or_default();
            let core = limits
                .lines()
                .find_map(|line| line.strip_prefix("Max core file size"));
            let core = core.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
            ensure!(
                core.is_none_or(|core| core == ["0", "0"]),
                "{program}: {limits}"
            );
        }
    }
    Ok(())
}

/// A node pulls them before a pod can start.
fn both_images_are_small(_: &Shop) -> Result<()> {
    let archives = Archives::built()?;
    for (name, limit) in IMAGES {
        let mut files = archives.files().iter();
        let archive = files.find(|file| file.file_stem().is_some_and(|stem| stem == name));
        let bytes = archive
            .with_context(|| format!("no image {name}"))?
            .metadata()?
            .len();
        note(format!("{name}: {bytes} bytes"));
        ensure!(bytes <= limit, "the image {name} has {bytes} bytes");
    }
    Ok(())
}

/// Everything that the cluster says about itself holds none of the planted
/// secrets in any form, and what development was sent none that is not its own.
fn no_secret_was_left_anywhere(shop: &Shop) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collected");
    collect::collect(shop.cluster(), &folder)?;
    for namespace in [SYSTEM, LIVE] {
        ensure!(
            folder.join(format!("pods/{namespace}")).is_dir(),
            "nothing of {namespace} was collected"
        );
    }
    // The provider's own Secret is not among the objects; its pods are.
    let mut found = leaks::leaks(&folder, &shop.planted())?;
    if collect::closed().exists() {
        found.extend(leaks::leaks(&collect::closed(), &shop.planted())?);
    }
    if collect::feeds().exists() {
        found.extend(leaks::leaks(
            &collect::feeds(),
            &shop.never_in_development(),
        )?);
    }
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}
