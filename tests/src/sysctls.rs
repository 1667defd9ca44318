//! Kernel settings that a node changes, kept so that they can be put back.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::state::State;

/// `ip_forward` is set by the harness, the others by the kubelet.
const CHANGED: [&str; 6] = [
    "net.ipv4.ip_forward",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "vm.overcommit_memory",
];

/// Writes the present values to the state folder.
///
/// # Errors
/// The state folder cannot be written.
pub fn save(state: &State) -> Result<()> {
    let mut lines = String::new();
    for name in CHANGED {
        // What this kernel has not, nobody will change.
        if let Ok(value) = fs::read_to_string(path(name)) {
            lines.push_str(&format!("{name}={}\n", value.trim()));
        }
    }
    state.write("sysctls", &lines)?;
    Ok(())
}

/// Sets one value.
///
/// # Errors
/// The kernel refuses.
pub fn set(name: &str, value: &str) -> Result<()> {
    fs::write(path(name), value).with_context(|| format!("setting {name} to {value}"))
}

/// Puts the saved values back, if there are any.
///
/// # Errors
/// The kernel refuses one of them.
pub fn restore(state: &State) -> Result<()> {
    let saved = fs::read_to_string(state.path("sysctls")).unwrap_or_default();
    for (name, value) in saved.lines().filter_map(|line| line.split_once('=')) {
        if fs::read_to_string(path(name)).is_ok_and(|now| now.trim() != value) {
            set(name, value)?;
        }
    }
    Ok(())
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name.replace('.', "/"))
}
