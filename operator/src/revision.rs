//! What identifies the content of a bundle without revealing it.
//!
//! A revision is a digest of versions: which objects, at which
//! `resourceVersion`. Replicas that have seen the same objects compute the
//! same one, and nothing about a value can be learned from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use credence_core::{CollectionName, Environment};

use crate::digest::sha256_hex;

/// Hexadecimal digits of a revision: 128 bits, so that two contents never
/// share one.
const DIGITS: usize = 32;

/// Kinds of object that a collection takes its material from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl SourceKind {
    /// The name of the resource, as RBAC spells it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
        }
    }
}

/// How an object was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// At this `resourceVersion`.
    At(String),
    /// It does not exist.
    Absent,
    /// The operator may not read objects of this kind there.
    Forbidden,
}

/// Everything that one resolution was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The collection's uid.
    pub uid: String,
    /// The collection's `metadata.generation`.
    pub generation: i64,
    /// The environment it was resolved for.
    pub environment: Environment,
    /// The objects that it refers to there.
    pub objects: BTreeMap<(SourceKind, String), Found>,
}

impl Inputs {
    /// The revision of what these inputs resolve to. `variant` tells apart what
    /// changes by time alone: the reason why they do not, or the days of keys.
    pub fn revision(&self, variant: Option<&str>) -> String {
        // The program's version is part of it: another one may resolve the
        // same inputs differently.
        let mut text = format!(
            "{}\n{}\n{}\n{}\n{}\n",
            env!("CARGO_PKG_VERSION"),
            self.uid,
            self.generation,
            self.environment,
            variant.unwrap_or_default()
        );
        for ((kind, name), found) in &self.objects {
            let found = match found {
                Found::At(version) => version.as_str(),
                Found::Absent => "absent",
                Found::Forbidden => "forbidden",
            };
            // Writing to a String can not fail.
            let _ = writeln!(text, "{} {name} {found}", kind.resource());
        }
        digest(&text)
    }
}

/// The revision of a bundle of entries with these revisions.
pub fn of_bundle<'a>(
    environment: Environment,
    entries: impl Iterator<Item = (&'a CollectionName, &'a str)>,
) -> String {
    let mut text = format!("{environment}\n");
    for (name, revision) in entries {
        // Writing to a String can not fail.
        let _ = writeln!(text, "{name} {revision}");
    }
    digest(&text)
}

fn digest(text: &str) -> String {
    let mut hex = sha256_hex(text.as_bytes());
    hex.truncate(DIGITS);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            uid: "u".to_owned(),
            generation: 1,
            environment: Environment::Development,
            objects: BTreeMap::from([(
                (SourceKind::Secret, "openai-dev".to_owned()),
                Found::At("7".to_owned()),
            )]),
        }
    }

    #[test]
    fn equal_inputs_have_equal_revisions() {
        assert_eq!(inputs().revision(None), inputs().revision(None));
        assert_eq!(inputs().revision(None).len(), DIGITS);
    }

    #[test]
    fn every_input_changes_the_revision() {
        let object =
            |found| BTreeMap::from([((SourceKind::Secret, "openai-dev".to_owned()), found)]);
        let other = [
            Inputs {
                uid: "v".to_owned(),
                ..inputs()
            },
            Inputs {
                generation: 2,
                ..inputs()
            },
            Inputs {
                environment: Environment::Live,
                ..inputs()
            },
            Inputs {
                objects: object(Found::At("8".to_owned())),
                ..inputs()
            },
            Inputs {
                objects: object(Found::Absent),
                ..inputs()
            },
            Inputs {
                objects: object(Found::Forbidden),
                ..inputs()
            },
            Inputs {
                objects: BTreeMap::new(),
                ..inputs()
            },
        ];
        for (index, other) in other.iter().enumerate() {
            assert_ne!(other.revision(None), inputs().revision(None), "{index}");
        }
        let expired = inputs().revision(Some("ClientCertificateExpired"));
        assert_ne!(expired, inputs().revision(None));
    }

    #[test]
    fn a_bundle_changes_with_its_entries_and_environment() {
        let name: CollectionName = "openai".parse().unwrap();
        let of = |environment, revision| of_bundle(environment, [(&name, revision)].into_iter());
        let here = of(Environment::Live, "1");
        assert_ne!(here, of(Environment::Development, "1"));
        assert_ne!(here, of(Environment::Live, "2"));
        assert_ne!(here, of_bundle(Environment::Live, std::iter::empty()));
    }
}
