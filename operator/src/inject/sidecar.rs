//! The container that is injected, and the volume with its token.

use std::sync::Arc;

use credence_core::names;
use serde_json::{Value, json};

use super::InjectSettings;
use super::pod::{Container, Pod};

/// How long the token is good for. The kubelet replaces it when four fifths
/// are gone, so a sidecar that connects always shows one with 12 minutes left
/// or more; an hour bounds what a stolen one is worth, and at the minimum of
/// ten minutes the API server would sign six times as many.
const TOKEN_SECONDS: u32 = 3600;

/// How often the startup probe may fail, at one a second. It waits for the
/// first bundle, so this is how long an operator may be away before waiting
/// pods begin to show restarts: once an hour, which is no crash loop.
const STARTUP_FAILURES: u32 = 3600;

/// The sidecar. `guaranteed` says that every container of the pod has limits
/// equal to its requests: then so has the sidecar, or the pod would lose its
/// quality of service and with it pinned CPUs.
pub(super) fn container(settings: &InjectSettings, guaranteed: bool) -> Value {
    let resources = if guaranteed {
        let both = json!({"cpu": "100m", "memory": "64Mi"});
        json!({"requests": both, "limits": both})
    } else {
        // No CPU limit: throttling would show up as latency of every call.
        json!({
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"memory": "64Mi"},
        })
    };
    let env: Vec<Value> = environment(settings)
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "name": names::CONTAINER,
        "image": settings.image,
        // What makes an init container a sidecar: it is started, not waited for.
        "restartPolicy": "Always",
        "env": env,
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": names::SIDECAR_UID,
            "runAsGroup": names::SIDECAR_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "startupProbe": {
            "httpGet": {"path": "/readyz", "port": names::SIDECAR_ADMIN_PORT},
            // The first bundle takes less than this. Kubelets before 1.34
            // never start the app of a pod with restartPolicy Never whose
            // first startup probe fails (kubernetes/kubernetes#132826).
            "initialDelaySeconds": 1,
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": STARTUP_FAILURES,
        },
        // A minute without an answer is a hang; anything less may be a busy
        // node, and a restart would cut every open stream.
        "livenessProbe": {
            "httpGet": {"path": "/livez", "port": names::SIDECAR_ADMIN_PORT},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{
            "name": names::TOKEN_VOLUME,
            "mountPath": names::TOKEN_DIRECTORY,
            "readOnly": true,
        }],
    })
}

/// The volume with the token that the sidecar shows to the feed.
pub(super) fn token_volume() -> Value {
    json!({
        "name": names::TOKEN_VOLUME,
        "projected": {"sources": [{"serviceAccountToken": {
            "audience": names::AUDIENCE,
            "expirationSeconds": TOKEN_SECONDS,
            "path": names::TOKEN_FILE,
        }}]},
    })
}

fn environment(settings: &InjectSettings) -> [(&'static str, String); 3] {
    let token = format!("{}/{}", names::TOKEN_DIRECTORY, names::TOKEN_FILE);
    [
        (names::FEED_VARIABLE, settings.feed.clone()),
        (names::FEED_CA_VARIABLE, settings.ca.to_string()),
        (names::TOKEN_VARIABLE, token),
    ]
}

/// Whether this is the sidecar as we inject it. The name alone proves nothing:
/// a container of that name with another image, program or feed would show
/// the pod's token to whom its author likes. What other webhooks may rightly
/// change (probes, resources, mounts, further variables) is not compared.
pub(super) fn is_ours(container: &Container<'_>, settings: &InjectSettings) -> bool {
    let untouched = container.command.is_none()
        && container.args.is_none()
        && container.env_from.is_none()
        && container.image == Some(settings.image.as_str())
        && container.restart_policy == Some("Always");
    untouched
        && environment(settings).iter().all(|(name, value)| {
            // Of two variables with one name the last would win.
            let mut set = container.env.iter().flatten().filter(|v| v.name == *name);
            let is_given = |given: &str| {
                let other = |ca: &Arc<str>| &**ca == given;
                given == value
                    || *name == names::FEED_CA_VARIABLE && settings.other_cas.iter().any(other)
            };
            set.next().is_some_and(|v| v.value.is_some_and(is_given)) && set.next().is_none()
        })
}

/// Whether every container has requests equal to limits, for both resources.
/// Quantities are compared as the API server writes them, in canonical form;
/// an absent request equals its limit.
pub(super) fn is_guaranteed(pod: &Pod<'_>) -> bool {
    pod.all_containers().all(|container| {
        let resources = container.resources.as_ref();
        let limits = resources.and_then(|r| r.limits.as_ref());
        let requests = resources.and_then(|r| r.requests.as_ref());
        ["cpu", "memory"].iter().all(|resource| {
            let limit = limits.and_then(|limits| limits.get(resource));
            let request = requests.and_then(|requests| requests.get(resource));
            limit.is_some() && (request.is_none() || request == limit)
        })
    })
}
