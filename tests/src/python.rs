//! A Python with the packages that the tests call with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};

use crate::packages;
use crate::state::cache;

/// The packages, all with their versions and digests, those that they need in
/// turn included.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/requirements.txt");

/// The interpreter of an environment in the user's cache that holds the
/// packages, made now if it is not there: other requirements and another
/// Python are another environment.
///
/// # Errors
/// Python is missing and cannot be installed, or a package cannot be.
pub fn interpreter() -> Result<PathBuf> {
    packages::programs(&[("python3", "python3")])?;
    let python = packages::find("python3").context("python3 was just installed")?;
    let mut all = fs::read(REQUIREMENTS)?;
    all.extend(version(&python)?);
    let key: String = digest(&SHA256, &all)
        .as_ref()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let home = cache()?.join(format!("python-{key}"));
    let interpreter = home.join("bin/python");
    // Written last: a run that was broken off has left none.
    let complete = home.join("complete");
    if !complete.is_file() {
        build(&python, &home)?;
        fs::write(complete, "")?;
    }
    Ok(interpreter)
}

fn build(python: &Path, home: &Path) -> Result<()> {
    // Debian keeps a part of venv in a package of its own.
    if run(Command::new(python).args(["-c", "import ensurepip, venv"])).is_err() {
        packages::packages(&["python3-venv"])?;
    }
    eprintln!("installing the Python packages, about 1 minute the first time");
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    run(Command::new(python).args(["-m", "venv"]).arg(home))?;
    run(Command::new(home.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--require-hashes"])
        .args(["--only-binary", ":all:", "--requirement", REQUIREMENTS]))
}

/// What it says of itself, and where it is.
fn version(python: &Path) -> Result<Vec<u8>> {
    let code = "import sys; print(sys.version, sys.base_prefix)";
    let output = Command::new(python).args(["-c", code]).output()?;
    if !output.status.success() {
        bail!("{} does not run", python.display());
    }
    Ok(output.stdout)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().context("starting Python")?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
