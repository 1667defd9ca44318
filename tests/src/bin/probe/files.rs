//! What an app in this container could read.

use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

/// `probe cat`.
#[derive(Args)]
pub(crate) struct Cat {
    /// Files and folders. Below `/`, what the kernel makes up is left out.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

impl Cat {
    pub(crate) fn run(&self) -> Result<()> {
        match self.paths.as_slice() {
            // Alone, a file is printed as it is.
            [file] if file.is_file() => Ok(io::stdout().write_all(&std::fs::read(file)?)?),
            paths => paths.iter().try_for_each(|path| show(path)),
        }
    }
}

fn show(path: &Path) -> Result<()> {
    if ["/proc", "/sys", "/dev"]
        .iter()
        .any(|kernel| path.starts_with(kernel))
    {
        return Ok(());
    }
    // A link's target is shown where it lies, if that is asked for; a mounted
    // volume's files are links within the volume.
    if path.is_dir() && !path.is_symlink() {
        let mut entries: Vec<PathBuf> = match std::fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => return Ok(writeln!(io::stdout(), "== {}: {error}", path.display())?),
        };
        entries.sort();
        return entries.iter().try_for_each(|entry| show(entry));
    }
    if path.is_symlink() {
        return Ok(());
    }
    let mut output = io::stdout().lock();
    match std::fs::read(path) {
        Ok(content) => {
            writeln!(output, "== {}", path.display())?;
            output.write_all(&content)?;
            writeln!(output)?;
        }
        Err(error) => writeln!(output, "== {}: {error}", path.display())?,
    }
    Ok(())
}

/// `probe env`: the process's variables, one a line.
pub(crate) fn environment() -> Result<()> {
    let mut output = io::stdout().lock();
    for (name, value) in std::env::vars_os() {
        output.write_all(name.as_bytes())?;
        output.write_all(b"=")?;
        output.write_all(value.as_bytes())?;
        output.write_all(b"\n")?;
    }
    Ok(())
}
