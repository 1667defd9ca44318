//! Which collection.

use std::fmt;

use credence_core::CollectionName;

/// What a collection is called in the whole cluster, and of which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionKey {
    /// Of an ApiCollection, its namespace; a ClusterApiCollection has none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: CollectionName,
}

impl CollectionKey {
    /// An ApiCollection.
    pub fn in_namespace(namespace: &str, name: CollectionName) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            name,
        }
    }

    /// A ClusterApiCollection.
    pub const fn of_cluster(name: CollectionName) -> Self {
        Self {
            namespace: None,
            name,
        }
    }

    /// The kind, as objects spell it.
    pub const fn kind(&self) -> &'static str {
        match self.namespace {
            Some(_) => "ApiCollection",
            None => "ClusterApiCollection",
        }
    }
}

/// As a sentence names it to someone who sees only one of several namespaces.
impl fmt::Display for CollectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind(), self.name)?;
        match &self.namespace {
            Some(namespace) => write!(f, " of namespace \"{namespace}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_named_with_its_kind_and_place() {
        let name: CollectionName = "openai".parse().unwrap();
        assert_eq!(
            CollectionKey::in_namespace("shop", name.clone()).to_string(),
            "ApiCollection \"openai\" of namespace \"shop\""
        );
        assert_eq!(
            CollectionKey::of_cluster(name).to_string(),
            "ClusterApiCollection \"openai\""
        );
    }
}
