//! An outage of one of the cluster's programs.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{Process, kill};
use crate::state::State;

/// A program that was killed. It is started again as it was, at the latest
/// when this is dropped: what comes after a failed case needs it too.
#[must_use = "dropping it ends the outage"]
pub struct Stopped {
    state: State,
    name: String,
    /// The program and its arguments, until it is started again.
    command: Option<Vec<String>>,
}

impl Stopped {
    /// Kills `name`, such as `kube-apiserver`.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub fn kill(state: &State, name: &str) -> Result<Self> {
        let recorded = Process::recorded(state)?;
        let process = recorded
            .into_iter()
            .find(|process| process.name() == name && process.is_running())
            .with_context(|| format!("{name} does not run"))?;
        let command = fs::read_to_string(format!("/proc/{}/cmdline", process.id()))?;
        let command = command.split_terminator('\0').map(str::to_owned).collect();
        kill(&[process])?;
        Ok(Self {
            state: state.clone(),
            name: name.to_owned(),
            command: Some(command),
        })
    }

    /// Ends the outage.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(mut self) -> Result<()> {
        self.again()
    }

    fn again(&mut self) -> Result<()> {
        let Some(command) = self.command.take() else {
            return Ok(());
        };
        let (program, arguments) = command.split_first().context("a program")?;
        let mut command = Command::new(program);
        Process::start(&self.state, &self.name, command.args(arguments))?;
        Ok(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Err(error) = self.again() {
            eprintln!("starting {} again: {error:#}", self.name);
        }
    }
}
