//! `credence run`, as a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use credence_tests::wait;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use crate::caller;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running one; it is ended when this is dropped.
pub(crate) struct Credence {
    binary: PathBuf,
    child: Child,
    folder: TempDir,
    log: PathBuf,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// What a process holds at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) descriptors: i64,
    pub(crate) tasks: i64,
    pub(crate) clients: i64,
    pub(crate) upstreams: i64,
}

impl Credence {
    /// Serves these objects; its output goes to `log`.
    pub(crate) fn start(binary: &Path, log: PathBuf, objects: &[Value]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for object in objects {
            write(folder.path(), object)?;
        }
        let (child, proxy, admin) = spawn(binary, folder.path(), &log)?;
        Ok(Self {
            binary: binary.to_owned(),
            child,
            folder,
            log,
            proxy,
            admin,
        })
    }

    /// Ends it in good order and starts it anew, with the same files, on other
    /// ports; its output goes to another `log`.
    pub(crate) fn restart(mut self, log: PathBuf) -> Result<Self> {
        self.terminate()?;
        self.log = log;
        (self.child, self.proxy, self.admin) = spawn(&self.binary, self.folder.path(), &self.log)?;
        Ok(self)
    }

    /// All that it has said since it was started.
    pub(crate) fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// The address of a path on the proxy, as an app is given it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.proxy.port())
    }

    /// Replaces an object's file by renaming a new one over it.
    pub(crate) fn replace(&self, object: &Value) -> Result<()> {
        write(self.folder.path(), object)
    }

    /// Replaces the content of an object's file.
    pub(crate) fn overwrite(&self, object: &Value) -> Result<()> {
        fs::write(
            self.folder.path().join(file(object)),
            serde_json::to_vec_pretty(object)?,
        )?;
        Ok(())
    }

    /// The metrics' text.
    pub(crate) fn metrics(&self) -> Result<String> {
        let answer = caller::get(self.admin, "/metrics", &[])?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(answer.text())
    }

    /// The value of a series without labels.
    pub(crate) fn gauge(&self, name: &str) -> Result<i64> {
        let metrics = self.metrics()?;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.with_context(|| format!("no {name} in the metrics"))?;
        Ok(value.parse()?)
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Result<Held> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count();
        Ok(Held {
            descriptors: i64::try_from(descriptors)?,
            tasks: self.gauge("credence_tasks")?,
            clients: self.gauge("credence_client_connections")?,
            upstreams: self.gauge("credence_upstream_connections")?,
        })
    }

    /// What it holds when nobody calls it, seen twice in a row: closing a
    /// connection takes it a moment.
    pub(crate) fn at_rest(&self) -> Result<Held> {
        let mut last = None;
        wait::until("nobody calls", PATIENCE, || {
            let held = self.held()?;
            let same = last.replace(held) == Some(held);
            Ok((same && held.clients == 0).then_some(held))
        })
    }

    /// Waits until nothing is held but what was at the `beginning`, and
    /// upstream connections that are kept for the next call.
    pub(crate) fn settles(&self, beginning: Held) -> Result<()> {
        let mut last = beginning;
        let settled = wait::until("all is let go", PATIENCE, || {
            last = self.held()?;
            let kept = last.upstreams - beginning.upstreams;
            let back = last.clients == beginning.clients
                && last.descriptors == beginning.descriptors + kept
                // A connection that multiplexes is driven by a task of its own.
                && (beginning.tasks..=beginning.tasks + kept).contains(&last.tasks);
            Ok(back.then_some(()))
        });
        settled.with_context(|| format!("at first {beginning:?}, in the end {last:?}"))
    }

    /// Forgets the most memory that was resident so far (proc(5), `clear_refs`).
    pub(crate) fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(
            format!("/proc/{}/clear_refs", self.child.id()),
            "5",
        )?)
    }

    /// The most memory of its own that was resident since, in bytes: without the
    /// pages of its program, which are many in a build for tests.
    pub(crate) fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|line| line.split_whitespace().next());
            let kibibytes = kibibytes.with_context(|| format!("no {name}"))?;
            anyhow::Ok(kibibytes.parse::<u64>()? * 1024)
        };
        Ok(bytes("VmHWM:")?.saturating_sub(bytes("RssFile:")?))
    }

    /// Allows it so many open files; gives what it was allowed.
    pub(crate) fn limit_files(&self, most: Option<u64>) -> Result<Option<u64>> {
        let pid = Pid::from_child(&self.child);
        let limit = Rlimit {
            current: most,
            // As it is here: it has been inherited.
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        Ok(prlimit(Some(pid), Resource::Nofile, limit)?.current)
    }

    /// Asks it to end, which it must do in good order, and looks for what it
    /// should not have said.
    pub(crate) fn end(mut self) -> Result<()> {
        self.terminate()
    }

    fn terminate(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = wait::until("credence ends", PATIENCE, || Ok(self.child.try_wait()?))?;
        let said = self.said()?;
        ensure!(status.success(), "credence ended with {status}: {said}");
        ensure!(!said.contains("panic"), "{said}");
        Ok(())
    }
}

/// Starts it with the files of a folder, and waits until it says where it
/// listens.
fn spawn(binary: &Path, folder: &Path, log: &Path) -> Result<(Child, SocketAddr, SocketAddr)> {
    let output = File::create(log)?;
    let mut child = Command::new(binary)
        // All that it can say, so that it is seen to say nothing secret.
        .args(["run", "-vvv"])
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .arg(folder)
        .env_remove("CREDENCE_TEST_CLIENTS")
        // What it keeps; of no manifest, since the name is hidden.
        .env("XDG_STATE_HOME", folder.join(".state"))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    let addresses = wait::until("credence says where it listens", PATIENCE, || {
        let text = fs::read_to_string(log)?;
        if let Some(status) = child.try_wait()? {
            bail!("credence ended with {status}: {text}");
        }
        // The table comes after the addresses.
        if !text.contains("STATE") {
            return Ok(None);
        }
        Ok(address(&text, "proxy").zip(address(&text, "admin")))
    });
    match addresses {
        Ok((proxy, admin)) => Ok((child, proxy, admin)),
        Err(error) => {
            // Nobody else would.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

impl Drop for Credence {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    format!("{kind}-{name}.json")
}

fn write(folder: &Path, object: &Value) -> Result<()> {
    let fresh = folder.join(".fresh");
    fs::write(&fresh, serde_json::to_vec_pretty(object)?)?;
    fs::rename(&fresh, folder.join(file(object)))?;
    Ok(())
}

/// The address on the line that begins with `word`.
fn address(printed: &str, word: &str) -> Option<SocketAddr> {
    let line = printed.lines().find(|line| line.starts_with(word))?;
    let port = line.split(':').nth(2)?.split('/').next()?.parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}
