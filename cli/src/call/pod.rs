//! A pod that is called through.

use std::time::Duration;

use anyhow::{Context as _, bail};
use credence_core::names;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::args::CallArgs;
use crate::kubeconfig;

/// For one answer of the API server.
const PATIENCE: Duration = Duration::from_secs(15);

/// Opens the port of the sidecar of the pod that is meant: what leads there, and
/// why the pod's node does not connect, if it does not.
///
/// # Errors
/// Where there is no such pod, or the API server does not let us.
pub(super) async fn forward(
    args: &CallArgs,
) -> anyhow::Result<(
    impl AsyncRead + AsyncWrite + Unpin + Send + use<>,
    impl Future<Output = Option<String>> + use<>,
)> {
    let config = kubeconfig::config(&args.cluster)
        .await
        .context("no cluster is configured")?;
    let namespace = args.namespace.as_ref();
    let namespace = namespace.unwrap_or(&config.default_namespace).clone();
    let client = Client::try_from(config).context("the cluster cannot be addressed")?;
    let api: Api<Pod> = Api::namespaced(client, &namespace);
    let pod = match &args.pod {
        Some(name) => in_time(api.get(name)).await?,
        None => {
            let pods = in_time(api.list(&ListParams::default())).await?;
            first(pods.items).with_context(|| {
                format!(
                    "no pod that runs in namespace \"{namespace}\" has a sidecar: `credence check \
                     -n {namespace}` says why"
                )
            })?
        }
    };
    let name = pod.name_any();
    if !has_sidecar(&pod) {
        bail!("pod \"{name}\" has no sidecar: add the label credence.dev/inject: \"true\" to it");
    }
    let port = port(&pod);
    let mut forwarder = in_time(api.portforward(&name, &[port])).await?;
    let taken = forwarder.take_stream(port).zip(forwarder.take_error(port));
    let (stream, error) = taken.context("the port was not forwarded")?;
    let refusal = async move {
        let error = error.await?;
        Some(format!(
            "pod \"{name}\" cannot be called at port {port}: {error}"
        ))
    };
    Ok((stream, refusal))
}

async fn in_time<T>(asked: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    answered
        .context("the API server does not answer")?
        .context("the API server says no")
}

/// The first by name that runs and has a sidecar.
fn first(mut pods: Vec<Pod>) -> Option<Pod> {
    pods.sort_by_key(Pod::name_any);
    pods.into_iter().find(|pod| runs(pod) && has_sidecar(pod))
}

fn runs(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}

fn has_sidecar(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.init_containers);
    containers
        .flatten()
        .any(|container| container.name == names::CONTAINER)
}

/// Where its sidecar listens.
fn port(pod: &Pod) -> u16 {
    let asked = pod.annotations().get(names::SIDECAR_PORT);
    asked
        .and_then(|port| port.parse().ok())
        .unwrap_or(names::PROXY_PORT)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn pod(name: &str, phase: &str, container: &str) -> Pod {
        from_value(json!({
            "metadata": {"name": name},
            "spec": {"containers": [], "initContainers": [{"name": container}]},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn the_first_pod_that_runs_with_a_sidecar_is_called_through() {
        let mut leaving = pod("a", "Running", "credence");
        leaving.metadata.deletion_timestamp = from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        let pods = vec![
            pod("e", "Running", "credence"),
            pod("d", "Running", "credence"),
            pod("c", "Running", "setup"),
            pod("b", "Pending", "credence"),
            leaving,
        ];
        assert_eq!(first(pods.clone()).unwrap().name_any(), "d");
        assert!(first(pods[2..].to_vec()).is_none());
    }

    #[test]
    fn its_port_is_that_of_the_annotation() {
        let mut pod = pod("a", "Running", "credence");
        assert_eq!(port(&pod), 2733);
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(names::SIDECAR_PORT.to_owned(), "9000".to_owned());
        assert_eq!(port(&pod), 9000);
    }
}
