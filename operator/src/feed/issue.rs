//! The bundle of one consumer.

use std::collections::BTreeMap;

use credence_core::bundle::{Bundle, Entry, Unavailable};
use credence_core::{CollectionName, Environment};

use super::consumer::Consumer;
use crate::catalogue::{Planned, Shelf, Slot};
use crate::revision;

/// A bundle, and which version of each collection is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What is sent.
    pub bundle: Bundle,
    /// The revision of each entry.
    pub revisions: BTreeMap<CollectionName, String>,
}

/// What to do about a collection that has not been planned yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// Send nothing: the sidecar keeps what it has.
    Hold,
    /// Send it as not ready: what the sidecar has must go.
    Withdraw,
}

/// Stands for the revision of an entry that is not planned.
const UNPLANNED: &str = "unplanned";

/// The bundle of a consumer, from its namespace's shelf; none as long as
/// something in it has to be waited for.
pub fn issue(shelf: &Shelf, consumer: &Consumer, unplanned: Unplanned) -> Option<Issue> {
    let wanted = |name: &CollectionName| {
        let named = consumer.collections.as_ref();
        named.is_none_or(|named| named.contains(name))
    };
    let mut entries = BTreeMap::new();
    let mut revisions = BTreeMap::new();
    for (name, slot) in shelf.collections.iter().filter(|(name, _)| wanted(name)) {
        let found = match slot {
            // Nobody knows yet whom it is for.
            Slot::Awaited { .. } => match unplanned {
                Unplanned::Hold => return None,
                Unplanned::Withdraw => continue,
            },
            Slot::Planned(planned) if !allows(planned, consumer) => continue,
            Slot::Planned(planned) => planned.entry(consumer.environment),
        };
        let (entry, revision) = match (found, unplanned) {
            (Some((entry, revision)), _) => (entry.clone(), revision),
            (None, Unplanned::Withdraw) => (Entry::Unavailable(Unavailable::NotReady), UNPLANNED),
            (None, Unplanned::Hold) => return None,
        };
        entries.insert(name.clone(), entry);
        revisions.insert(name.clone(), revision.to_owned());
    }
    let versions = revisions
        .iter()
        .map(|(name, revision)| (name, revision.as_str()));
    Some(Issue {
        bundle: Bundle {
            revision: revision::of_bundle(consumer.environment, versions),
            environment: consumer.environment,
            collections: entries,
        },
        revisions,
    })
}

/// The bundle that takes everything away.
pub fn nothing(environment: Environment) -> Issue {
    Issue {
        bundle: Bundle {
            revision: revision::of_bundle(environment, std::iter::empty()),
            environment,
            collections: BTreeMap::new(),
        },
        revisions: BTreeMap::new(),
    }
}

fn allows(planned: &Planned, consumer: &Consumer) -> bool {
    let named = planned.service_accounts.as_ref();
    named.is_none_or(|named| named.contains(&consumer.service_account))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::resolution::Resolution;
    use crate::revision::Inputs;

    fn resolution(environment: Environment) -> (Environment, Arc<Resolution>) {
        let inputs = Inputs {
            uid: "u".to_owned(),
            generation: 1,
            environment,
            objects: BTreeMap::new(),
        };
        (environment, Arc::new(Resolution::rejected(inputs)))
    }

    fn planned(service_accounts: Option<&[&str]>, environments: &[Environment]) -> Slot {
        Slot::Planned(Arc::new(Planned {
            service_accounts: service_accounts
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            resolutions: environments
                .iter()
                .map(|environment| resolution(*environment))
                .collect(),
        }))
    }

    fn shelf(slots: Vec<(&str, Slot)>) -> Shelf {
        Shelf {
            environment: Some(Environment::Live),
            lowered: false,
            collections: slots
                .into_iter()
                .map(|(name, slot)| (name.parse().unwrap(), slot))
                .collect(),
        }
    }

    fn consumer(environment: Environment) -> Consumer {
        Consumer {
            service_account: "checkout".to_owned(),
            environment,
            collections: None,
        }
    }

    fn names(issue: Option<Issue>) -> Option<Vec<String>> {
        issue.map(|issue| {
            issue
                .bundle
                .collections
                .keys()
                .map(ToString::to_string)
                .collect()
        })
    }

    const LIVE: &[Environment] = &[Environment::Live];

    #[test]
    fn only_what_the_service_account_may_use_is_sent() {
        let shelf = shelf(vec![
            ("for-all", planned(None, LIVE)),
            ("for-none", planned(Some(&[]), LIVE)),
            ("for-other", planned(Some(&["billing"]), LIVE)),
            ("for-us", planned(Some(&["checkout", "billing"]), LIVE)),
        ]);
        let issued = issue(&shelf, &consumer(Environment::Live), Unplanned::Hold);
        assert_eq!(names(issued).unwrap(), ["for-all", "for-us"]);
    }

    #[test]
    fn only_what_the_annotation_names_is_sent() {
        let shelf = shelf(vec![
            ("openai", planned(None, LIVE)),
            ("stripe", planned(None, LIVE)),
        ]);
        let consumer = Consumer {
            collections: Some(BTreeSet::from([
                "stripe".parse().unwrap(),
                "absent".parse().unwrap(),
            ])),
            ..consumer(Environment::Live)
        };
        assert_eq!(
            names(issue(&shelf, &consumer, Unplanned::Hold)).unwrap(),
            ["stripe"]
        );
    }

    #[test]
    fn nothing_is_sent_before_everything_is_planned() {
        let shelf = shelf(vec![
            ("openai", planned(None, LIVE)),
            ("stripe", Slot::Awaited { tried: true }),
        ]);
        assert_eq!(
            issue(&shelf, &consumer(Environment::Live), Unplanned::Hold),
            None
        );
    }

    #[test]
    fn what_was_resolved_for_live_is_not_sent_to_development() {
        let shelf = shelf(vec![("openai", planned(None, LIVE))]);
        let development = consumer(Environment::Development);
        assert_eq!(issue(&shelf, &development, Unplanned::Hold), None);
        let withdrawn = issue(&shelf, &development, Unplanned::Withdraw).unwrap();
        assert_eq!(withdrawn.bundle.environment, Environment::Development);
        assert_eq!(
            withdrawn.bundle.collections.values().collect::<Vec<_>>(),
            [&Entry::Unavailable(Unavailable::NotReady)]
        );
    }

    #[test]
    fn revisions_follow_what_is_in_the_bundle() {
        let one = shelf(vec![("openai", planned(None, LIVE))]);
        let two = shelf(vec![
            ("openai", planned(None, LIVE)),
            ("other", planned(Some(&[]), LIVE)),
        ]);
        let revision = |shelf| {
            issue(shelf, &consumer(Environment::Live), Unplanned::Hold)
                .unwrap()
                .bundle
                .revision
        };
        assert_eq!(revision(&one), revision(&two));
        assert_ne!(revision(&one), nothing(Environment::Live).bundle.revision);
    }
}
