//! The container that is injected, and the volume with its token.

use std::collections::BTreeSet;

use credence_core::names;
use serde_json::{Value, json};

use super::InjectSettings;
use super::found_sidecar::{roots, token_file};
use super::pod::Container;

/// How long the token is good for. The kubelet replaces it when four fifths
/// are gone, so a sidecar that connects always shows one with 12 minutes left
/// or more; an hour bounds what a stolen one is worth, and at the minimum of
/// ten minutes the API server would sign six times as many.
const TOKEN_SECONDS: u32 = 3600;

/// How often the startup probe may fail, at one a second. It waits for the
/// first bundle, so this is how long an operator may be away before waiting
/// pods begin to show restarts: once an hour, which is no crash loop.
const STARTUP_FAILURES: u32 = 3600;

const READY: &str = "/readyz";
const ALIVE: &str = "/livez";

/// Where a kubelet asks whether the app may start: once the first bundle is
/// there, or at once.
pub(super) const fn startup_path(awaits: bool) -> &'static str {
    if awaits { READY } else { ALIVE }
}

/// What pods differ in.
pub(super) struct Fitting {
    pub(super) resources: Value,
    /// The proxy's port.
    pub(super) port: u16,
    /// Whether the app waits for the first bundle.
    pub(super) awaits: bool,
}

/// The sidecar.
pub(super) fn container(settings: &InjectSettings, fitting: &Fitting) -> Value {
    let mut env: Vec<Value> = environment(settings)
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    if fitting.port != names::PROXY_PORT {
        let port = fitting.port.to_string();
        env.push(json!({"name": names::PORT_VARIABLE, "value": port}));
    }
    json!({
        "name": names::CONTAINER,
        "image": settings.image,
        // What makes an init container a sidecar: it is started, not waited for.
        "restartPolicy": "Always",
        "env": env,
        "resources": fitting.resources,
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
            "httpGet": {"path": startup_path(fitting.awaits), "port": names::SIDECAR_ADMIN_PORT},
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
            "httpGet": {"path": ALIVE, "port": names::SIDECAR_ADMIN_PORT},
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

/// What every pod is given in the same way, for its digest.
pub(super) fn template(settings: &InjectSettings) -> Vec<u8> {
    let fitting = Fitting {
        resources: Value::Null,
        port: names::PROXY_PORT,
        awaits: true,
    };
    let template = json!([container(settings, &fitting), token_volume()]);
    template.to_string().into_bytes()
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

/// The same for every pod.
fn environment(settings: &InjectSettings) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        (names::FEED_VARIABLE, settings.feed.clone()),
        (names::FEED_CA_VARIABLE, settings.ca.to_string()),
        (names::TOKEN_VARIABLE, token_file()),
    ];
    if let Some(egress) = &settings.egress {
        variables.push(("HTTPS_PROXY", egress.url.as_str().to_owned()));
        if !egress.no_proxy.is_empty() {
            variables.push(("NO_PROXY", egress.no_proxy.clone()));
        }
    }
    variables
}

/// Whether this is a sidecar that we injected, or could have. A replica of
/// another version may have, while an upgrade rolls, or one that has not seen
/// the last change of authority: so any version of the image is ours, whichever
/// way out of the network it was given, and any authority that is held.
pub(super) fn is_ours(container: &Container<'_>, settings: &InjectSettings) -> bool {
    let held: BTreeSet<String> = [&settings.ca]
        .into_iter()
        .chain(&settings.other_cas)
        .filter_map(|pem| roots(pem))
        .flatten()
        .collect();
    container.traits().sidecar().is_some_and(|found| {
        found.has_image_of(&settings.image)
            && found.dials(&settings.feed, |root| held.contains(root))
    })
}
