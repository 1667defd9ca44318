//! A server that is not ours, as a process.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use credence_tests::wait;
use rustix::process::{Pid, Signal, kill_process};

use crate::stage::Stage;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running one; it is ended when this is dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and waits until `ready` finds in what it said, or elsewhere,
    /// that it listens.
    ///
    /// # Errors
    /// It ended or was not ready in time; the error holds what it said.
    pub(crate) fn start<T>(
        stage: &Stage,
        name: &str,
        command: &mut Command,
        ready: impl Fn(&str) -> Option<T>,
    ) -> Result<(Self, T)> {
        let record = stage.record(&format!("{name}.log"));
        let output = File::create(&record)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut server = Self(child);
        let found = wait::until(&format!("{name} listens"), PATIENCE, || {
            let said = fs::read_to_string(&record)?;
            if let Some(status) = server.0.try_wait()? {
                bail!("{name} ended with {status}: {said}");
            }
            Ok(ready(&said))
        })?;
        Ok((server, found))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not a kill: nginx must take its workers with it. One that has ended
        // cannot be asked, and need not be.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
