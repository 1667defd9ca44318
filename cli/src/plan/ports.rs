//! Which collection has a port that several ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::CollectionName;
use credence_core::bundle::Entry;
use credence_core::port_claim::{PortClaim, holders};

use super::Row;

/// Leaves each port to one collection, and tells the others.
pub(super) fn share_out(collections: &mut BTreeMap<CollectionName, Entry>, rows: &mut [Row]) {
    let claims: Vec<(CollectionName, u16)> = collections
        .iter()
        .filter_map(|(name, entry)| match entry {
            Entry::Ready(route) => Some((name.clone(), route.sidecar_port?)),
            Entry::Unavailable(_) | Entry::Unsupported(_) => None,
        })
        .collect();
    let holders = holders(claims.iter().map(|(name, port)| PortClaim {
        port: *port,
        // Nobody knows, on a laptop.
        created: None,
        name,
    }));
    for (name, port) in &claims {
        let holder = holders.get(port).copied().unwrap_or(name);
        let row = rows
            .iter_mut()
            .find(|row| row.name == *name && row.state.is_there());
        let Some(row) = row else { continue };
        if holder == name {
            row.port = Some(*port);
            continue;
        }
        if let Some(Entry::Ready(route)) = collections.get_mut(name) {
            Arc::make_mut(route).sidecar_port = None;
        }
        row.warnings.push(format!(
            "Port {port} of spec.sidecarPort is that of \"{holder}\", which comes first: \
             call this collection by its path, or give it another port."
        ));
    }
}
