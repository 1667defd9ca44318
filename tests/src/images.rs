//! Building this repository's images.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::image::{self, Image};
use crate::packages::TARGET;

/// What becomes of the binaries that Cargo builds: package, binary, image, user.
/// 2733 is the sidecar's own user, so that an app in its pod cannot look into
/// its memory; 65532 is the customary one.
const BUILT: [(&str, &str, &str, u32); 3] = [
    ("credence-sidecar", "credence-sidecar", image::SIDECAR, 2733),
    (
        "credence-operator",
        "credence-operator",
        image::OPERATOR,
        65532,
    ),
    ("credence-tests", "probe", image::PROBE, 65532),
];

/// The user of the pause image: as in the one that Kubernetes ships.
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
        let folder = target().join("images");
        fs::create_dir_all(&folder)?;
        cargo()?;
        let pause = folder.join("pause");
        compile_pause(&pause)?;
        let mut files = vec![pack(&folder, image::PAUSE, PAUSE_USER, &pause)?];
        for (_, binary, name, user) in BUILT {
            let binary = target().join(TARGET).join("release").join(binary);
            files.push(pack(&folder, name, user, &binary)?);
        }
        Ok(Self { files })
    }

    /// What the last [`Self::build`] left, whether or not it is still what the
    /// sources say.
    ///
    /// # Errors
    /// One of the archives is missing.
    pub fn built() -> Result<Self> {
        let folder = target().join("images");
        let programs = BUILT.iter().map(|(_, binary, _, _)| *binary);
        let files: Vec<PathBuf> = programs
            .chain(["pause"])
            .map(|program| folder.join(format!("{program}.tar")))
            .collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            bail!("{} is missing: `make image` builds it", missing.display());
        }
        Ok(Self { files })
    }

    /// The archives.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

fn pack(folder: &Path, name: &str, user: u32, binary: &Path) -> Result<PathBuf> {
    let program = binary
        .file_name()
        .and_then(|file| file.to_str())
        .context("a program's name")?;
    let archive = folder.join(format!("{program}.tar"));
    Image {
        name,
        user,
        binary,
        at: &format!("/{program}"),
    }
    .write(&archive)?;
    Ok(archive)
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
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
        .args(
            BUILT
                .iter()
                .flat_map(|(package, binary, _, _)| ["-p", package, "--bin", binary]),
        )
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
