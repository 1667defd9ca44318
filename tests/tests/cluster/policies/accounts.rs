//! Whoever writes a collection makes the tokens that it sends.

use anyhow::{Result, ensure};
use credence_tests::shop::{PATIENCE, Shop};
use credence_tests::wait::until;
use serde_json::{Value, json};

use super::{Namespace, accepted, refused_by};

const POLICY: &str = "credence-references";
/// The only ServiceAccount of which the user may make tokens.
const OWN: &str = "own";
const FOREIGN: &str = "foreign";

/// By a new collection, and by another host for an old one.
pub(super) fn a_collection_is_written_only_by_who_may_make_the_tokens_that_it_sends(
    shop: &Shop,
) -> Result<()> {
    let (kubectl, user) = (shop.cluster().kubectl(), "account-writer");
    let namespace = Namespace::new(kubectl, "accounts", &json!({}))?;
    let collections = json!({"apiGroups": ["credence.dev"], "resources": ["apicollections"],
        "verbs": ["get", "create", "update", "patch"]});
    let tokens = json!({"apiGroups": [""], "resources": ["serviceaccounts/token"],
        "resourceNames": [OWN], "verbs": ["create"]});
    namespace.allow(user, &json!([collections, tokens]))?;
    let own = format!("serviceaccounts/{OWN}");
    let may = ["auth", "can-i", "create", &own, "--subresource=token"];
    let may = [&["--as", user, "-n", namespace.name][..], &may].concat();
    until("the role", PATIENCE, || {
        Ok(kubectl.run(&may).ok().map(drop))
    })?;

    let create = ["--as", user, "create", "-f", "-"];
    let stealing = collection(namespace.name, "stealing", FOREIGN);
    let said = refused_by(kubectl, POLICY, &create, &stealing)?;
    ensure!(
        said.contains("serviceaccounts/token")
            && said.contains(FOREIGN)
            && said.contains("accounts"),
        "{said}"
    );
    accepted(kubectl, &create, &collection(namespace.name, "own", OWN))?;

    let theirs = collection(namespace.name, "theirs", FOREIGN);
    accepted(kubectl, &["create", "-f", "-"], &theirs)?;
    for patch in [
        json!({"auth": {"tokenExchange": {"token": {"url": "https://stolen.example.com"}}}}),
        json!({"auth": {"tokenExchange": {"serviceAccountToken": {"audience": "stolen"}}}}),
    ] {
        let patch = json!({"spec": patch}).to_string();
        let patching = [
            "patch",
            "apicollection",
            "theirs",
            "--type=merge",
            "-p",
            &patch,
        ];
        let call = [&["--as", user, "-n", namespace.name][..], &patching].concat();
        refused_by(kubectl, POLICY, &call, &Value::Null)?;
    }
    Ok(())
}

/// One that cannot be resolved, so that the operator asks for nothing.
fn collection(namespace: &str, name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "baseUrl": "https://api.example.com",
            "headers": [{"name": "x-key", "value": "${secret.not-there}"}],
            "auth": {"tokenExchange": {
                "serviceAccountToken": {"name": account, "audience": "https://sts.example.com"},
                "token": {"url": "https://sts.example.com/token"},
            }},
        },
    })
}
