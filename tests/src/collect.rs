//! Gathering everything that a cluster says about itself, for [`crate::leaks`]
//! and for whoever looks into a failed run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::Cluster;
use credence_core::names::{CONTAINER, SIDECAR_ADMIN_PORT};

use crate::images;
use crate::process::Process;
use crate::state::State;

mod processes;

/// The names of container ports that serve `/metrics`.
const METRICS: [&str; 2] = ["metrics", "admin"];

/// Writes into `folder`, which is emptied before: every object but Secrets
/// (their purpose is to hold secrets), every container's log, metrics; and of
/// a cluster on this machine the audit log, the programs' logs, the
/// environment and arguments of every process in a pod, and the files that our
/// own containers see.
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
    collection.pods(&["-A"], true)?;
    if let Some(state) = cluster.state() {
        collection.files("node/log", &state.path("log"))?;
        collection.files("node/pods", &state.path("pods"))?;
        collection.processes()?;
    }
    Ok(())
}

/// Where [`namespace`] puts what would be gone at the end of the run.
#[must_use]
pub fn closed() -> PathBuf {
    images::target().join("tmp/closed")
}

/// Where [`crate::feed::Recording::keep`] puts what sidecars of development
/// were sent. It holds keys of theirs, and is no part of the other folders.
#[must_use]
pub fn feeds() -> PathBuf {
    images::target().join("tmp/feeds")
}

/// Writes into `folder` what a namespace says that is about to be deleted: its
/// objects, Events and containers' logs.
///
/// # Errors
/// The cluster does not answer or the folder cannot be written.
pub fn namespace(cluster: &Cluster, folder: &Path, name: &str) -> Result<()> {
    let folder = &folder.join(name);
    let collection = Collection { cluster, folder };
    let objects = cluster.kubectl().run(&[
        "-n",
        name,
        "get",
        "events,pods,jobs,deployments,configmaps,apicollections",
        "-o",
        "yaml",
        "--show-managed-fields",
    ])?;
    collection.write("objects.yaml", objects.as_bytes())?;
    let Some(state) = cluster.state() else {
        return collection.pods(&["-n", name], false);
    };
    // Copied from the node, since asking for each takes a process.
    let prefix = format!("{name}_");
    for pod in fs::read_dir(state.path("pods"))? {
        let pod = pod?;
        if pod.file_name().to_string_lossy().starts_with(&prefix) {
            collection.files(&pod.file_name().to_string_lossy(), &pod.path())?;
        }
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

    /// Logs, where they cannot be copied, and metrics.
    fn pods(&self, of: &[&str], metrics: bool) -> Result<()> {
        let kubectl = self.cluster.kubectl();
        let pods = kubectl.json(&[&["get", "pods"], of].concat())?;
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
                if self.cluster.state().is_none() {
                    self.logs(namespace, name, container_name)?;
                }
                let named = list(&container["ports"])
                    .iter()
                    .filter(|port| METRICS.contains(&text(&port["name"])))
                    .filter_map(|port| port["containerPort"].as_u64());
                // The sidecar's is not in the pod, where its name could be the app's.
                let ours = (container_name == CONTAINER).then_some(SIDECAR_ADMIN_PORT.into());
                for port in named.chain(ours).filter(|_| metrics) {
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

    fn logs(&self, namespace: &str, pod: &str, container: &str) -> Result<()> {
        let of = ["-n", namespace, "logs", pod, "-c", container];
        for (suffix, arguments) in [
            ("", of.to_vec()),
            (".previous", [&of[..], &["--previous"]].concat()),
        ] {
            if let Ok(log) = self.cluster.kubectl().run(&arguments) {
                let name = format!("pods/{namespace}/{pod}/{container}{suffix}.log");
                self.write(&name, log.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Copies everything below `source`; a log of a container that is being
    /// removed may be gone.
    fn files(&self, name: &str, source: &Path) -> Result<()> {
        for file in below(source) {
            let inside = file.strip_prefix(source)?;
            if let Ok(content) = fs::read(&file) {
                self.write(&format!("{name}/{}", inside.display()), &content)?;
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

/// Every file below the folder; what vanishes meanwhile is left out.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // A link's target is found where it lies.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(below(&path)),
            Ok(kind) if kind.is_file() => files.push(path),
            Ok(_) | Err(_) => {}
        }
    }
    files
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
