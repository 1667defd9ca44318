//! Which collection of a bundle has a port that several ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use credence_core::CollectionName;
use credence_core::bundle::Entry;
use credence_core::port_claim::{PortClaim, holders};

use crate::catalogue::Slot;

/// What a collection asks for, also one that cannot be called now: its port
/// must not lead to another API meanwhile.
pub(super) fn claim<'a>(name: &'a CollectionName, slot: &'a Slot) -> Option<PortClaim<'a>> {
    let outline = slot.in_use();
    Some(PortClaim {
        port: outline.sidecar_port?,
        created: outline.created,
        name,
    })
}

/// Leaves each port to one collection; says which have lost theirs.
pub(super) fn share_out(
    claims: &[PortClaim<'_>],
    entries: &mut BTreeMap<CollectionName, Entry>,
) -> BTreeSet<CollectionName> {
    let holders = holders(claims.iter().copied());
    let mut lost = BTreeSet::new();
    for (name, entry) in entries {
        let Entry::Ready(route) = entry else { continue };
        let holder = route.sidecar_port.and_then(|port| holders.get(&port));
        if holder.is_some_and(|holder| *holder != name) {
            Arc::make_mut(route).sidecar_port = None;
            lost.insert(name.clone());
        }
    }
    lost
}
