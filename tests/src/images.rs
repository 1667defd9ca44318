//! Building this repository's images.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::image::{self, Image};
use crate::packages::TARGET;

/// The users that the images run as. 2733 is the sidecar's own, so that an app
/// cannot look into its memory; 65532 and 65535 are the customary ones.
const SIDECAR_USER: u32 = 2733;
const OPERATOR_USER: u32 = 65532;
const PROBE_USER: u32 = 65532;
const PAUSE_USER: u32 = 65535;

/// Image archives in a folder.
#[derive(Clone, Debug)]
pub struct Archives {
    files: Vec<PathBuf>,
}

impl Archives {
    /// Builds static binaries in release mode and packs them into
    /// `target/images`.
    ///
    /// # Errors
    /// A build fails.
    pub fn build() -> Result<Self> {
        let target = target();
        let folder = target.join("images");
        cargo()?;
        let pause = folder.join("pause");
        fs::create_dir_all(&folder)?;
        compile_pause(&pause)?;
        let built = target.join(TARGET).join("release");
        let mut files = Vec::new();
        for (file, name, user, binary, at) in [
            ("pause.tar", image::PAUSE, PAUSE_USER, pause, "/pause"),
            (
                "sidecar.tar",
                image::SIDECAR,
                SIDECAR_USER,
                built.join("credence-sidecar"),
                "/credence-sidecar",
            ),
            (
                "operator.tar",
                image::OPERATOR,
                OPERATOR_USER,
                built.join("credence-operator"),
                "/credence-operator",
            ),
            (
                "probe.tar",
                image::PROBE,
                PROBE_USER,
                built.join("probe"),
                "/probe",
            ),
        ] {
            let archive = folder.join(file);
            Image {
                name,
                user,
                binary: &binary,
                at,
            }
            .write(&archive)?;
            files.push(archive);
        }
        Ok(Self { files })
    }

    /// The archives.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

/// Cargo's target folder.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

fn cargo() -> Result<()> {
    eprintln!("building the images' binaries");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .current_dir(workspace())
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            TARGET,
        ])
        .args([
            "-p",
            "credence-sidecar",
            "-p",
            "credence-operator",
            "-p",
            "credence-tests",
        ])
        .args([
            "--bin",
            "credence-sidecar",
            "--bin",
            "credence-operator",
            "--bin",
            "probe",
        ])
        .env(format!("CC_{}", TARGET.replace('-', "_")), "musl-gcc")
        .stdout(std::io::stderr())
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("cargo build failed");
    }
    Ok(())
}

/// C, because a process that only waits and reaps is three system calls, and
/// each pod carries one.
fn compile_pause(binary: &Path) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/pause.c");
    let status = Command::new("musl-gcc")
        .args(["-static", "-Os", "-s", "-Wall", "-Werror", "-o"])
        .arg(binary)
        .arg(source)
        .status()
        .context("starting musl-gcc (Debian package musl-tools)")?;
    if !status.success() {
        bail!("musl-gcc failed");
    }
    Ok(())
}
