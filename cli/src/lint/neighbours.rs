//! What collections do to each other: names and ports.

use std::collections::BTreeMap;

use credence_core::CollectionName;
use credence_core::collection::Scope;
use credence_core::port_claim::{PortClaim, holders};

use crate::inventory::Inventory;
use crate::object::Object;
use crate::problem::{Problem, Severity};
use crate::schema::At;

/// A warning for every collection that is not used, or not on its port,
/// because of another one.
pub(super) fn check(inventory: &Inventory) -> Vec<Problem> {
    let mut problems = shadowed(inventory);
    problems.extend(crowded(inventory));
    problems
}

fn warning(object: &Object, field: &str, message: String) -> Problem {
    (object.origin).problem(Severity::Warning, field, At::Value, message)
}

/// Cluster collections with the name of one in a namespace that they select,
/// or that these files say nothing about.
fn shadowed(inventory: &Inventory) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (object, collection) in inventory.collections() {
        if matches!(collection.scope, Scope::Namespace { .. }) {
            continue;
        }
        for (other, _) in inventory.collections() {
            let Some(namespace) = other.namespace.as_deref() else {
                continue;
            };
            let known = inventory.namespaces().any(|(it, _)| it.name == namespace);
            let selected = collection.scope.selects(&inventory.labels(namespace));
            if other.name != object.name || (known && !selected) {
                continue;
            }
            let message = format!(
                "namespace \"{namespace}\" has an ApiCollection of the same name at {}:{}, which is used there instead",
                other.origin.file,
                other.origin.positions.of_value("metadata.name")
            );
            problems.push(warning(object, "metadata.name", message));
        }
    }
    problems
}

/// Collections of one namespace that ask for a port which another one gets.
fn crowded(inventory: &Inventory) -> Vec<Problem> {
    let mut claims: BTreeMap<Option<&str>, Vec<(&Object, &CollectionName, u16)>> = BTreeMap::new();
    for (object, collection) in inventory.collections() {
        if let Some(port) = collection.sidecar_port {
            let home = claims.entry(object.namespace.as_deref()).or_default();
            home.push((object, &collection.name, port));
        }
    }
    let mut problems = Vec::new();
    for home in claims.values() {
        let holders = holders(home.iter().map(|(_, name, port)| PortClaim {
            port: *port,
            created: None,
            name,
        }));
        for (object, name, port) in home {
            let Some(holder) = holders.get(port).filter(|holder| *holder != name) else {
                continue;
            };
            let message = format!(
                "\"{holder}\" has the same port: the older of the two gets it, the other can be called by its path only"
            );
            problems.push(warning(object, "spec.sidecarPort", message));
        }
    }
    problems
}
