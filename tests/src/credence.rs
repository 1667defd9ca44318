//! The `credence` command of this repository.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds it with the profile of these tests, in the target folder that
/// `CARGO_TARGET_TMPDIR` is in.
///
/// # Errors
/// It cannot be built.
pub fn build(temporary: &Path) -> Result<PathBuf> {
    eprintln!("building credence");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Of the workspace: with fewer features its dependencies would be built
        // once more.
        .args(["build", "--quiet", "--locked", "--workspace"])
        .args(["--bin", "credence"])
        .stdout(std::io::stderr());
    let target = temporary.parent().context("cargo's target folder")?;
    command.arg("--target-dir").arg(target);
    let folder = match cfg!(debug_assertions) {
        true => "debug",
        false => {
            command.arg("--release");
            "release"
        }
    };
    if !command.status().context("starting cargo")?.success() {
        bail!("credence cannot be built");
    }
    Ok(target.join(folder).join("credence"))
}
