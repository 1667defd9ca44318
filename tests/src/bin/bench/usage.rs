//! What a process and its children have used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The processor time of a process tree so far, user and system together, in
/// the kernel's own nanoseconds: `stat` counts in hundredths of a second.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in tree(pid)? {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = thread?.path().join("schedstat");
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let nanoseconds = text.split(' ').next().unwrap_or_default();
            sum += Duration::from_nanos(nanoseconds.parse()?);
        }
    }
    Ok(sum)
}

/// The resident memory of a process tree in bytes. What a parent and a child
/// share is counted twice.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in tree(pid)? {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        sum += kibibytes.context("no VmRSS")?.parse::<u64>()? * 1024;
    }
    Ok(sum)
}

fn tree(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        for child in children.split_whitespace() {
            all.push(child.parse()?);
        }
        at += 1;
    }
    Ok(all)
}
