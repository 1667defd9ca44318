//! Taking a cluster down: from its own process, from another one, after a
//! crash, in any state it may have been left in, and again.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::mount::{UnmountFlags, unmount};

use crate::process::{self, Process};
use crate::state::State;
use crate::{cgroups, network, sysctls, wait};

/// The kernel removes a control group's last process asynchronously.
const EMPTIED: Duration = Duration::from_secs(10);

/// Takes down the cluster that is on this machine, and what is left of one in
/// `state`. Without either it does nothing.
///
/// # Errors
/// Something does not go away; what comes after it is still tried, and another
/// call starts over.
pub fn down(state: &State) -> Result<()> {
    let claimed = State::current()?;
    let mut failures = Failures::default();
    // Pods only hang on a machine that a cluster has claimed; on any other
    // their control groups are somebody else's.
    if let Some(cluster) = &claimed {
        failures.of("ending the programs", end_programs(cluster));
        failures.of("ending the pods", end_pods());
    }
    for state in claimed.iter().chain(
        [state]
            .into_iter()
            .filter(|state| claimed.as_ref() != Some(state)),
    ) {
        failures.of("ending what is left", end_programs(state));
        failures.of("putting kernel settings back", sysctls::restore(state));
        failures.of("removing sockets", remove_sockets(state));
        failures.of("unmounting", unmount_below(state.root()));
        failures.of("removing traces", remove_traces(state));
        failures.of(
            "removing the state folder",
            remove(state, claimed.as_ref() == Some(state)),
        );
    }
    if failures.0.is_empty() && claimed.is_some() {
        // The interface stands for the cluster, so it goes last, and only
        // when nothing is left to find by it.
        failures.of("giving the network back", network::release());
    }
    if !failures.0.is_empty() {
        bail!("taking the cluster down:\n{}", failures.0.join("\n"));
    }
    Ok(())
}

/// What went wrong so far; one step's failure keeps no other from being tried.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn of(&mut self, step: &str, result: Result<()>) {
        if let Err(error) = result {
            self.0.push(format!("{step}: {error:#}"));
        }
    }
}

/// The kubelet and containerd first, or they would start things anew.
fn end_programs(state: &State) -> Result<()> {
    process::kill(&Process::recorded(state)?)?;
    // Shims outlive containerd by design.
    process::kill(&process::strays(state)?)
}

fn end_pods() -> Result<()> {
    wait::until("the pods' control groups to be empty", EMPTIED, || {
        process::kill(&cgroups::processes()?)?;
        cgroups::remove();
        Ok(cgroups::is_empty().then_some(()))
    })
}

/// Shims listen below /run/containerd, whatever containerd's folder is; each
/// task's folder names its socket.
fn remove_sockets(state: &State) -> Result<()> {
    let tasks = state.path("containerd/state/io.containerd.runtime.v2.task/k8s.io");
    for task in entries(&tasks)? {
        let address = fs::read_to_string(task.join("address")).unwrap_or_default();
        let Some(socket) = address.trim().strip_prefix("unix://").map(Path::new) else {
            continue;
        };
        if socket.starts_with("/run/containerd/s") && socket.exists() {
            fs::remove_file(socket)?;
        }
    }
    Ok(())
}

/// Removes what the kubelet and the network plugins write to fixed places.
fn remove_traces(state: &State) -> Result<()> {
    for link in entries(Path::new("/var/log/containers"))? {
        if fs::read_link(&link).is_ok_and(|target| target.starts_with(state.root())) {
            fs::remove_file(&link)?;
        }
    }
    let root = state.root().display().to_string();
    for result in entries(Path::new("/var/lib/cni/results"))? {
        // It names the network namespace, which lies in the state folder.
        if fs::read_to_string(&result).is_ok_and(|text| text.contains(&root)) {
            fs::remove_file(&result)?;
        }
    }
    let devices = Path::new("/var/lib/kubelet/device-plugins/kubelet.sock");
    let deaf = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if UnixStream::connect(devices).is_err_and(deaf) {
        fs::remove_file(devices)?;
    }
    for folder in [
        "/var/log/containers",
        "/var/lib/cni/results",
        "/var/lib/cni",
        "/var/lib/kubelet/device-plugins",
        "/var/lib/kubelet",
        "/run/containerd/s",
        "/run/containerd",
    ] {
        // Stays where it is not there or somebody else uses it.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn unmount_below(root: &Path) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    // Later mounts may lie on earlier ones.
    for point in mount_points(&table)
        .into_iter()
        .rev()
        .filter(|point| point.starts_with(root))
    {
        unmount(&point, UnmountFlags::DETACH)
            .with_context(|| format!("unmounting {}", point.display()))?;
    }
    Ok(())
}

/// proc_pid_mountinfo(5): the mount point is field 5; blanks and backslashes
/// in it are octal.
fn mount_points(table: &str) -> Vec<PathBuf> {
    let octal = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let point = |line: &str| {
        let field = line.split(' ').nth(4)?.to_owned();
        Some(PathBuf::from(
            octal
                .iter()
                .fold(field, |text, (code, plain)| text.replace(code, plain)),
        ))
    };
    table.lines().filter_map(point).collect()
}

/// Removes the folder if it is a cluster's: `claimed` by the interface, or
/// with the kernel settings in it, which are written first. A wrong `--state`
/// must not remove somebody's files.
fn remove(state: &State, claimed: bool) -> Result<()> {
    let root = state.root();
    if !root.exists() {
        return Ok(());
    }
    if !claimed && !entries(root)?.is_empty() && !state.path("sysctls").exists() {
        bail!(
            "{} does not look like a state folder of a cluster: left as it is",
            root.display()
        );
    }
    fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let table = "22 1 0:21 / /proc rw - proc proc rw\n23 1 0:22 /x /a\\040b rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(
            mount_points(table),
            [PathBuf::from("/proc"), PathBuf::from("/a b")]
        );
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() -> Result<()> {
        let root = std::env::temp_dir().join(format!("credence-teardown-{}", std::process::id()));
        fs::create_dir_all(&root)?;
        fs::write(root.join("thesis.tex"), "")?;
        let refused = remove(&State::new(&root)?, false);
        assert!(refused.is_err());
        assert!(root.join("thesis.tex").exists());
        fs::remove_dir_all(root)?;
        Ok(())
    }
}
