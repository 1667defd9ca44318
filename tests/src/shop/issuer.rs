//! An authorization server in a branch, and the API that wants its tokens.

use anyhow::Result;
use credence_core::names;
use serde_json::{Value, json};

use super::objects::{restricted_pod, secret};
use super::{Branch, Shop};
use crate::kubectl::said;
use crate::pki::Authority;

/// `probe issuer`, as a Deployment of its branch.
pub struct Issuer<'a> {
    branch: &'a Branch<'a>,
}

const NAME: &str = "issuer";
const CONTROL: &str = "control";
const VOLUME: &str = "/var/run/issuer";

impl<'a> Issuer<'a> {
    /// Starts it with these clients, as the probe takes them, and waits until
    /// it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn start(branch: &'a Branch<'a>, clients: &Value) -> Result<Self> {
        let authority = Authority::new(NAME)?;
        let host = format!("{NAME}.{}.svc", branch.namespace());
        let server = authority.server(NAME, &[&host], &[])?;
        let settings = json!({"prefix": branch.shop().secret("issued"), "clients": clients});
        let arguments = [
            "certificate=tls.crt",
            "key=tls.key",
            "settings=settings.json",
        ]
        .map(|pair| pair.replacen('=', &format!("={VOLUME}/"), 1))
        .map(|pair| format!("--{pair}"));
        let mut pod =
            restricted_pod(&[&[NAME][..], &arguments.each_ref().map(String::as_str)].concat());
        pod["volumes"] =
            json!([{"name": NAME, "secret": {"secretName": format!("{NAME}-server")}}]);
        let container = &mut pod["containers"][0];
        container["volumeMounts"] = json!([{"name": NAME, "mountPath": VOLUME, "readOnly": true}]);
        container["readinessProbe"] =
            json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1});
        branch.apply(&[
            secret(
                &format!("{NAME}-server"),
                &[
                    ("tls.crt", &server.certificate),
                    ("tls.key", &server.key),
                    ("settings.json", &settings.to_string()),
                ],
            ),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{NAME}-ca")},
                "data": {"ca.crt": authority.certificate()},
            }),
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME},
                "spec": {"selector": {"app": NAME}, "ports": [
                    {"name": "https", "port": 443, "targetPort": 8443},
                    {"name": CONTROL, "port": 8080},
                ]},
            }),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
                "spec": {
                    "selector": {"matchLabels": {"app": NAME}},
                    "template": {
                        "metadata": {"labels": {"app": NAME, names::INJECT: "false"}},
                        "spec": pod,
                    },
                },
            }),
        ])?;
        branch.wait_for(&format!("deployment/{NAME}"), "condition=Available")?;
        Ok(Self { branch })
    }

    /// A collection of its API, with the Secret and certificate of that name.
    #[must_use]
    pub fn collection(&self, name: &str, auth: &Value) -> Value {
        let host = format!("https://{NAME}.{}.svc", self.branch.namespace());
        let mut auth = auth.clone();
        for (_, method) in auth.as_object_mut().into_iter().flatten() {
            method["token"]["url"] = json!(format!("{host}/token"));
        }
        json!({
            "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection", "metadata": {"name": name},
            "spec": {
                "baseUrl": format!("{host}/api"), "auth": auth,
                "development": {
                    "secretRef": {"name": name},
                    "caRef": {"kind": "ConfigMap", "name": format!("{NAME}-ca"), "key": "ca.crt"},
                    "allowPrivateNetworks": true,
                },
            },
        })
    }

    /// What it has counted.
    ///
    /// # Errors
    /// It does not say.
    pub fn counters(&self) -> Result<Value> {
        let answer = self
            .shop()
            .cluster()
            .kubectl()
            .run(&["get", "--raw", &self.path("")])?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// How many there were of something that it counts for each client.
    ///
    /// # Errors
    /// It does not say.
    pub fn count(&self, client: &str, what: &str) -> Result<u64> {
        Ok(Self::counted(&self.counters()?, client, what))
    }

    /// The same, of what it has said.
    #[must_use]
    pub fn counted(counters: &Value, client: &str, what: &str) -> u64 {
        counters["clients"][client][what]
            .as_u64()
            .unwrap_or_default()
    }

    /// Has it do something: `answer`, `wait`, `hold`, `fail` or `revoke`. What
    /// it has counted until then, if it held an answer back, is not held.
    ///
    /// # Errors
    /// It was not told.
    pub fn tell(&self, what: &str) -> Result<Value> {
        let path = self.path(what);
        let create = ["create", "--raw", &path, "-f", "-"];
        let kubectl = self.shop().cluster().kubectl();
        let answer = said(&kubectl.output_with_input(&create, "")?, what)?;
        Ok(serde_json::from_str(&answer)?)
    }

    fn path(&self, what: &str) -> String {
        let namespace = self.branch.namespace();
        format!("/api/v1/namespaces/{namespace}/services/{NAME}:{CONTROL}/proxy/{what}")
    }

    fn shop(&self) -> &Shop {
        self.branch.shop()
    }
}
