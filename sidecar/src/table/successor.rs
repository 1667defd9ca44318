//! What has taken the place of a destination.

use std::sync::Arc;

use super::Table;
use crate::destination::Destination;

/// What has become of a destination since a call went there.
#[derive(Debug)]
pub(crate) enum Successor {
    /// Calls are made with another token now.
    Newer(Arc<Destination>),
    /// It is the same.
    Same,
    /// Another try would not be better, or would go elsewhere: what was refused
    /// came again, the collection has another address or takes no token now, or
    /// there is nothing to be called any more.
    Hopeless,
}

impl Table {
    /// What has taken the place of a destination.
    pub(crate) fn successor(&self, before: &Destination) -> Successor {
        match self.find(before.collection.as_str()) {
            Err(_) => Successor::Hopeless,
            // The collection was withdrawn, and is another one now.
            Ok(after) if after.lineage != before.lineage => Successor::Hopeless,
            // What the caller sent was meant for that host.
            Ok(after) if after.route.base_url != before.route.base_url => Successor::Hopeless,
            // No token is to blame any more.
            Ok(after) if after.generation.is_none() => Successor::Hopeless,
            Ok(after) if !after.route.has_credential_of(&before.route) => {
                Successor::Newer(Arc::clone(after))
            }
            Ok(after) if after.generation == before.generation => Successor::Same,
            Ok(_) => Successor::Hopeless,
        }
    }
}
