//! What other collections have to do with this one.

use credence_crds::condition::{self, reason};

use super::super::conditions::{Status, Verdict};
use crate::catalogue::{Rival, Shadow, Surroundings};

/// How many namespaces a message lists: enough to recognise them.
const LISTED: usize = 10;

/// Types and content of the conditions that are there only when there is
/// something to say.
pub(super) fn conditions(around: &Surroundings) -> impl Iterator<Item = (&'static str, Verdict)> {
    let shadowed = around.shadow.as_ref().map(shadowed);
    let conflict = around.rival.as_ref().map(conflict);
    let shadowed = shadowed.map(|verdict| (condition::SHADOWED, verdict));
    let conflict = conflict.map(|verdict| (condition::PORT_CONFLICT, verdict));
    shadowed.into_iter().chain(conflict)
}

fn shadowed(shadow: &Shadow) -> Verdict {
    match shadow {
        Shadow::OfCluster => Verdict::new(
            Status::False,
            reason::SHADOWS_CLUSTER,
            "It is used here instead of the ClusterApiCollection of the same name.",
        ),
        Shadow::ByNamespaces(namespaces) => {
            let mut names: Vec<String> = namespaces
                .iter()
                .take(LISTED)
                .map(|name| format!("\"{name}\""))
                .collect();
            if namespaces.len() > LISTED {
                names.push(format!("{} more", namespaces.len() - LISTED));
            }
            let message = format!(
                "An ApiCollection of the same name is used instead in: {}. \
                 Rename one of the two to have both.",
                names.join(", ")
            );
            Verdict::new(Status::True, reason::SHADOWED_BY_NAMESPACE, message)
        }
    }
}

fn conflict(Rival { port, holder }: &Rival) -> Verdict {
    let message = format!(
        "Port {port} of spec.sidecarPort is that of {holder}, which is older. In pods that may use both, \
         call this collection by its path, or give it another port."
    );
    Verdict::new(Status::True, reason::PORT_TAKEN, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::collection_key::CollectionKey;

    fn said(around: &Surroundings) -> Vec<(&'static str, Status, &'static str, String)> {
        conditions(around)
            .map(|(type_, verdict)| (type_, verdict.status, verdict.reason, verdict.message))
            .collect()
    }

    #[test]
    fn nothing_is_said_of_a_collection_that_is_alone() {
        assert_eq!(said(&Surroundings::default()), []);
    }

    #[test]
    fn both_of_one_name_say_which_is_used() {
        let shadow = |shadow| Surroundings {
            shadow: Some(shadow),
            ..Surroundings::default()
        };
        let namespaces = |count| -> BTreeSet<String> {
            (0..count).map(|index| format!("shop-{index:02}")).collect()
        };
        let two = said(&shadow(Shadow::ByNamespaces(namespaces(2))));
        assert_eq!(
            two,
            [(
                "Shadowed",
                Status::True,
                "ShadowedByNamespace",
                "An ApiCollection of the same name is used instead in: \"shop-00\", \"shop-01\". \
                 Rename one of the two to have both."
                    .to_owned()
            )]
        );
        let [(.., many)] = &said(&shadow(Shadow::ByNamespaces(namespaces(12))))[..] else {
            panic!("one condition")
        };
        assert!(many.contains("\"shop-09\", 2 more."), "{many}");
        let [(type_, status, reason, _)] = said(&shadow(Shadow::OfCluster))[..] else {
            panic!("one condition")
        };
        assert_eq!(
            (type_, status, reason),
            ("Shadowed", Status::False, "ShadowsClusterCollection")
        );
    }

    #[test]
    fn a_contested_port_names_the_collection_that_has_it() {
        let around = Surroundings {
            rival: Some(Rival {
                port: 9001,
                holder: CollectionKey::of_cluster("stripe".parse().unwrap()),
            }),
            ..Surroundings::default()
        };
        assert_eq!(
            said(&around),
            [(
                "PortConflict",
                Status::True,
                "PortTaken",
                "Port 9001 of spec.sidecarPort is that of ClusterApiCollection \"stripe\", which is older. \
                 In pods that may use both, call this collection by its path, or give it another port."
                    .to_owned()
            )]
        );
    }
}
