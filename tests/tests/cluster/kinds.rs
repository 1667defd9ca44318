//! Collections of the cluster.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_core::names::{CLUSTER_CREDENTIALS_NAMESPACE, FEED_PORT};
use credence_tests::feed::{Answer, Recording, connect};
use credence_tests::shop::{DEVELOPMENT, PATIENCE, PROVIDER, SYSTEM, Shop, restricted_pod};
use credence_tests::stolen::Window;
use credence_tests::wait::until;
use credence_tests::{bound_token, collect};
use serde_json::{Value, json};

use crate::calls::expect;
use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "a cluster collection is for the namespaces it selects",
        a_cluster_collection_is_for_the_namespaces_it_selects,
    )
    .here("the addresses of pods are not reached from this machine"),
    Case::parallel(
        "an ApiCollection shadows one of the cluster",
        an_api_collection_shadows_one_of_the_cluster,
    ),
];

/// The label by which collections select here.
const LABEL: &str = "credence-test.dev/selected";

/// A cluster collection, and namespaces with an app each.
struct Stage<'a> {
    shop: &'a Shop,
    /// Of the collection; those of the namespaces begin with it.
    name: &'static str,
}

/// Only selected namespaces see it, each with the credential of its
/// environment; ServiceAccounts are named with their namespaces; a namespace
/// that is relabelled loses it at once.
fn a_cluster_collection_is_for_the_namespaces_it_selects(shop: &Shop) -> Result<()> {
    let stage = Stage {
        shop,
        name: "shared",
    };
    stage.open(&["dev", "live", "out"])?;
    stage.until_known_as("dev", "weather dev")?;
    stage.until_known_as("live", "weather live")?;
    expect(&stage.call("out")?, 404, "unknown-collection")?;
    let (dev, out) = (stage.recording("dev")?, stage.recording("out")?);
    dev.wait_until(PATIENCE, |text| text.contains(shop.key("weather-dev")))?;
    stage.status_tells_of_both_environments()?;

    stage.set_accounts(&json!([format!("{}/default", stage.namespace("live"))]))?;
    stage.until_lost("dev")?;
    stage.until_known_as("live", "weather live")?;
    stage.set_accounts(&Value::Null)?;
    stage.until_known_as("dev", "weather dev")?;

    let begin = dev.text().len();
    let (edited, window) = (Instant::now(), Window::open()?);
    let unselect = format!("{LABEL}-");
    let namespace = stage.namespace("dev");
    stage.kubectl(&["label", "namespace", &namespace, &unselect])?;
    dev.wait_until(PATIENCE, |text| withdrawn(&text[begin..], stage.name))?;
    let took = edited.elapsed();
    note(format!("withdrawn after {} ms", took.as_millis()));
    // A second on an idle machine; here others run beside.
    window.judge("the withdrawal", took, Duration::from_secs(5))?;
    stage.until_lost("dev")?;

    dev.keep("cluster-collection-selected")?;
    out.keep("cluster-collection-not-selected")?;
    for (recording, never) in [
        (&dev, "weather-live"),
        (&out, "weather-live"),
        (&out, "weather-dev"),
        (&out, stage.name),
    ] {
        let key = match never == stage.name {
            true => never,
            false => shop.key(never),
        };
        ensure!(!recording.text().contains(key), "a feed held {never}");
    }
    stage.close(&["dev", "live", "out"])
}

/// In its namespace an ApiCollection is used instead, and both say so; when it
/// is gone, the other one is back.
fn an_api_collection_shadows_one_of_the_cluster(shop: &Shop) -> Result<()> {
    let stage = Stage {
        shop,
        name: "shadowed",
    };
    stage.open(&["dev", "live"])?;
    stage.until_known_as("dev", "weather dev")?;
    let dev = stage.namespace("dev");
    shop.write_secret(&dev, "own", "api-key", shop.key("weather-rotated"))?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "credence-credentials", "namespace": dev},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "credence-credentials"},
        "subjects": [{"kind": "ServiceAccount", "name": "credence-operator", "namespace": SYSTEM}],
    });
    let mut own = stage.collection("ApiCollection", "own", "own");
    own["metadata"]["namespace"] = json!(dev);
    let spec = own["spec"].as_object_mut().context("a spec")?;
    spec.remove("namespaceSelector");
    stage.apply(&[binding, stage.provider_ca(&dev)?, own])?;
    stage.until_known_as("dev", "weather rotated")?;
    stage.until_known_as("live", "weather live")?;
    let object = format!("apicollection/{}", stage.name);
    shop.wait_for(&dev, &object, "condition=Shadowed=False")?;
    let object = format!("clusterapicollection/{}", stage.name);
    shop.wait_for("default", &object, "condition=Shadowed=True")?;
    let said = stage.kubectl(&["describe", "clusterapicollection", stage.name])?;
    ensure!(said.contains(&format!("\"{dev}\"")), "{said}");

    stage.kubectl(&["-n", &dev, "delete", "apicollection", stage.name])?;
    stage.until_known_as("dev", "weather dev")?;
    until("the condition to be gone", PATIENCE, || {
        let get = ["get", "clusterapicollection", stage.name, "-o", "yaml"];
        Ok((!stage.kubectl(&get)?.contains("Shadowed")).then_some(()))
    })?;
    stage.close(&["dev", "live"])
}

impl Stage<'_> {
    fn open(&self, namespaces: &[&str]) -> Result<()> {
        let home = CLUSTER_CREDENTIALS_NAMESPACE;
        for environment in ["dev", "live"] {
            let name = format!("{}-{environment}", self.name);
            let key = self.shop.key(&format!("weather-{environment}"));
            self.shop.write_secret(home, &name, "api-key", key)?;
        }
        let secrets = ["dev", "live"].map(|environment| format!("{}-{environment}", self.name));
        let mut objects = vec![
            self.provider_ca(home)?,
            self.collection("ClusterApiCollection", &secrets[0], &secrets[1]),
        ];
        for kind in namespaces {
            let environment = match *kind {
                "dev" => "development",
                _ => "live",
            };
            let selected = match *kind {
                "out" => "no",
                _ => self.name,
            };
            objects.push(json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": self.namespace(kind), "labels": {
                    "credence.dev/environment": environment,
                    "credence.dev/inject": "enabled",
                    LABEL: selected,
                }},
            }));
        }
        self.apply(&objects)?;
        for kind in namespaces {
            let namespace = self.namespace(kind);
            let cluster = self.shop.cluster().kubectl();
            cluster.wait(&namespace, "serviceaccount/default", "create", PATIENCE)?;
            self.apply(&[json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "caller", "namespace": namespace, "labels": {"app": "caller"}},
                "spec": restricted_pod(&["hold"]),
            })])?;
        }
        for kind in namespaces {
            let namespace = self.namespace(kind);
            (self.shop).wait_for(&namespace, "pod/caller", "condition=Ready")?;
        }
        let object = format!("clusterapicollection/{}", self.name);
        self.shop.wait_for("default", &object, "condition=Ready")
    }

    fn close(&self, namespaces: &[&str]) -> Result<()> {
        self.kubectl(&["delete", "clusterapicollection", self.name])?;
        self.until_lost("live")?;
        for kind in namespaces {
            let namespace = self.namespace(kind);
            collect::namespace(self.shop.cluster(), &collect::closed(), &namespace)?;
            self.kubectl(&["delete", "namespace", &namespace, "--wait=false"])?;
        }
        Ok(())
    }

    fn namespace(&self, kind: &str) -> String {
        format!("{}-{kind}", self.name)
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.shop.cluster().kubectl().run(arguments)
    }

    fn apply(&self, objects: &[Value]) -> Result<()> {
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        let cluster = self.shop.cluster().kubectl();
        cluster.apply(&documents.join("\n---\n"))?;
        Ok(())
    }

    fn collection(&self, kind: &str, development: &str, live: &str) -> Value {
        let environment = |secret: &str| {
            json!({
                "secretRef": {"name": secret},
                "caRef": {"kind": "ConfigMap", "name": "provider-ca", "key": "ca.crt"},
                "allowPrivateNetworks": true,
            })
        };
        json!({
            "apiVersion": "credence.dev/v1alpha1", "kind": kind, "metadata": {"name": self.name},
            "spec": {
                "baseUrl": format!("https://provider.{PROVIDER}.svc/weather"),
                "auth": {"apiKey": {"in": "Query", "name": "appid", "value": "${secret.api-key}"}},
                "development": environment(development),
                "live": environment(live),
                "namespaceSelector": {"matchLabels": {LABEL: self.name}},
            },
        })
    }

    /// The provider's authority, as the shop's namespaces have it.
    fn provider_ca(&self, namespace: &str) -> Result<Value> {
        let kubectl = self.shop.cluster().kubectl();
        let ours = kubectl.json(&["-n", DEVELOPMENT, "get", "configmap", "provider-ca"])?;
        Ok(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "provider-ca", "namespace": namespace},
            "data": ours["data"],
        }))
    }

    fn set_accounts(&self, accounts: &Value) -> Result<()> {
        let patch = json!({"spec": {"access": {"serviceAccounts": accounts}}}).to_string();
        let of = ["patch", "clusterapicollection", self.name, "--type=merge"];
        self.kubectl(&[&of[..], &["-p", &patch]].concat())?;
        Ok(())
    }

    fn call(&self, kind: &str) -> Result<Value> {
        let path = format!("/{}/x", self.name);
        self.shop.call(&self.namespace(kind), &path)
    }

    fn until_known_as(&self, kind: &str, identity: &str) -> Result<()> {
        let (namespace, path) = (self.namespace(kind), format!("/{}/x", self.name));
        until(&format!("{namespace} to be {identity}"), PATIENCE, || {
            let seen = self.shop.identity(&namespace, &path).ok();
            Ok((seen.as_deref() == Some(identity)).then_some(()))
        })
    }

    fn until_lost(&self, kind: &str) -> Result<()> {
        until("the namespace to lose it", PATIENCE, || {
            Ok((self.call(kind)?["status"] == 404).then_some(()))
        })
    }

    fn status_tells_of_both_environments(&self) -> Result<()> {
        let kubectl = self.shop.cluster().kubectl();
        let status = until("both sidecars to be counted", PATIENCE, || {
            let object = kubectl.json(&["get", "clusterapicollection", self.name])?;
            // The recording is counted too, and never acknowledges.
            let counted = object["status"]["sidecars"]["summary"] == "2/3";
            Ok(counted.then(|| object["status"].clone()))
        })?;
        ensure!(status["environment"].is_null(), "{status:#}");
        let environments = status["environments"].as_array().context("environments")?;
        let seen: Vec<_> = environments
            .iter()
            .map(|one| (one["name"].as_str(), one["secretName"].as_str()))
            .collect();
        let secrets = [self.namespace("dev"), self.namespace("live")];
        ensure!(
            seen == [
                (Some("Development"), Some(secrets[0].as_str())),
                (Some("Live"), Some(secrets[1].as_str())),
            ],
            "{status:#}"
        );
        Ok(())
    }

    /// The feed of a namespace's app, from one of the replicas.
    fn recording(&self, kind: &str) -> Result<Recording> {
        let namespace = self.namespace(kind);
        let replica = self.kubectl(&[
            "-n",
            SYSTEM,
            "get",
            "pods",
            "-l",
            "app.kubernetes.io/name=credence-operator",
            "-o",
            "jsonpath={.items[0].status.podIP}",
        ])?;
        let root = self.kubectl(&[
            "get",
            "mutatingwebhookconfiguration",
            "credence-injector",
            "-o",
            "jsonpath={.webhooks[0].clientConfig.caBundle}",
        ])?;
        let root = String::from_utf8(BASE64_STANDARD.decode(root.trim())?)?;
        let token = bound_token::of_pod(self.shop.cluster().kubectl(), &namespace, "caller")?;
        let address = SocketAddr::new(replica.trim().parse()?, FEED_PORT);
        match connect(address, &root, Some(&token))? {
            Answer::Stream(recording) => Ok(recording),
            Answer::Refused { status, body } => bail!("refused with {status}: {body}"),
        }
    }
}

/// Whether the last bundle of a feed is without the collection.
fn withdrawn(feed: &str, name: &str) -> bool {
    let mut lines = feed.lines().filter(|line| line.contains("\"bundle\""));
    lines.next_back().is_some_and(|line| !line.contains(name))
}
