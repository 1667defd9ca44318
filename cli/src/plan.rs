//! What is served, decided from what the files hold. The same resolution as the
//! operator's, and the same bundle from there on.

mod ports;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use credence_core::bundle::{Bundle, Entry};
use credence_core::collection::{self, Collection, Scope};
use credence_core::resolve::{needs, resolve, secret_keys};
use credence_core::token::Order;
use credence_core::{CollectionName, Environment};
use jiff::Timestamp;

use crate::inventory::{Inventory, material_namespace};
use crate::variables::Variables;

pub(crate) use state::State;

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
    /// How the tokens are obtained that some of its collections need.
    pub(crate) orders: BTreeMap<CollectionName, Ordered>,
    /// For the table, by name.
    pub(crate) rows: Vec<Row>,
    /// When there will be another plan by time alone, if there will.
    pub(crate) changes_at: Option<Timestamp>,
}

/// The order for a token, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ordered {
    /// The file with the collection, as its path was given or found.
    pub(crate) file: Arc<str>,
    /// The collection's namespace; absent where it is the cluster's.
    pub(crate) namespace: Option<String>,
    /// Whose settings it is obtained with: a refresh token of live ones that
    /// development uses, too, is the same.
    pub(crate) environment: Environment,
    /// How the token is obtained.
    pub(crate) order: Arc<Order>,
}

/// A collection of the namespace, or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: CollectionName,
    /// Whether it is a cluster collection.
    pub(crate) of_cluster: bool,
    /// Its authentication method, as manifests spell it.
    pub(crate) method: &'static str,
    /// Whether it can be called.
    pub(crate) state: State,
    /// The loopback port that it has for itself.
    pub(crate) port: Option<u16>,
    /// What should be looked at all the same.
    pub(crate) warnings: Vec<String>,
}

/// Decides what is served to calls of `consumer`.
pub(crate) fn plan(
    inventory: &Inventory,
    consumer: &Consumer<'_>,
    revision: u64,
    now: Timestamp,
) -> Plan {
    let case = Case {
        inventory,
        consumer,
        labels: inventory.labels(consumer.namespace),
        local: inventory
            .collections()
            .filter(|(object, _)| object.namespace.as_deref() == Some(consumer.namespace))
            .map(|(_, collection)| &collection.name)
            .collect(),
        now,
    };
    let mut collections = BTreeMap::new();
    let mut orders = BTreeMap::new();
    let mut rows = Vec::new();
    let mut changes = BTreeSet::new();
    for (object, collection) in inventory.collections() {
        let of_cluster = matches!(collection.scope, Scope::Cluster { .. });
        if !of_cluster && object.namespace.as_deref() != Some(consumer.namespace) {
            continue;
        }
        let served = case.serve(collection);
        if let Some(entry) = served.entry {
            collections.insert(collection.name.clone(), entry);
        }
        if let Some(order) = served.order {
            let ordered = Ordered {
                file: Arc::clone(&object.origin.file),
                namespace: object.namespace.clone().filter(|_| !of_cluster),
                environment: collection.selected(consumer.environment).block,
                order: Arc::new(order),
            };
            orders.insert(collection.name.clone(), ordered);
        }
        changes.extend(served.changes_at);
        rows.push(Row {
            name: collection.name.clone(),
            of_cluster,
            method: collection.method.as_str(),
            state: served.state,
            port: None,
            warnings: served.warnings,
        });
    }
    rows.sort_by(|a, b| (&a.name, a.of_cluster).cmp(&(&b.name, b.of_cluster)));
    ports::share_out(&mut collections, &mut rows);
    Plan {
        bundle: Bundle {
            revision: revision.to_string(),
            environment: consumer.environment,
            collections,
            tokens: BTreeMap::new(),
        },
        orders,
        rows,
        changes_at: changes.pop_first(),
    }
}

/// Everything that one plan looks at.
struct Case<'a> {
    inventory: &'a Inventory,
    consumer: &'a Consumer<'a>,
    /// Of the consumer's namespace.
    labels: BTreeMap<String, String>,
    /// Names of the collections in that namespace.
    local: BTreeSet<&'a CollectionName>,
    now: Timestamp,
}

/// What becomes of one collection.
struct Served {
    entry: Option<Entry>,
    order: Option<Order>,
    state: State,
    warnings: Vec<String>,
    changes_at: Option<Timestamp>,
}

impl Served {
    fn not(state: State) -> Self {
        Self {
            entry: None,
            order: None,
            state,
            warnings: Vec::new(),
            changes_at: None,
        }
    }
}

impl Case<'_> {
    fn serve(&self, collection: &Collection) -> Served {
        let Consumer {
            namespace,
            environment,
            service_account,
            variables,
        } = *self.consumer;
        if !collection.scope.selects(&self.labels) {
            return Served::not(State::NotSelected(namespace.to_owned()));
        }
        let of_cluster = matches!(collection.scope, Scope::Cluster { .. });
        if of_cluster && self.local.contains(&collection.name) {
            return Served::not(State::Shadowed(namespace.to_owned()));
        }
        let admitted = collection.scope.admits(&collection::Consumer {
            namespace,
            namespace_labels: &self.labels,
            service_account,
        });
        if !admitted {
            return Served::not(State::Withheld(match of_cluster {
                true => format!("{namespace}/{service_account}"),
                false => service_account.to_owned(),
            }));
        }
        let home = material_namespace(collection, Some(namespace));
        let mut material = (self.inventory).gather(home, &needs(collection, environment));
        let unset = variables.map_or_else(Vec::new, |variables| {
            variables.fill(&mut material, &secret_keys(collection, environment))
        });
        match resolve(collection, environment, &material, self.now) {
            Ok(resolved) => Served {
                entry: Some(Entry::Ready(Arc::new(resolved.route))),
                order: resolved.order,
                state: match resolved.uses_live_fallback {
                    true => State::ReadyWithLive,
                    false => State::Ready,
                },
                warnings: (resolved.warnings.into_iter())
                    .map(|warning| warning.message)
                    .collect(),
                changes_at: resolved.changes_at,
            },
            Err(cause) => Served {
                entry: Some(Entry::Unavailable(cause.reason.unavailable())),
                order: None,
                changes_at: cause.changes_at,
                state: State::Unresolved {
                    cause,
                    unset,
                    elsewhere: home.filter(|_| of_cluster).map(str::to_owned),
                },
                warnings: Vec::new(),
            },
        }
    }
}
