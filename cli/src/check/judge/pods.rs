//! Pods that were to have a sidecar.

use std::collections::BTreeMap;

use credence_core::names::{CONTAINER, STATUS};
use credence_operator::inject::{Skip, skips};
use k8s_openapi::api::core::v1::{Container, Namespace, Pod};
use kube::ResourceExt as _;
use serde_json::Value;

use super::{environment, is_exempt, unknown};
use crate::check::cluster::Look;
use crate::check::facts::{DryRunOutcome, Installation, Places};
use crate::check::finding::Finding;
use crate::check::report::counted;

/// Members of the injector's annotation that differ from pod to pod for other
/// reasons than its age.
const OF_THE_POD: [&str; 1] = ["environment"];

pub(super) fn judge(places: &Places, found: &Installation) -> Vec<Finding> {
    let (marked, unmarked) = match (&found.marked, &found.unmarked) {
        (Look::Seen(marked), Look::Seen(unmarked)) => (marked, unmarked),
        (Look::Unknown(why), _) | (_, Look::Unknown(why)) => {
            return vec![unknown("pods", "which pods have a sidecar", why, places)];
        }
        (Look::Absent, _) | (_, Look::Absent) => return Vec::new(),
    };
    let namespaces = found
        .namespaces
        .seen()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let (with, lost): (Vec<&Pod>, Vec<&Pod>) = marked
        .iter()
        .filter(|pod| is_alive(pod))
        .partition(|pod| sidecar(pod).is_some());
    let asked = unmarked
        .iter()
        .filter(|pod| is_alive(pod) && !is_exempt(&pod.namespace().unwrap_or_default(), places));
    let mut missing: Vec<&Pod> = lost;
    let mut skipped: BTreeMap<&'static str, Vec<&Pod>> = BTreeMap::new();
    for pod in asked {
        match skip(pod, namespaces) {
            Some(why) => skipped.entry(why).or_default().push(pod),
            None => missing.push(pod),
        }
    }
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let message = format!(
            "{} without the sidecar that was asked for:",
            counted(missing.len(), "pod")
        );
        let hint = "they were created before the injector was asked about them: create them anew, for example by\n\
                    kubectl --namespace NAMESPACE rollout restart deployment NAME";
        findings.push(Finding::failure("sidecar-missing", message, hint).about(names(&missing)));
    }
    for (why, pods) in skipped {
        let message = format!(
            "{} that cannot have a sidecar: {why}",
            counted(pods.len(), "pod")
        );
        let hint = "the label credence.dev/inject: \"false\" on them says that this is meant";
        findings.push(Finding::warning("sidecar-skipped", message, hint).about(names(&pods)));
    }
    findings.insert(0, outdated(&with, &found.dry_run.outcome));
    findings
}

/// Compares sidecars with the one that a pod would get now.
fn outdated(with: &[&Pod], dry_run: &DryRunOutcome) -> Finding {
    let check = "sidecar-outdated";
    let counted = |count| counted(count, "pod");
    let fresh = match dry_run {
        DryRunOutcome::Made(pod) if sidecar(pod).is_some() => pod,
        DryRunOutcome::Made(_) | DryRunOutcome::Broken(_) | DryRunOutcome::Refused(_) => {
            let what = format!(
                "whether the sidecars of {} are the latest",
                counted(with.len())
            );
            return Finding::unknown(check, &what, "the injector could not be tried");
        }
    };
    let old: Vec<&Pod> = with
        .iter()
        .filter(|pod| image(pod) != image(fresh) || !is_same(&injected(pod), &injected(fresh)))
        .copied()
        .collect();
    if old.is_empty() {
        let message = match with.len() {
            0 => "no pod has a sidecar yet".to_owned(),
            all => format!("{} with a sidecar, none of them outdated", counted(all)),
        };
        return Finding::fine(check, message);
    }
    let message = format!(
        "{} with a sidecar that a new pod would not get any more:",
        counted(old.len())
    );
    let hint = "they work, but without what is new: create them anew when it suits, for example by\n\
                kubectl --namespace NAMESPACE rollout restart deployment NAME";
    Finding::warning(check, message, hint).about(names(&old))
}

/// The container that the injector adds.
pub(super) fn sidecar(pod: &Pod) -> Option<&Container> {
    let containers = pod.spec.as_ref()?.init_containers.as_deref()?;
    containers
        .iter()
        .find(|container| container.name == CONTAINER)
}

fn image(pod: &Pod) -> Option<&str> {
    sidecar(pod)?.image.as_deref()
}

/// What the injector wrote down.
fn injected(pod: &Pod) -> Value {
    let written = pod.annotations().get(STATUS);
    written
        .and_then(|written| serde_json::from_str(written).ok())
        .unwrap_or_default()
}

fn is_same(one: &Value, other: &Value) -> bool {
    let Some((one, other)) = one.as_object().zip(other.as_object()) else {
        return false;
    };
    let mut members = one.keys().chain(other.keys());
    members
        .all(|member| OF_THE_POD.contains(&member.as_str()) || one.get(member) == other.get(member))
}

fn is_alive(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Why the injector leaves a pod alone that asks for a sidecar.
fn skip(pod: &Pod, namespaces: &[Namespace]) -> Option<&'static str> {
    let namespace = pod.namespace().unwrap_or_default();
    let home = namespaces
        .iter()
        .find(|found| found.name_any() == namespace);
    let environment = home.map(environment).unwrap_or_default();
    match skips(&serde_json::to_value(pod).ok()?, environment)? {
        Skip::HostNetwork => Some("it is in the network of its node"),
        Skip::Windows => Some("it runs on Windows"),
        Skip::MirrorPod => Some("it is a static pod"),
        Skip::SharedProcesses => {
            Some("others see its containers' processes, or they each other's, in a live namespace")
        }
        // Such pods ask for none, or have one.
        Skip::OptedOut | Skip::AlreadyInjected => None,
    }
}

fn names(pods: &[&Pod]) -> Vec<String> {
    let name = |pod: &&Pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    pods.iter().map(name).collect()
}
