//! What is served, decided from what the files hold. The same resolution as the
//! operator's, and the same bundle from there on.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::bundle::{Bundle, Entry};
use credence_core::collection::{Collection, Method};
use credence_core::resolve::{Unresolved, needs, resolve};
use credence_core::{CollectionName, Environment};

use crate::inventory::Inventory;

/// The ServiceAccount that calls are made as: that of a pod which names none.
const SERVICE_ACCOUNT: &str = "default";

/// What is served, and what a person is told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// For the proxy.
    pub(crate) bundle: Bundle,
    /// For the table, by name.
    pub(crate) rows: Vec<Row>,
}

/// A collection of the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: CollectionName,
    /// Its authentication method, as manifests spell it.
    pub(crate) method: &'static str,
    /// Whether it can be called.
    pub(crate) state: State,
}

/// Whether a collection can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can.
    Ready,
    /// It can, in development with live credentials.
    ReadyWithLive,
    /// Something is missing.
    Unresolved(Unresolved),
    /// `access.serviceAccounts` leaves our ServiceAccount out.
    Withheld,
    /// The proxy could not use it, for this reason.
    Refused(String),
}

/// Decides what is served to calls from `namespace`.
pub(crate) fn plan(
    inventory: &Inventory,
    namespace: &str,
    environment: Environment,
    revision: u64,
) -> Plan {
    let mut collections = BTreeMap::new();
    let mut rows = Vec::new();
    for (object, collection) in inventory.collections() {
        if object.namespace.as_deref() != Some(namespace) {
            continue;
        }
        let (entry, state) = serve(inventory, namespace, environment, collection);
        if let Some(entry) = entry {
            collections.insert(collection.name.clone(), entry);
        }
        rows.push(Row {
            name: collection.name.clone(),
            method: method(&collection.method),
            state,
        });
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Plan {
        bundle: Bundle {
            revision: revision.to_string(),
            environment,
            collections,
        },
        rows,
    }
}

fn serve(
    inventory: &Inventory,
    namespace: &str,
    environment: Environment,
    collection: &Collection,
) -> (Option<Entry>, State) {
    let admitted = collection.service_accounts.as_ref();
    if admitted.is_some_and(|accounts| !accounts.contains(SERVICE_ACCOUNT)) {
        return (None, State::Withheld);
    }
    let material = inventory.gather(Some(namespace), &needs(collection, environment));
    match resolve(collection, environment, &material) {
        Ok(resolved) => {
            let state = match resolved.uses_live_fallback {
                true => State::ReadyWithLive,
                false => State::Ready,
            };
            (Some(Entry::Ready(Arc::new(resolved.route))), state)
        }
        Err(unresolved) => (
            Some(Entry::Unavailable(unresolved.reason.unavailable())),
            State::Unresolved(unresolved),
        ),
    }
}

fn method(method: &Method) -> &'static str {
    match method {
        Method::None => "none",
        Method::ApiKey { .. } => "apiKey",
        Method::Basic { .. } => "basic",
    }
}

impl State {
    /// For the table.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::ReadyWithLive => "ready (live credentials)",
            Self::Unresolved(unresolved) => unresolved.reason.as_str(),
            Self::Withheld => "withheld",
            Self::Refused(_) => "refused",
        }
    }

    /// What is to be done, where something is.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::ReadyWithLive => Some(
                "spec.development is absent and spec.developmentFallback is UseLive: \
                 calls have real effects."
                    .to_owned(),
            ),
            Self::Unresolved(unresolved) => Some(unresolved.message.clone()),
            Self::Withheld => Some(format!(
                "spec.access.serviceAccounts does not name \"{SERVICE_ACCOUNT}\", \
                 the ServiceAccount that calls are made as here."
            )),
            Self::Refused(reason) => Some(reason.clone()),
        }
    }
}
