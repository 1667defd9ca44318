//! The control groups in which the kubelet puts pods.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::Process;

/// The kubelet's folder at the top of each hierarchy (version 1 has several,
/// version 2 one).
const PODS: &str = "kubepods";

/// Every process in a pod of this machine.
///
/// # Errors
/// The hierarchies cannot be read.
pub fn processes() -> Result<Vec<Process>> {
    let mut found: Vec<Process> = Vec::new();
    for folder in tops().iter().flat_map(|top| tree(top)) {
        // A group may vanish while we look.
        let ids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for id in ids.lines().filter_map(|line| line.parse().ok()) {
            found.extend(Process::of("a pod's process", id)?);
        }
    }
    found.sort_by_key(Process::id);
    found.dedup();
    Ok(found)
}

/// Those of them that run our `program`, such as `credence-sidecar`.
///
/// # Errors
/// The hierarchies cannot be read.
pub fn running(program: &str) -> Result<Vec<Process>> {
    let wanted = format!("/{program}");
    let runs = |process: &Process| {
        let command = fs::read_to_string(format!("/proc/{}/cmdline", process.id()));
        let command = command.unwrap_or_default();
        command
            .split('\0')
            .next()
            .is_some_and(|path| path.ends_with(&wanted))
    };
    let mut found = processes()?;
    found.retain(|process| process.is_running() && runs(process));
    Ok(found)
}

/// Whether a process is in the pod of this uid.
#[must_use]
pub fn is_of_pod(process: &Process, uid: &str) -> bool {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.id()));
    groups.unwrap_or_default().contains(&format!("pod{uid}"))
}

/// Removes the groups; those that still hold a process stay.
pub fn remove() {
    for top in tops() {
        for folder in tree(&top) {
            // Deepest first; what cannot go now is reported by `is_empty`.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether no pod groups are left.
#[must_use]
pub fn is_empty() -> bool {
    tops().is_empty()
}

fn tops() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mut tops = vec![root.join(PODS)];
    if let Ok(hierarchies) = fs::read_dir(root) {
        tops.extend(hierarchies.flatten().map(|entry| entry.path().join(PODS)));
    }
    tops.retain(|top| top.is_dir());
    tops
}

/// A folder and all below it, the deepest first.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(entries) = fs::read_dir(folder) {
        for entry in entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            found.extend(tree(&entry.path()));
        }
    }
    found.push(folder.to_owned());
    found
}
