//! The objects that the shop is made of.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::{APIS, APP, CALLER, ORPHAN, PROVIDER};
use crate::image::PROBE;
use crate::pki::Authority;

/// The provider's Deployment, its Service and what it needs.
pub(super) fn provider(
    authority: &Authority,
    keys: &BTreeMap<String, String>,
) -> Result<Vec<Value>> {
    let name = format!("provider.{PROVIDER}.svc");
    let server = authority.server("provider", &[&name], &[])?;
    let answers: BTreeMap<&str, String> = keys
        .iter()
        .map(|(name, key)| (key.as_str(), name.replace('-', " ")))
        .collect();
    let volume = "/var/run/provider";
    Ok(vec![
        secret(
            "provider",
            &[
                ("tls.crt", &server.certificate),
                ("tls.key", &server.key),
                ("answers.json", &serde_json::to_string(&answers)?),
            ],
        ),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "provider"},
            // It is to be reached as long as it runs, whoever can or cannot
            // look whether it is ready.
            "spec": {"publishNotReadyAddresses": true, "selector": {"app": "provider"}, "ports": [
                {"name": "https", "port": 443, "targetPort": 8443},
                {"name": "counters", "port": 8080},
            ]},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "provider"},
            "spec": {
                "selector": {"matchLabels": {"app": "provider"}},
                "template": {
                    // Another certificate takes another pod.
                    "metadata": {"labels": {"app": "provider"}, "annotations": {"certificate": server.certificate}},
                    "spec": {
                        "terminationGracePeriodSeconds": 5,
                        "containers": [{
                            "name": "provider", "image": PROBE,
                            "args": ["provider", format!("--certificate={volume}/tls.crt"),
                                format!("--key={volume}/tls.key"), format!("--answers={volume}/answers.json")],
                            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                            "volumeMounts": [{"name": "provider", "mountPath": volume, "readOnly": true}],
                        }],
                        "volumes": [{"name": "provider", "secret": {"secretName": "provider"}}],
                    },
                },
            },
        }),
    ])
}

/// The Secrets of both environments are in both namespaces: only the
/// namespace's label decides which one is used.
pub(super) fn material(authority: &str, keys: &BTreeMap<String, String>) -> Vec<Value> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "provider-ca"},
        "data": {"ca.crt": authority},
    })];
    for api in APIS {
        for environment in ["dev", "live"] {
            let name = format!("{api}-{environment}");
            let key = &keys[&name];
            objects.push(match key.split_once(':') {
                Some((user, password)) => {
                    secret(&name, &[("username", user), ("password", password)])
                }
                // With the line feed that an editor leaves.
                None => secret(&name, &[("api-key", &format!("{key}\n"))]),
            });
        }
    }
    objects
}

/// All but the first: that is the demo's own.
pub(super) fn collections() -> Vec<Value> {
    let methods = [
        json!({"auth": {"apiKey": {"in": "Query", "name": "appid", "value": "${secret.api-key}"}}}),
        json!({"auth": {"basic": {}}}),
        json!({"headers": [{"name": "X-Api-Key", "value": "${secret.api-key}"}]}),
    ];
    let environment = |api: &str, short: &str| {
        json!({
            "secretRef": {"name": format!("{api}-{short}")},
            "caRef": {"kind": "ConfigMap", "name": "provider-ca", "key": "ca.crt"},
            "allowPrivateNetworks": true,
        })
    };
    APIS[1..]
        .iter()
        .zip(methods)
        .map(|(api, mut spec)| {
            spec["baseUrl"] = json!(format!("https://provider.{PROVIDER}.svc/{api}"));
            spec["live"] = environment(api, "live");
            spec["development"] = environment(api, "dev");
            json!({
                "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
                "metadata": {"name": api}, "spec": spec,
            })
        })
        .collect()
}

pub(super) fn caller() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": CALLER},
        "spec": {
            "selector": {"matchLabels": {"app": CALLER}},
            "template": {
                "metadata": {
                    "labels": {"app": CALLER},
                    "annotations": {"credence.dev/collections": format!("{},{ORPHAN}", APIS.join(","))},
                },
                "spec": restricted_pod(&["hold"]),
            },
        },
    })
}

/// The spec of a pod that runs the probe and passes Pod Security `restricted`.
#[must_use]
pub fn restricted_pod(arguments: &[&str]) -> Value {
    json!({
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": APP, "image": PROBE, "args": arguments,
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
    })
}

pub(super) fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<&str, String> = data
        .iter()
        .map(|(key, value)| (*key, BASE64_STANDARD.encode(value)))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name}, "data": data,
    })
}
