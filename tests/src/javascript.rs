//! The JavaScript packages that the tests run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};

use crate::packages;
use crate::state::cache;

/// The packages, all with their versions and digests, those that they need in
/// turn included.
const LOCK: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/clients/oidc/package-lock.json"
);

/// The first Node.js that runs the packages.
const NODE: (u32, u32) = (20, 19);

/// The folder `node_modules` in the user's cache that holds the packages, made
/// now if it is not there. Nothing in them is run while they are installed.
///
/// # Errors
/// Node.js is missing and cannot be installed, or a package cannot be.
pub fn modules() -> Result<PathBuf> {
    packages::programs(&[("node", "nodejs"), ("npm", "npm")])?;
    new_enough()?;
    let lock = Path::new(LOCK);
    let key: String = digest(&SHA256, &fs::read(lock)?)
        .as_ref()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let home = cache()?.join(format!("javascript-{key}"));
    // Written last: a run that was broken off has left none.
    let complete = home.join("complete");
    if !complete.is_file() {
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        for file in [lock, &lock.with_file_name("package.json")] {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(file, home.join(name))?;
        }
        install(&home)?;
        fs::write(complete, "")?;
    }
    Ok(home.join("node_modules"))
}

fn new_enough() -> Result<()> {
    let output = Command::new("node").arg("--version").output();
    let said = output.context("starting node")?.stdout;
    let said = String::from_utf8_lossy(&said);
    if version(&said).is_none_or(|version| version < NODE) {
        bail!(
            "Node.js {}.{} or newer is needed to run what the tests use: install it from \
             https://nodejs.org and put it on PATH (here: {})",
            NODE.0,
            NODE.1,
            said.trim()
        );
    }
    Ok(())
}

/// `v20.20.2` is (20, 20).
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn install(home: &Path) -> Result<()> {
    eprintln!("installing the JavaScript packages");
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(home)
        .output()
        .context("starting npm")?;
    if !output.status.success() {
        bail!("npm ci: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert!(version("v18.19.0").is_some_and(|version| version < NODE));
        assert!(version("v22.4.0").is_some_and(|version| version > NODE));
        assert_eq!(version(""), None);
    }
}
