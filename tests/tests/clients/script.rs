//! A client written in its own language, run to its end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use credence_tests::wait;

use crate::manifests::DUMMY;
use crate::stage::Stage;

/// Reached only by what hangs. Go's and Java's compilers are in it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where the scripts are.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/clients")).join(name)
}

/// Runs a client with this base URL and the app's own key in its environment;
/// gives what it printed, which is kept, too.
///
/// # Errors
/// It fails, or does not end; the error holds what it said.
pub(crate) fn run(stage: &Stage, name: &str, base: &str, command: &mut Command) -> Result<String> {
    let record = stage.record(&format!("{name}.log"));
    let output = File::create(&record)?;
    let mut child = command
        .env("BASE_URL", base)
        .env("DUMMY", DUMMY)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("starting {:?}", command.get_program()))?;
    let ended = wait::until(name, PATIENCE, || Ok(child.try_wait()?));
    // One that has ended cannot be killed, and need not be.
    let _ = child.kill();
    let _ = child.wait();
    let said = fs::read_to_string(&record)?;
    match ended {
        Ok(status) if status.success() => Ok(said.trim_end().to_owned()),
        Ok(status) => bail!("{name} ended with {status}:\n{said}"),
        Err(error) => Err(error.context(said)),
    }
}
