//! What the harness needs from the machine: root, Debian packages, Go, Rust.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Where Debian puts the network plugins.
pub const PLUGINS: &str = "/usr/lib/cni";

/// A program and the Debian package that it comes from.
const NEEDED: [(&str, &str); 7] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("ptp", "containernetworking-plugins"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("musl-gcc", "musl-tools"),
];

/// The first Go release that builds the modules in `tests/thirdparty`.
const GO: (u32, u32) = (1, 26);

/// The target of everything that goes into an image.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// Makes sure that the machine can hold a cluster, installing what is missing.
///
/// # Errors
/// Not root, or something is missing that cannot be installed; the error says
/// what to do.
pub fn install() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("a cluster needs root (network interfaces, mounts, containers): run this as root");
    }
    programs(&NEEDED)?;
    go()?;
    rust()
}

/// Makes sure that these programs are there: each with the Debian package that
/// it comes from. Services in the packages are not started.
///
/// # Errors
/// One is missing and cannot be installed; the error says what to do.
pub fn programs(needed: &[(&str, &str)]) -> Result<()> {
    let missing = needed.iter().filter(|(program, _)| find(program).is_none());
    packages(&missing.map(|(_, package)| *package).collect::<Vec<_>>())
}

/// Installs Debian packages.
///
/// # Errors
/// They cannot be installed; the error says what to do.
pub fn packages(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if find("apt-get").is_none() {
        bail!("please install: {names} (no apt-get here to do it)");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("please install: {names} (this needs root: apt-get install {names})");
    }
    eprintln!("installing {names}");
    apt(&["update", "-q"])?;
    let install = ["install", "-y", "-q", "--no-install-recommends"];
    apt(&[install.as_slice(), missing].concat())
}

/// The full path of a program, looked for where Debian puts such programs even
/// when `PATH` of a plain user lacks it.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", PLUGINS].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Makes sure that there is a Go that builds the modules of the tests.
///
/// # Errors
/// There is none; the error says what to do.
pub fn go() -> Result<()> {
    let advice = format!(
        "Go {}.{} or newer is needed to build what the tests use: install it from https://go.dev/dl and put it on PATH",
        GO.0, GO.1
    );
    // In our folder, so that a `toolchain` line elsewhere has no say.
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .current_dir(crate::thirdparty::sources())
        .output();
    let Ok(output) = output else { bail!(advice) };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if release(&version).is_none_or(|release| release < GO) {
        bail!("{advice} (here: {version})");
    }
    Ok(())
}

/// `go1.26.8` is (1, 26).
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version
        .strip_prefix("go")?
        .split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn rust() -> Result<()> {
    let root = output("rustc", &["--print", "sysroot"])
        .context("cargo and rustc are needed: install them from https://rustup.rs")?;
    if Path::new(root.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .is_dir()
    {
        return Ok(());
    }
    output("rustup", &["target", "add", TARGET]).with_context(|| {
        format!("Rust's target {TARGET} is missing and rustup is not there to add it")
    })?;
    Ok(())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Keeps packages from starting their services.
        .env("RUNLEVEL", "1")
        // Standard output is for what the caller prints.
        .stdout(std::io::stderr())
        .status()?;
    if !status.success() {
        bail!("apt-get {} failed", arguments.join(" "));
    }
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_releases_are_compared_as_numbers() {
        assert_eq!(release("go1.26.8"), Some((1, 26)));
        assert_eq!(release("go1.30rc1"), Some((1, 30)));
        assert!(release("go1.9").is_some_and(|release| release < GO));
        assert_eq!(release("devel"), None);
    }
}
