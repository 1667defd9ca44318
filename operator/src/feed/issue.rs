//! The bundle of one consumer.

mod ports;

use std::collections::BTreeMap;

use credence_core::bundle::{Bundle, Entry, Tokens, Unavailable};
use credence_core::collection;
use credence_core::{CollectionName, Environment};
use jiff::Timestamp;

use super::consumer::Consumer;
use crate::catalogue::{Shelf, Slot, Trouble};
use crate::collection_key::CollectionKey;
use crate::revision;

/// A bundle, and which version of each collection is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What is sent.
    pub bundle: Bundle,
    /// The revision of each entry.
    pub revisions: BTreeMap<CollectionKey, String>,
}

/// Stands for the revision of an entry that is not planned.
const UNPLANNED: &str = "unplanned";
/// Makes another bundle of one in which a collection has no port because
/// another one has it.
const WITHOUT_PORT: &str = "without its port";

/// The bundle of a consumer, from its namespace's shelf; none as long as
/// something in it has to be waited for. That is so only before the first
/// bundle of a stream: what the sidecar may have from an earlier one must not
/// be taken away only because this replica has just started. After that, it
/// has only what this stream has brought.
pub fn issue(shelf: &Shelf, consumer: &Consumer, is_first: bool, now: Timestamp) -> Option<Issue> {
    let nothing = BTreeMap::new();
    let labels = shelf.namespace.as_ref().map(|namespace| &namespace.labels);
    let who = collection::Consumer {
        namespace: &consumer.namespace,
        namespace_labels: labels.unwrap_or(&nothing),
        service_account: &consumer.service_account,
    };
    let wanted = |name: &CollectionName| {
        let named = consumer.collections.as_ref();
        named.is_none_or(|named| named.contains(name))
    };
    let mut entries = BTreeMap::new();
    let mut tokens = Tokens::new();
    let mut revisions = BTreeMap::new();
    let mut claims = Vec::new();
    let (mut found, mut given_up) = (false, false);
    for (of_cluster, name, slot) in shelf.on_offer() {
        if !wanted(name) || !slot.admits(&who) {
            continue;
        }
        let key = Shelf::key(&consumer.namespace, of_cluster, name);
        let (entry, revision) = match content(slot, consumer.environment, is_first) {
            Content::Found(entry, revision) => {
                found = true;
                (entry.clone(), revision)
            }
            Content::GivenUp => {
                given_up = true;
                (Entry::Unavailable(Unavailable::NotReady), UNPLANNED)
            }
            Content::Withdrawn => (Entry::Unavailable(Unavailable::NotReady), UNPLANNED),
            Content::Nothing => continue,
            Content::Awaited => return None,
        };
        claims.extend(ports::claim(name, slot));
        if let (Entry::Ready(_), Some(token)) = (&entry, slot.token(consumer.environment, now)) {
            tokens.insert(name.clone(), token);
        }
        entries.insert(name.clone(), entry);
        revisions.insert(key, revision.to_owned());
    }
    // Where nothing at all can be read, it is not this collection's fault, and
    // the sidecar does best with what it has.
    if is_first && given_up && !found {
        return None;
    }
    let lost = ports::share_out(&claims, &mut entries);
    let without_port = lost.iter().map(|name| (name, WITHOUT_PORT));
    let versions = revisions
        .iter()
        .map(|(key, revision)| (&key.name, revision.as_str()));
    let versions = versions.chain(without_port);
    Some(Issue {
        bundle: Bundle {
            revision: revision::of_bundle(consumer.environment, versions),
            environment: consumer.environment,
            collections: entries,
            tokens,
        },
        revisions,
    })
}

/// What is known of one collection for one environment.
enum Content<'a> {
    /// It was planned.
    Found(&'a Entry, &'a str),
    /// It cannot be planned, and was waited for long enough.
    GivenUp,
    /// It was planned for something else, which must not stay in use.
    Withdrawn,
    /// It is new, and the sidecar need not know before it is planned.
    Nothing,
    /// Nobody knows yet.
    Awaited,
}

fn content(slot: &Slot, environment: Environment, is_first: bool) -> Content<'_> {
    if let Some(planned) = &slot.planned
        && let Some((entry, revision)) = planned.entry(environment)
    {
        return Content::Found(entry, revision);
    }
    match (slot.trouble, is_first, &slot.planned) {
        (Trouble::Lasting, ..) => Content::GivenUp,
        (Trouble::None | Trouble::Since(_), true, _) => Content::Awaited,
        (Trouble::None | Trouble::Since(_), false, Some(_)) => Content::Withdrawn,
        (Trouble::None | Trouble::Since(_), false, None) => Content::Nothing,
    }
}

/// The bundle that takes everything away.
pub fn nothing(environment: Environment) -> Issue {
    Issue {
        bundle: Bundle {
            revision: revision::of_bundle(environment, std::iter::empty()),
            environment,
            collections: BTreeMap::new(),
            tokens: Tokens::new(),
        },
        revisions: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
