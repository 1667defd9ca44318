//! What the other containers are told: the variables that say where the proxy
//! is, and a warning where an egress proxy would swallow the calls to it.

use std::collections::BTreeSet;

use credence_core::{CollectionName, names};
use serde_json::{Value, json};

use super::patch::{Patch, Pointer};
use super::pod::Container;
use super::{Warning, mesh};

/// The variables for these collections, in the order in which they are set.
///
/// A collection that has a port of its own is there too by its name: the
/// address must be known before the collection is, and stay right when its
/// port changes.
pub(super) fn variables(
    collections: &BTreeSet<CollectionName>,
    port: u16,
) -> Vec<(String, String)> {
    let url = format!("http://localhost:{port}");
    let mut variables = vec![(names::URL_VARIABLE.to_owned(), url.clone())];
    variables.extend(collections.iter().map(|collection| {
        let variable = names::base_url_variable(collection.as_str());
        (variable, format!("{url}/{collection}"))
    }));
    variables
}

/// Adds the variables to each container of the list at `list`, but for ours
/// and a mesh's, which make no calls of the app. A variable that is set explicitly
/// stays as it is.
pub(super) fn add(
    patch: &mut Patch,
    list: &Pointer,
    containers: &[Container<'_>],
    variables: &[(String, String)],
) {
    for (index, container) in containers.iter().enumerate() {
        if container.name == names::CONTAINER || mesh::owns(container) {
            continue;
        }
        let missing: Vec<Value> = variables
            .iter()
            .filter(|(name, _)| container.variable(name).is_none())
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let env = list.child(&index.to_string()).child("env");
        // In front, because `$(CREDENCE_URL)` in a variable of the app sees
        // only what stands before it.
        patch.insert(&env, container.env.as_ref().map(Vec::len), 0, missing);
    }
}

/// Most clients send even calls to localhost through `HTTP_PROXY`, unless
/// `NO_PROXY` names it.
pub(super) fn swallowed_by_egress_proxy(container: &Container<'_>) -> Option<Warning> {
    let set = |name: &&str| {
        let variable = container.variable(name);
        variable.is_some_and(|v| v.value_from.is_some() || v.value.is_some_and(|v| !v.is_empty()))
    };
    let proxy = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find(set)?;
    let exempt = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .filter_map(|name| container.variable(name))
        // What comes from another object is not known here.
        .any(|v| v.value_from.is_some() || v.value.is_some_and(names_localhost));
    (!exempt && !mesh::owns(container)).then(|| Warning::EgressProxy {
        container: container.name.to_owned(),
        variable: proxy,
    })
}

fn names_localhost(no_proxy: &str) -> bool {
    let mut entries = no_proxy.split([',', ' ']);
    entries.any(|entry| entry == "localhost" || entry == "*")
}
