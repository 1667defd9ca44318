//! A pod that asks for the sidecar has it.

use anyhow::{Result, ensure};
use credence_core::names::{ENVIRONMENT, INJECT};
use credence_tests::kubectl::Kubectl;
use credence_tests::shop::{PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::wait::until;
use serde_json::{Value, json};

use super::{Namespace, accepted, refused_by};

const POLICY: &str = "credence-injected-pods";
const CONFIGURATION: &str = "credence-injector";

/// With the injector passed over, by the two labels and by what the injector
/// itself leaves alone.
pub(super) fn a_pod_that_asks_for_the_sidecar_does_not_run_without_it(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let live = json!({INJECT: "enabled", ENVIRONMENT: "live"});
    let asking = Namespace::new(kubectl, "asking", &json!({INJECT: "enabled"}))?;
    let asking_live = Namespace::new(kubectl, "asking-live", &live)?;
    let silent = Namespace::new(kubectl, "silent", &json!({}))?;
    let names = [asking.name, asking_live.name, silent.name];
    let create = |namespace| ["-n", namespace, "create", "--dry-run=server", "-f", "-"];
    let refused = |namespace, pod: &Value| refused_by(kubectl, POLICY, &create(namespace), pod);
    let accepted = |namespace, pod: &Value| accepted(kubectl, &create(namespace), pod);

    accepted(asking.name, &pod(None))?;
    let _passed_over = PassedOver::new(kubectl, &names)?;
    until("the injector to be passed over", PATIENCE, || {
        Ok(refused(asking.name, &pod(None)).ok())
    })?;
    for (label, in_asking, in_silent) in [
        (None, false, true),
        (Some("true"), false, false),
        (Some("false"), true, true),
        (Some("yes"), false, true),
    ] {
        for (namespace, taken) in [(asking.name, in_asking), (silent.name, in_silent)] {
            if taken {
                accepted(namespace, &pod(label))?;
            } else {
                let said = refused(namespace, &pod(label))?;
                ensure!(said.contains(SYSTEM) && said.contains("false"), "{said}");
            }
        }
    }
    // Those must run while the operator does not.
    accepted("kube-system", &pod(Some("true")))?;

    let with = |change: Value| {
        let mut pod = pod(None);
        for (name, value) in change.as_object().into_iter().flatten() {
            pod["spec"][name] = value.clone();
        }
        pod
    };
    accepted(asking.name, &with(json!({"hostNetwork": true})))?;
    let windows = json!({"nodeSelector": {"kubernetes.io/os": "windows"}});
    accepted(asking.name, &with(windows))?;
    let shared = with(json!({"shareProcessNamespace": true}));
    accepted(asking_live.name, &shared)?;
    refused(asking.name, &shared)?;
    let mut lowered = shared;
    lowered["metadata"]["annotations"] = json!({ENVIRONMENT: "development"});
    refused(asking_live.name, &lowered)?;
    Ok(())
}

fn pod(label: Option<&str>) -> Value {
    let mut metadata = json!({"name": "asking"});
    if let Some(label) = label {
        metadata["labels"] = json!({INJECT: label});
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": restricted_pod(&["hold"]),
    })
}

/// Namespaces about whose pods the injector is not asked; dropping it undoes
/// that.
struct PassedOver<'a>(&'a Kubectl);

impl<'a> PassedOver<'a> {
    fn new(kubectl: &'a Kubectl, namespaces: &[&str]) -> Result<Self> {
        let exception = json!({
            "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": namespaces,
        });
        patch(kubectl, "add", Some(&exception))?;
        Ok(Self(kubectl))
    }
}

impl Drop for PassedOver<'_> {
    fn drop(&mut self) {
        if let Err(error) = patch(self.0, "remove", None) {
            eprintln!("the injector is still passed over: {error:#}");
        }
    }
}

/// The first expression of both webhooks' namespaceSelectors.
fn patch(kubectl: &Kubectl, op: &str, value: Option<&Value>) -> Result<()> {
    let operations: Vec<Value> = [0, 1]
        .map(|webhook| {
            let path = format!("/webhooks/{webhook}/namespaceSelector/matchExpressions/0");
            let mut operation = json!({"op": op, "path": path});
            if let Some(value) = value {
                operation["value"] = value.clone();
            }
            operation
        })
        .into();
    let operations = json!(operations).to_string();
    let kind = "mutatingwebhookconfiguration";
    kubectl.run(&[
        "patch",
        kind,
        CONFIGURATION,
        "--type=json",
        "-p",
        &operations,
    ])?;
    Ok(())
}
