//! Whoever writes a collection reads its Secrets.

use anyhow::{Result, ensure};
use credence_tests::kubectl::Kubectl;
use credence_tests::shop::Shop;
use serde_json::{Value, json};

use super::{Namespace, accepted, refused_by};

const POLICY: &str = "credence-references";
/// The only Secret that the user may read.
const OWN: &str = "own";
/// One that is there and that he may not read.
const FOREIGN: &str = "foreign";

/// By every way of writing, and through each field that names a Secret.
pub(super) fn a_collection_is_written_only_by_who_may_read_its_secrets(shop: &Shop) -> Result<()> {
    let (kubectl, user) = (shop.cluster().kubectl(), "reference-writer");
    let namespace = Namespace::new(kubectl, "references", &json!({}))?;
    writer(&namespace, user)?;
    let collection = |name: &str, settings: Value| collection(namespace.name, name, &settings);
    for environment in ["live", "development"] {
        for (field, reference) in [
            ("secretRef", json!({"name": FOREIGN})),
            ("tlsSecretRef", json!({"name": FOREIGN})),
            (
                "caRef",
                json!({"kind": "Secret", "name": FOREIGN, "key": "ca.crt"}),
            ),
        ] {
            let mut settings = json!({environment: {"secretRef": {"name": OWN}}});
            settings[environment][field] = reference;
            let stealing = collection("stealing", settings);
            for call in [
                &["--as", user, "create", "-f", "-"][..],
                &["--as", user, "apply", "-f", "-"],
                &["--as", user, "apply", "--server-side", "-f", "-"],
            ] {
                let said = refused_by(kubectl, POLICY, call, &stealing)?;
                ensure!(
                    said.contains(&format!("spec.{environment}.{field}"))
                        && said.contains(FOREIGN)
                        && said.contains("namespace references"),
                    "{said}"
                );
            }
        }
    }
    let both = json!({"secretRef": {"name": OWN}, "tlsSecretRef": {"name": OWN},
        "caRef": {"kind": "Secret", "name": OWN, "key": "ca.crt"}});
    let own = collection("own", json!({"live": both, "development": both}));
    accepted(kubectl, &["--as", user, "create", "-f", "-"], &own)?;
    // A certificate of an authority is no secret.
    let authority = json!({"secretRef": {"name": OWN},
        "caRef": {"kind": "ConfigMap", "name": FOREIGN, "key": "ca.crt"}});
    let own = collection("own", json!({"live": authority}));
    accepted(kubectl, &["--as", user, "apply", "-f", "-"], &own)?;

    let patch = json!({"spec": {"live": {"secretRef": {"name": FOREIGN}}}}).to_string();
    let call = patching(user, &namespace, "own", &patch);
    refused_by(kubectl, POLICY, &call, &Value::Null)?;
    let replaced = collection("own", json!({"live": {"secretRef": {"name": FOREIGN}}}));
    refused_by(
        kubectl,
        POLICY,
        &["--as", user, "replace", "-f", "-"],
        &replaced,
    )?;
    Ok(())
}

/// Somebody else's collection cannot be led to another host either, while what
/// is not its spec may be changed.
pub(super) fn a_neighbours_secret_keeps_its_host(shop: &Shop) -> Result<()> {
    let (kubectl, user) = (shop.cluster().kubectl(), "host-writer");
    let namespace = Namespace::new(kubectl, "neighbours", &json!({}))?;
    writer(&namespace, user)?;
    let theirs = collection(
        namespace.name,
        "theirs",
        &json!({"live": {"secretRef": {"name": FOREIGN}}}),
    );
    accepted(kubectl, &["create", "-f", "-"], &theirs)?;
    for patch in [
        json!({"spec": {"baseUrl": "https://stolen.example.com"}}),
        json!({"spec": {"live": {"baseUrl": "https://stolen.example.com"}}}),
        json!({"spec": {"headers": [{"name": "x-copy", "value": "${secret.api-key}"}]}}),
    ] {
        let patch = patch.to_string();
        let call = patching(user, &namespace, "theirs", &patch);
        refused_by(kubectl, POLICY, &call, &Value::Null)?;
    }
    let label = ["-n", namespace.name, "label", "apicollection", "theirs"];
    kubectl.run(&[&["--as", user], &label[..], &["team=shop"]].concat())?;
    Ok(())
}

/// May write collections and read one Secret.
fn writer(namespace: &Namespace<'_>, user: &str) -> Result<()> {
    namespace.allow(
        user,
        &json!([
            {
                "apiGroups": ["credence.dev"], "resources": ["apicollections"],
                "verbs": ["get", "create", "update", "patch"],
            },
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [OWN], "verbs": ["get"]},
        ]),
    )?;
    until_allowed(namespace.kubectl, namespace.name, user)
}

/// The API server sees new roles in a moment.
fn until_allowed(kubectl: &Kubectl, namespace: &str, user: &str) -> Result<()> {
    let ask = ["auth", "can-i", "--as", user, "-n", namespace, "get"];
    credence_tests::wait::until("the role", credence_tests::shop::PATIENCE, || {
        let can = kubectl.output(&[&ask[..], &[&format!("secrets/{OWN}")]].concat())?;
        Ok(can.status.success().then_some(()))
    })
}

fn patching<'a>(
    user: &'a str,
    namespace: &'a Namespace<'_>,
    name: &'a str,
    patch: &'a str,
) -> [&'a str; 10] {
    [
        "--as",
        user,
        "-n",
        namespace.name,
        "patch",
        "apicollection",
        name,
        "--type=merge",
        "-p",
        patch,
    ]
}

fn collection(namespace: &str, name: &str, environments: &Value) -> Value {
    json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec(environments),
    })
}

/// Of a collection of either kind.
pub(super) fn spec(environments: &Value) -> Value {
    let mut spec = json!({
        "baseUrl": "https://api.example.com",
        "auth": {"apiKey": {"in": "Header", "name": "X-Api-Key", "value": "${secret.api-key}"}},
    });
    for (environment, settings) in environments.as_object().into_iter().flatten() {
        spec[environment] = settings.clone();
    }
    spec
}
