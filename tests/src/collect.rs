//! Gathering everything that a cluster says about itself, for [`crate::leaks`]
//! and for whoever looks into a failed run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::state::State;
use crate::{cgroups, process::Process};

/// The names of container ports that serve `/metrics`.
const METRICS: [&str; 2] = ["metrics", "admin"];

/// Writes into `folder`, which is emptied before: every object but Secrets
/// (their purpose is to hold secrets), every container's log, metrics; and of
/// a cluster on this machine the audit log, the programs' logs, and the
/// environment and arguments of every process in a pod.
///
/// # Errors
/// The cluster does not answer or the folder cannot be written. That a single
/// container has no log or metrics yet is no error.
pub fn collect(cluster: &Cluster, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let collection = Collection { cluster, folder };
    collection.objects()?;
    collection.pods()?;
    if let Some(state) = cluster.state() {
        collection.programs(state)?;
        collection.processes()?;
    }
    Ok(())
}

struct Collection<'a> {
    cluster: &'a Cluster,
    folder: &'a Path,
}

impl Collection<'_> {
    fn objects(&self) -> Result<()> {
        let kubectl = self.cluster.kubectl();
        let kinds = kubectl.run(&["api-resources", "--verbs=list", "-o", "name"])?;
        let kinds: Vec<&str> = kinds.lines().filter(|kind| *kind != "secrets").collect();
        let all = kubectl.run(&[
            "get",
            &kinds.join(","),
            "-A",
            "-o",
            "yaml",
            "--show-managed-fields",
        ])?;
        self.write("objects.yaml", all.as_bytes())
    }

    fn pods(&self) -> Result<()> {
        let kubectl = self.cluster.kubectl();
        let pods = kubectl.json(&["get", "pods", "-A"])?;
        for pod in list(&pods["items"]) {
            let (namespace, name) = (
                text(&pod["metadata"]["namespace"]),
                text(&pod["metadata"]["name"]),
            );
            for container in list(&pod["spec"]["initContainers"])
                .iter()
                .chain(list(&pod["spec"]["containers"]))
            {
                let container_name = text(&container["name"]);
                let of = ["-n", namespace, "logs", name, "-c", container_name];
                for (suffix, arguments) in [
                    ("", of.to_vec()),
                    (".previous", [&of[..], &["--previous"]].concat()),
                ] {
                    let Ok(log) = kubectl.run(&arguments) else {
                        continue;
                    };
                    self.write(
                        &format!("pods/{namespace}/{name}/{container_name}{suffix}.log"),
                        log.as_bytes(),
                    )?;
                }
                for port in list(&container["ports"])
                    .iter()
                    .filter(|port| METRICS.contains(&text(&port["name"])))
                {
                    let port = &port["containerPort"];
                    let path =
                        format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/metrics");
                    let Ok(metrics) = kubectl.run(&["get", "--raw", &path]) else {
                        continue;
                    };
                    self.write(
                        &format!("pods/{namespace}/{name}/{container_name}.metrics"),
                        metrics.as_bytes(),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// The programs' own logs, and the logs of containers that are gone or
    /// that `kubectl` cannot reach.
    fn programs(&self, state: &State) -> Result<()> {
        for name in ["log", "pods"] {
            let source = state.path(name);
            for file in below(&source)? {
                let inside = file.strip_prefix(&source)?;
                self.write(
                    &format!("node/{name}/{}", inside.display()),
                    &fs::read(&file)?,
                )?;
            }
        }
        Ok(())
    }

    fn processes(&self) -> Result<()> {
        for process in cgroups::processes()?
            .iter()
            .filter(|process| process.is_running())
        {
            for what in ["environ", "cmdline"] {
                // It may end in this moment.
                let Ok(content) = fs::read(format!("/proc/{}/{what}", process.id())) else {
                    continue;
                };
                self.write(
                    &format!("processes/{}.{what}", process.id()),
                    &lines(content),
                )?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    }
}

/// Resident memory in KiB of each of the cluster's programs.
///
/// # Errors
/// The state folder cannot be read.
pub fn memory(state: &State) -> Result<Vec<(String, u64)>> {
    let processes = Process::recorded(state)?;
    Ok(processes
        .iter()
        .map(|process| (process.name().to_owned(), process.resident()))
        .collect())
}

/// Zero bytes part the entries of `environ` and `cmdline`.
fn lines(mut content: Vec<u8>) -> Vec<u8> {
    for byte in content.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'\n';
    }
    content
}

fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
