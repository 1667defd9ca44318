//! What the end-to-end cases and `make cluster` run on: Credence installed by
//! its chart, a provider that wants keys, and the same app and collections in
//! a development and a live namespace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Cluster;
use crate::kubectl::said;
use crate::pki::Authority;

mod branch;
mod issuer;
mod keys;
mod objects;
mod quiet;

pub use branch::Branch;
pub use issuer::Issuer;
pub use objects::restricted_pod;

/// Namespace of the operator.
pub const SYSTEM: &str = "credence-system";
/// Namespace with the label `development`.
pub const DEVELOPMENT: &str = "shop-dev";
/// Namespace with the label `live`.
pub const LIVE: &str = "shop-live";
/// Namespace of the provider.
pub const PROVIDER: &str = "provider";
/// The Deployment that the cases call from, and its pods' label `app`.
const CALLER: &str = "caller";
/// The container of every app.
pub const APP: &str = "app";

/// For what takes seconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The demo as users have it, applied as it stands.
const NAMESPACES: &str = include_str!("../../examples/demo/namespaces.yaml");
const COLLECTION: &str = include_str!("../../examples/demo/collection.yaml");
const EXAMPLE_APP: &str = include_str!("../../examples/demo/app.yaml");

/// The APIs, each with a method of its own; the collection manifests are the
/// same in both namespaces. The first is the demo's.
pub const APIS: [&str; 4] = ["payments", "weather", "ledger", "reports"];

/// The caller may use this one too: a case makes it, without its Secret.
pub const ORPHAN: &str = "orphan";

/// A running shop.
pub struct Shop {
    cluster: Cluster,
    /// Keys by API and environment: `payments-dev`, and `payments-rotated`,
    /// which the provider knows and no Secret holds yet.
    keys: BTreeMap<String, String>,
    /// What authorization servers and their clients know.
    secrets: BTreeMap<String, String>,
    /// The certificate (PEM) that the provider's chains to.
    authority: String,
}

impl Shop {
    /// Installs everything and waits until both apps are ready.
    ///
    /// # Errors
    /// A step fails; the error shows what the cluster says.
    pub fn open(cluster: &Cluster) -> Result<Self> {
        let authority = Authority::new("shop")?;
        let shop = Self {
            cluster: cluster.clone(),
            keys: keys::keys()?,
            secrets: keys::secrets()?,
            authority: authority.certificate().to_owned(),
        };
        let kubectl = cluster.kubectl();
        // RoleBindings of the chart go into them.
        kubectl.apply(NAMESPACES)?;
        shop.install(cluster, &[])?;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROVIDER}});
        kubectl.apply(&namespace.to_string())?;
        shop.apply(
            PROVIDER,
            &documents(&objects::provider(&authority, &shop.keys)?),
        )?;
        kubectl.run(&[
            "-n",
            PROVIDER,
            "rollout",
            "status",
            "deployment/provider",
            "--timeout=120s",
        ])?;
        for namespace in [DEVELOPMENT, LIVE] {
            shop.stock(namespace)?;
            shop.apply(namespace, EXAMPLE_APP)?;
            shop.apply(namespace, &documents(&[objects::caller()]))?;
        }
        for namespace in [DEVELOPMENT, LIVE] {
            for api in APIS {
                shop.wait_for(
                    namespace,
                    &format!("apicollection/{api}"),
                    "condition=Ready",
                )?;
            }
            for deployment in [APP, CALLER] {
                shop.wait_for(
                    namespace,
                    &format!("deployment/{deployment}"),
                    "condition=Available",
                )?;
            }
        }
        Ok(shop)
    }

    /// The collections and what they refer to.
    fn stock(&self, namespace: &str) -> Result<()> {
        let mut objects = objects::material(&self.authority, &self.keys);
        objects.extend(objects::collections());
        let all = format!("{}\n---\n{COLLECTION}", documents(&objects));
        self.apply(namespace, &all)
    }

    /// Applies manifests that name no namespace.
    fn apply(&self, namespace: &str, yaml: &str) -> Result<()> {
        let apply = ["-n", namespace, "apply", "-f", "-"];
        said(
            &self.cluster.kubectl().output_with_input(&apply, yaml)?,
            "kubectl apply",
        )?;
        Ok(())
    }

    /// Installs or upgrades Credence with the cluster's Helm, and waits until
    /// it is available.
    ///
    /// # Errors
    /// Helm refuses, or it is not.
    pub fn install(&self, cluster: &Cluster, more: &[&str]) -> Result<()> {
        let chart = workspace().join("charts/credence");
        let chart = chart.to_str().context("the path is not UTF-8")?;
        let namespaces = format!("credentialNamespaces={{{DEVELOPMENT},{LIVE}}}");
        let arguments = [
            "upgrade",
            "--install",
            "credence",
            chart,
            "--namespace",
            SYSTEM,
            "--create-namespace",
            "--wait",
            "--timeout",
            "180s",
            "--set",
            &namespaces,
            // Token endpoints of cases are in the cluster.
            "--set",
            "broker.privateNetworks={10.0.0.0/8,172.16.0.0/12,192.168.0.0/16}",
        ];
        cluster.helm(&[&arguments, more].concat())?;
        Ok(())
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A key that the provider knows.
    ///
    /// # Panics
    /// There is none of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> &str {
        &self.keys[name]
    }

    /// A secret of an authorization server or of its client.
    ///
    /// # Panics
    /// There is none of that name.
    #[must_use]
    pub fn secret(&self, name: &str) -> &str {
        &self.secrets[name]
    }

    /// `kubectl wait` with [`PATIENCE`].
    ///
    /// # Errors
    /// Not within it.
    pub fn wait_for(&self, namespace: &str, object: &str, condition: &str) -> Result<()> {
        self.cluster
            .kubectl()
            .wait(namespace, object, condition, PATIENCE)
    }

    /// Name of a running pod of the app.
    ///
    /// # Errors
    /// There is none.
    pub fn app(&self, namespace: &str) -> Result<String> {
        let pods = self.cluster.kubectl().json(&[
            "-n",
            namespace,
            "get",
            "pods",
            "-l",
            "app=caller",
            "--field-selector=status.phase=Running",
        ])?;
        let items = pods["items"].as_array().context("a list of pods")?;
        let live = items
            .iter()
            .find(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(live.context("no app is running")?["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// What the app of `namespace` is answered at `http://localhost:2733` +
    /// `path`: `{status, headers, body}`.
    ///
    /// # Errors
    /// There is no answer.
    pub fn call(&self, namespace: &str, path: &str) -> Result<Value> {
        let url = format!("http://localhost:2733{path}");
        self.in_app(namespace, &["/probe", "call", &url])
    }

    /// Runs a program in the app's container; its output is JSON.
    ///
    /// # Errors
    /// It fails or prints something else.
    pub fn in_app(&self, namespace: &str, program: &[&str]) -> Result<Value> {
        let output = self
            .cluster
            .kubectl()
            .exec(namespace, &self.app(namespace)?, APP, program)?;
        serde_json::from_str(&output).with_context(|| format!("not JSON: {output}"))
    }

    /// How the provider knows whoever calls `path`, such as
    /// `payments development`.
    ///
    /// # Errors
    /// The call is not answered with status 200.
    pub fn identity(&self, namespace: &str, path: &str) -> Result<String> {
        let answer = self.call(namespace, path)?;
        ensure!(
            answer["status"] == 200,
            "{path} in {namespace} is answered {answer}"
        );
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
        Ok(body["answer"].as_str().unwrap_or_default().to_owned())
    }

    /// What the provider counted so far: `{calls, answered, refused,
    /// unauthenticated}`.
    ///
    /// # Errors
    /// It does not say.
    pub fn counters(&self) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{PROVIDER}/services/provider:counters/proxy/");
        Ok(serde_json::from_str(
            &self.cluster.kubectl().run(&["get", "--raw", &path])?,
        )?)
    }

    /// Writes the Secret `name` with one key.
    ///
    /// # Errors
    /// It is refused.
    pub fn write_secret(&self, namespace: &str, name: &str, key: &str, value: &str) -> Result<()> {
        self.apply(
            namespace,
            &objects::secret(name, &[(key, value)]).to_string(),
        )
    }
}

fn documents(objects: &[Value]) -> String {
    objects
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n---\n")
}

fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}
