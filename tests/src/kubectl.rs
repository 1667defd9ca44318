//! The cluster as a user sees it: `kubectl` and `helm`.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// `kubectl` with a kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// The program at `program` with the kubeconfig at `kubeconfig`.
    #[must_use]
    pub fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self {
            program,
            kubeconfig,
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The command with these arguments, for a caller that wants to start it
    /// and go on.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments);
        command
    }

    /// Runs to the end, whatever that is: for calls that are to be refused.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .context("starting kubectl")
    }

    /// Standard output of a call that must succeed.
    ///
    /// # Errors
    /// It fails; the error holds what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        said(
            &self.output(arguments)?,
            format_args!("kubectl {}", arguments.join(" ")),
        )
    }

    /// What a call that must fail says on standard error.
    ///
    /// # Errors
    /// It succeeds.
    pub fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments)?;
        if output.status.success() {
            bail!("kubectl {} should have been refused", arguments.join(" "));
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// An object or list, as JSON.
    ///
    /// # Errors
    /// The call fails or answers something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).context("kubectl's answer")
    }

    /// Runs with `input` on standard input, whatever the end is.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn output_with_input(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting kubectl")?;
        if let Some(mut stdin) = child.stdin.take() {
            // A call that ends without reading says why on standard error.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(child.wait_with_output()?)
    }

    /// Applies manifests.
    ///
    /// # Errors
    /// One of them is refused.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        said(
            &self.output_with_input(&["apply", "-f", "-"], yaml)?,
            "kubectl apply",
        )
    }

    /// What is said to manifests that must be refused.
    ///
    /// # Errors
    /// They are accepted.
    pub fn apply_refused(&self, yaml: &str) -> Result<String> {
        let output = self.output_with_input(&["apply", "-f", "-"], yaml)?;
        if output.status.success() {
            bail!("these manifests should have been refused:\n{yaml}");
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Watches until `object` (such as `pod/web`) meets `condition` (such as
    /// `condition=Ready`, `jsonpath={.status.phase}=Running`, `create`,
    /// `delete`). An object that is not there yet is waited for.
    ///
    /// # Errors
    /// Not within `patience`; the error shows the object and its events.
    pub fn wait(
        &self,
        namespace: &str,
        object: &str,
        condition: &str,
        patience: Duration,
    ) -> Result<()> {
        let limit = format!("--timeout={}s", patience.as_secs());
        let of = ["-n", namespace, "wait", object, limit.as_str()];
        if !matches!(condition, "create" | "delete") {
            self.run(&[of.as_slice(), &["--for=create"]].concat())?;
        }
        let Err(error) = self.run(&[of.as_slice(), &[&format!("--for={condition}")]].concat())
        else {
            return Ok(());
        };
        let seen = self
            .run(&["-n", namespace, "describe", object])
            .unwrap_or_default();
        Err(error.context(format!(
            "{object} in {namespace} is not {condition}:\n{seen}"
        )))
    }

    /// A container's log.
    ///
    /// # Errors
    /// There is none.
    pub fn logs(&self, namespace: &str, pod: &str, container: &str) -> Result<String> {
        self.run(&["-n", namespace, "logs", pod, "-c", container])
    }

    /// Standard output of a program run in a container.
    ///
    /// # Errors
    /// It cannot be run or ends with another code than 0.
    pub fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        program: &[&str],
    ) -> Result<String> {
        self.run(
            &[
                ["-n", namespace, "exec", pod, "-c", container, "--"].as_slice(),
                program,
            ]
            .concat(),
        )
    }
}

/// Standard output, or the failure as an error with standard error in it.
pub(crate) fn said(output: &Output, what: impl Display) -> Result<String> {
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
