//! Pods that call without a pause, and say when what they are answered
//! changes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use credence_tests::shop::{APP, Branch, restricted_pod};
use serde::Deserialize;
use serde_json::json;

/// Milliseconds that each pod rests after a call.
const REST: &str = "20";

/// A Deployment in a branch.
pub(crate) struct Callers<'a> {
    branch: &'a Branch<'a>,
    pods: usize,
}

/// What a pod is answered from `at` on, in milliseconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) at: u64,
    pub(crate) pod: String,
    status: Option<u16>,
    #[serde(default)]
    body: String,
    failure: Option<String>,
}

impl Change {
    /// An error when the call failed.
    pub(crate) fn succeeded(&self) -> Result<()> {
        let Self {
            at,
            pod,
            body,
            failure,
            ..
        } = self;
        ensure!(
            self.status == Some(200),
            "a call of {pod} failed at {at}: {failure:?} {body}"
        );
        Ok(())
    }

    /// Whether the call was refused because the collection was between two
    /// environments: the old credential is gone before the new one is there.
    pub(crate) fn is_between(&self) -> bool {
        self.status == Some(503) && self.body.contains("urn:credence:error:not-ready")
    }

    /// Whether the provider knew the caller as this, such as `payments dev`.
    pub(crate) fn is(&self, identity: &str) -> bool {
        self.body.contains(&format!("\"{identity}\""))
    }
}

impl<'a> Callers<'a> {
    /// Starts `pods` of them and waits until all are ready.
    pub(crate) fn start(branch: &'a Branch<'a>, pods: usize) -> Result<Self> {
        Self::of(branch, "payments", pods)
    }

    /// The same for a collection of this name.
    pub(crate) fn of(branch: &'a Branch<'a>, collection: &str, pods: usize) -> Result<Self> {
        let url = format!("http://localhost:2733/{collection}/x");
        let load = [
            "load",
            &url,
            "--seconds=3600",
            "--connections=1",
            "--rest",
            REST,
            "--changes",
        ];
        branch.apply(&[json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "callers"},
            "spec": {
                "replicas": pods,
                "selector": {"matchLabels": {"app": "callers"}},
                "template": {"metadata": {"labels": {"app": "callers"}}, "spec": restricted_pod(&load)},
            },
        })])?;
        branch.kubectl(&["rollout", "status", "deployment/callers", "--timeout=120s"])?;
        Ok(Self { branch, pods })
    }

    /// All changes so far, none of which is a failed call, and nothing was
    /// restarted.
    pub(crate) fn unfailed(&self) -> Result<Vec<Change>> {
        let changes = self.changes()?;
        changes.iter().try_for_each(Change::succeeded)?;
        Ok(changes)
    }

    /// The same of pods whose environment changed.
    pub(crate) fn unfailed_but_between(&self) -> Result<()> {
        let changes = self.changes()?;
        let mut others = changes.iter().filter(|change| !change.is_between());
        others.try_for_each(Change::succeeded)
    }

    fn changes(&self) -> Result<Vec<Change>> {
        let log = self.branch.kubectl(&self.logs(&[]))?;
        let changes: Vec<Change> = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let pods = self.branch.json(&["get", "pods", "-l", "app=callers"])?;
        let pods = pods["items"].as_array().context("pods")?;
        ensure!(pods.len() == self.pods, "there are {} pods", pods.len());
        for pod in pods {
            for container in ["containerStatuses", "initContainerStatuses"] {
                let status = &pod["status"][container][0];
                ensure!(status["restartCount"] == 0, "it was restarted: {status}");
            }
        }
        ensure!(!changes.is_empty(), "nobody called");
        Ok(changes)
    }

    /// The changes as they happen.
    pub(crate) fn follow(&self) -> Result<Following> {
        let kubectl = self.branch.shop().cluster().kubectl();
        let of = ["-n", self.branch.namespace()];
        let mut child = kubectl
            .command(&[&of[..], &self.logs(&["--follow"])].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let (sender, changes) = channel();
        // It ends with the child.
        std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            for change in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(change).is_err() {
                    break;
                }
            }
        });
        Ok(Following {
            child,
            changes,
            pods: self.pods,
        })
    }

    fn logs<'b>(&self, more: &[&'b str]) -> Vec<&'b str> {
        let all = [
            "logs",
            "-l",
            "app=callers",
            "-c",
            APP,
            "--tail=-1",
            "--max-log-requests=100",
        ];
        [&all[..], more].concat()
    }
}

/// See [`Callers::follow`].
pub(crate) struct Following {
    child: Child,
    changes: Receiver<Change>,
    pods: usize,
}

impl Following {
    /// Waits until each pod is known as `identity`; says when each was first.
    pub(crate) fn until_all(&self, identity: &str, patience: Duration) -> Result<Vec<Change>> {
        let deadline = Instant::now() + patience;
        let mut seen: Vec<Change> = Vec::new();
        while seen.len() < self.pods {
            let left = deadline.saturating_duration_since(Instant::now());
            let change: Change = self.changes.recv_timeout(left).with_context(|| {
                format!("{} of {} pods became {identity}", seen.len(), self.pods)
            })?;
            if !change.is_between() {
                change.succeeded()?;
            }
            if change.is(identity) && !seen.iter().any(|other| other.pod == change.pod) {
                seen.push(change);
            }
        }
        Ok(seen)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended with its connection.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
