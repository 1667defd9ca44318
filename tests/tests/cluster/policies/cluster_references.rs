//! Whoever writes a collection of the cluster reads its Secrets: those of the
//! one namespace that it has them in.

use anyhow::{Result, ensure};
use credence_core::names::CLUSTER_CREDENTIALS_NAMESPACE;
use credence_tests::kubectl::Kubectl;
use credence_tests::shop::{PATIENCE, Shop};
use credence_tests::wait::until;
use serde_json::{Value, json};

use super::references::spec;
use super::{Namespace, accepted, allow, refused_by};

const POLICY: &str = "credence-references";
const WRITER: &str = "cluster-writer";
/// The only Secret that the user may read.
const OWN: &str = "cluster-own";
/// One that he may not read.
const FOREIGN: &str = "cluster-foreign";

/// The right to write collections of the cluster is not enough, nor is a Secret
/// of that name in another namespace.
pub(super) fn a_cluster_collection_is_written_only_by_who_may_read_its_secrets(
    shop: &Shop,
) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let elsewhere = Namespace::new(kubectl, "cluster-references", &json!({}))?;
    let writer = Writer::new(kubectl)?;
    elsewhere.allow(WRITER, &reading(OWN))?;
    until_may(kubectl, &["create", "clusterapicollections.credence.dev"])?;
    until_may(kubectl, &[&["-n", elsewhere.name][..], &READ].concat())?;

    let create = ["--as", WRITER, "create", "--dry-run=server", "-f", "-"];
    for environment in ["live", "development"] {
        for (field, reference) in [
            ("secretRef", json!({"name": OWN})),
            ("tlsSecretRef", json!({"name": OWN})),
            (
                "caRef",
                json!({"kind": "Secret", "name": OWN, "key": "ca.crt"}),
            ),
        ] {
            let stealing = collection("stealing", &json!({environment: {field: reference}}));
            let said = refused_by(kubectl, POLICY, &create, &stealing)?;
            ensure!(
                said.contains(&format!("spec.{environment}.{field}"))
                    && said.contains(&format!("namespace {CLUSTER_CREDENTIALS_NAMESPACE}")),
                "{said}"
            );
        }
    }

    writer.may_read(OWN)?;
    let home = ["-n", CLUSTER_CREDENTIALS_NAMESPACE];
    until_may(kubectl, &[&home[..], &READ].concat())?;
    let all = json!({"secretRef": {"name": OWN}, "tlsSecretRef": {"name": OWN},
        "caRef": {"kind": "Secret", "name": OWN, "key": "ca.crt"}});
    let own = collection("own", &json!({"live": all, "development": all}));
    accepted(kubectl, &create, &own)?;
    let foreign = collection("own", &json!({"live": {"secretRef": {"name": FOREIGN}}}));
    refused_by(kubectl, POLICY, &create, &foreign)?;

    // Somebody else's cannot be led to another host either.
    let theirs = json!({"live": {"secretRef": {"name": FOREIGN}}});
    let theirs = collection(THEIRS, &theirs);
    accepted(kubectl, &["create", "-f", "-"], &theirs)?;
    let stolen = json!({"spec": {"baseUrl": "https://stolen.example.com"}}).to_string();
    let patch = ["patch", "clusterapicollection", THEIRS, "--type=merge"];
    let patch = [&["--as", WRITER][..], &patch, &["-p", &stolen]].concat();
    refused_by(kubectl, POLICY, &patch, &Value::Null)?;
    Ok(())
}

const THEIRS: &str = "theirs-of-the-cluster";
const READ: [&str; 2] = ["get", "secrets/cluster-own"];

/// Somebody with the chart's role for collections of the cluster. Dropping it
/// takes away whatever was made outside of namespaces of the case.
struct Writer<'a>(&'a Kubectl);

impl<'a> Writer<'a> {
    fn new(kubectl: &'a Kubectl) -> Result<Self> {
        let writer = Self(kubectl);
        let group = "rbac.authorization.k8s.io";
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": WRITER},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "credence-cluster-edit"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": WRITER}],
        });
        kubectl.apply(&binding.to_string())?;
        Ok(writer)
    }

    /// Where collections of the cluster have their Secrets.
    fn may_read(&self, secret: &str) -> Result<()> {
        let home = CLUSTER_CREDENTIALS_NAMESPACE;
        allow(self.0, home, WRITER, &reading(secret))
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let binding = format!("clusterrolebinding/{WRITER}");
        let [role, lent] = ["role", "rolebinding"].map(|kind| format!("{kind}/{WRITER}"));
        let theirs = format!("clusterapicollection/{THEIRS}");
        let home = ["-n", CLUSTER_CREDENTIALS_NAMESPACE];
        for (of, objects) in [
            (&[][..], [binding.as_str(), &theirs]),
            (&home, [role.as_str(), &lent]),
        ] {
            let delete = [of, &["delete", "--ignore-not-found"], &objects].concat();
            if let Err(error) = self.0.run(&delete) {
                eprintln!("{error:#}");
            }
        }
    }
}

fn reading(secret: &str) -> Value {
    json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}])
}

/// The API server sees new roles in a moment.
fn until_may(kubectl: &Kubectl, what: &[&str]) -> Result<()> {
    let ask = [&["auth", "can-i", "--as", WRITER][..], what].concat();
    until("the role", PATIENCE, || {
        Ok(kubectl.run(&ask).ok().map(drop))
    })
}

/// For no namespace.
fn collection(name: &str, environments: &Value) -> Value {
    json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ClusterApiCollection",
        "metadata": {"name": name}, "spec": spec(environments),
    })
}
