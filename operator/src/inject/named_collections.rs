//! The collections that a pod's annotation names.

use std::collections::BTreeSet;

use credence_core::{CollectionName, names};

/// More names than any pod needs; each becomes a variable of each container.
const MAX_NAMES: usize = 100;

/// The annotation [`names::COLLECTIONS`] cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCollections {
    /// It is there, but names nothing between two commas.
    #[error(
        "annotation {}: a name is empty. Write the collections' names, separated by commas; \
         without the annotation the pod may use every collection that is open to it",
        names::COLLECTIONS
    )]
    Empty,
    /// A name that no collection can have.
    #[error(
        "annotation {annotation}: {0:?} cannot name a collection. A name has at most 63 \
         lower-case letters, digits and \"-\", and begins and ends with a letter or digit",
        annotation = names::COLLECTIONS
    )]
    Name(String),
    /// More than [`MAX_NAMES`].
    #[error(
        "annotation {}: more than {MAX_NAMES} names. Without the annotation the pod may use \
         every collection that is open to it",
        names::COLLECTIONS
    )]
    TooMany,
}

/// Reads the annotation's value: names separated by commas, blanks around them
/// ignored.
///
/// # Errors
/// A value that names nothing, or something that cannot name a collection. It
/// is never read as "all" or "none": the pod would get more or less than its
/// author believes.
pub fn named_collections(annotation: &str) -> Result<BTreeSet<CollectionName>, InvalidCollections> {
    let mut collections = BTreeSet::new();
    for name in annotation.split(',').map(str::trim) {
        if name.is_empty() {
            return Err(InvalidCollections::Empty);
        }
        let parsed = name.parse::<CollectionName>();
        collections.insert(parsed.map_err(|_| InvalidCollections::Name(excerpt(name)))?);
        if collections.len() > MAX_NAMES {
            return Err(InvalidCollections::TooMany);
        }
    }
    Ok(collections)
}

/// Enough of a wrong name to find it by.
fn excerpt(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_repetitions_do_not_matter() {
        let names = named_collections(" stripe ,openai,stripe").unwrap();
        let names: Vec<_> = names.iter().map(CollectionName::as_str).collect();
        assert_eq!(names, ["openai", "stripe"]);
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for annotation in ["", " ", ",", "openai,", "openai,,stripe"] {
            assert_eq!(
                named_collections(annotation),
                Err(InvalidCollections::Empty),
                "{annotation:?}"
            );
        }
    }

    #[test]
    fn a_wrong_name_is_shown_and_cut_short() {
        assert_eq!(
            named_collections("openai,Open AI"),
            Err(InvalidCollections::Name("Open AI".to_owned()))
        );
        let long = "x".repeat(70_000);
        let InvalidCollections::Name(shown) = named_collections(&long).unwrap_err() else {
            panic!("not refused for its name");
        };
        assert_eq!(shown.len(), 64);
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let names = |n: usize| {
            let names: Vec<_> = (0..n).map(|i| format!("api-{i}")).collect();
            named_collections(&names.join(","))
        };
        assert_eq!(names(MAX_NAMES).unwrap().len(), MAX_NAMES);
        assert_eq!(names(MAX_NAMES + 1), Err(InvalidCollections::TooMany));
    }
}
