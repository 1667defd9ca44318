//! What is served, decided from what the files hold. The same resolution as the
//! operator's, and the same bundle from there on.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::bundle::{Bundle, Entry};
use credence_core::collection::{self, Collection};
use credence_core::reason::Reason;
use credence_core::resolve::{Unresolved, needs, resolve, secret_keys};
use credence_core::{CollectionName, Environment};
use jiff::Timestamp;

use crate::inventory::Inventory;
use crate::variables::Variables;

/// Whose calls are served: what a pod is on a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumer<'a> {
    /// The namespace that it is in.
    pub(crate) namespace: &'a str,
    /// The environment of that namespace.
    pub(crate) environment: Environment,
    /// The ServiceAccount that it runs as.
    pub(crate) service_account: &'a str,
    /// Where Secrets come from besides the files.
    pub(crate) variables: Option<&'a Variables>,
}

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
    Unresolved {
        /// What.
        cause: Unresolved,
        /// Variables that would have given it.
        unset: Vec<String>,
    },
    /// `access.serviceAccounts` leaves out the ServiceAccount of this name.
    Withheld(String),
    /// The proxy could not use it, for this reason.
    Refused(String),
}

/// Decides what is served to calls of `consumer`.
pub(crate) fn plan(
    inventory: &Inventory,
    consumer: &Consumer<'_>,
    revision: u64,
    now: Timestamp,
) -> Plan {
    let mut collections = BTreeMap::new();
    let mut rows = Vec::new();
    for (object, collection) in inventory.collections() {
        if object.namespace.as_deref() != Some(consumer.namespace) {
            continue;
        }
        let (entry, state) = serve(inventory, consumer, collection, now);
        if let Some(entry) = entry {
            collections.insert(collection.name.clone(), entry);
        }
        rows.push(Row {
            name: collection.name.clone(),
            method: collection.method.as_str(),
            state,
        });
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Plan {
        bundle: Bundle {
            revision: revision.to_string(),
            environment: consumer.environment,
            collections,
        },
        rows,
    }
}

fn serve(
    inventory: &Inventory,
    consumer: &Consumer<'_>,
    collection: &Collection,
    now: Timestamp,
) -> (Option<Entry>, State) {
    let account = consumer.service_account;
    let admitted = collection.scope.admits(&collection::Consumer {
        namespace: consumer.namespace,
        namespace_labels: &BTreeMap::new(),
        service_account: account,
    });
    if !admitted {
        return (None, State::Withheld(account.to_owned()));
    }
    let environment = consumer.environment;
    let needs = needs(collection, environment);
    let mut material = inventory.gather(Some(consumer.namespace), &needs);
    let unset = consumer.variables.map_or_else(Vec::new, |variables| {
        variables.fill(&mut material, &secret_keys(collection, environment))
    });
    match resolve(collection, environment, &material, now) {
        Ok(resolved) => {
            let state = match resolved.uses_live_fallback {
                true => State::ReadyWithLive,
                false => State::Ready,
            };
            (Some(Entry::Ready(Arc::new(resolved.route))), state)
        }
        Err(cause) => (
            Some(Entry::Unavailable(cause.reason.unavailable())),
            State::Unresolved { cause, unset },
        ),
    }
}

impl State {
    /// For the table.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::ReadyWithLive => "ready (live credentials)",
            Self::Unresolved { cause, .. } => cause.reason.as_str(),
            Self::Withheld(_) => "withheld",
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
            Self::Unresolved { cause, unset } => {
                let message = &cause.message;
                Some(match (cause.reason, unset.as_slice()) {
                    (Reason::SecretKeyMissing, [_, ..]) => {
                        format!("{message} Or set {}.", unset.join(", "))
                    }
                    _ => message.clone(),
                })
            }
            Self::Withheld(account) => Some(format!(
                "spec.access.serviceAccounts does not name \"{account}\", the ServiceAccount \
                 that calls are made as: choose one that it names with --service-account."
            )),
            Self::Refused(reason) => Some(reason.clone()),
        }
    }
}
