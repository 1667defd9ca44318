//! Which pods may use a collection.

use std::collections::{BTreeMap, BTreeSet};

use crate::label_selector::LabelSelector;

/// Which pods may use a collection: the part in which an `ApiCollection` and a
/// `ClusterApiCollection` differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Pods of the collection's own namespace.
    Namespace {
        /// By the names of their ServiceAccounts; absent means all.
        service_accounts: Option<BTreeSet<String>>,
    },
    /// Pods of many namespaces.
    Cluster {
        /// By the labels of their namespaces; absent means none.
        namespaces: Option<LabelSelector>,
        /// By the namespaces and names of their ServiceAccounts; absent means
        /// all.
        service_accounts: Option<BTreeSet<AccountName>>,
    },
}

/// A ServiceAccount of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Who makes calls.
#[derive(Clone, Copy, Debug)]
pub struct Consumer<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// That namespace's labels.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The pod's ServiceAccount.
    pub service_account: &'a str,
}

impl Scope {
    /// Whether collections of this scope are seen in a namespace at all. Of a
    /// namespaced one this says nothing: it is seen where it is.
    pub fn selects(&self, namespace_labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Namespace { .. } => true,
            Self::Cluster { namespaces, .. } => namespaces
                .as_ref()
                .is_some_and(|selector| selector.matches(namespace_labels)),
        }
    }

    /// The ServiceAccounts of a namespace that may use the collection, if it is
    /// seen there; absent means all.
    pub fn accounts<'a>(&'a self, namespace: &str) -> Option<BTreeSet<&'a str>> {
        match self {
            Self::Namespace { service_accounts } => service_accounts
                .as_ref()
                .map(|names| names.iter().map(String::as_str).collect()),
            Self::Cluster {
                service_accounts, ..
            } => service_accounts.as_ref().map(|accounts| {
                let here = accounts.iter().filter(|one| one.namespace == namespace);
                here.map(|account| account.name.as_str()).collect()
            }),
        }
    }

    /// Whether there can be a consumer in a namespace.
    pub fn reaches(&self, namespace: &str, namespace_labels: &BTreeMap<String, String>) -> bool {
        self.selects(namespace_labels)
            && self
                .accounts(namespace)
                .is_none_or(|accounts| !accounts.is_empty())
    }

    /// Whether a consumer may use the collection; of a namespaced one, a
    /// consumer of its namespace.
    pub fn admits(&self, consumer: &Consumer<'_>) -> bool {
        self.selects(consumer.namespace_labels)
            && self
                .accounts(consumer.namespace)
                .is_none_or(|accounts| accounts.contains(consumer.service_account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(scope: &Scope, namespace: &str, service_account: &str) -> bool {
        let labels = BTreeMap::from([("team".to_owned(), namespace.to_owned())]);
        scope.admits(&Consumer {
            namespace,
            namespace_labels: &labels,
            service_account,
        })
    }

    fn shops() -> Option<LabelSelector> {
        Some(LabelSelector {
            match_labels: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
            expressions: vec![],
        })
    }

    #[test]
    fn in_a_namespace_all_accounts_are_admitted_unless_some_are_named() {
        let everybody = Scope::Namespace {
            service_accounts: None,
        };
        assert!(admitted(&everybody, "shop", "checkout"));
        let named = Scope::Namespace {
            service_accounts: Some(BTreeSet::from(["checkout".to_owned()])),
        };
        assert!(admitted(&named, "shop", "checkout"));
        assert!(!admitted(&named, "shop", "other"));
        let nobody = Scope::Namespace {
            service_accounts: Some(BTreeSet::new()),
        };
        assert!(!admitted(&nobody, "shop", "checkout"));
    }

    #[test]
    fn a_cluster_collection_without_a_selector_is_for_nobody() {
        let scope = Scope::Cluster {
            namespaces: None,
            service_accounts: None,
        };
        assert!(!admitted(&scope, "shop", "checkout"));
    }

    #[test]
    fn an_account_of_the_same_name_in_another_namespace_is_not_admitted() {
        let named = |namespaces| Scope::Cluster {
            namespaces,
            service_accounts: Some(BTreeSet::from([AccountName {
                namespace: "shop".to_owned(),
                name: "checkout".to_owned(),
            }])),
        };
        assert!(admitted(&named(shops()), "shop", "checkout"));
        assert!(!admitted(&named(shops()), "shop", "other"));
        let everywhere = Some(LabelSelector::default());
        assert!(!admitted(&named(everywhere), "bakery", "checkout"));
        assert!(!admitted(&named(shops()), "bakery", "checkout"));
    }

    #[test]
    fn a_namespace_none_of_whose_accounts_are_named_is_not_reached() {
        let scope = |accounts: Option<&[&str]>| Scope::Cluster {
            namespaces: shops(),
            service_accounts: accounts.map(|namespaces| {
                let namespaces = namespaces.iter();
                let account = |namespace: &&str| AccountName {
                    namespace: (*namespace).to_owned(),
                    name: "checkout".to_owned(),
                };
                namespaces.map(account).collect()
            }),
        };
        let shop = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
        assert!(scope(None).reaches("shop", &shop));
        assert!(scope(Some(&["bakery", "shop"])).reaches("shop", &shop));
        assert!(!scope(Some(&["bakery"])).reaches("shop", &shop));
        assert!(!scope(Some(&[])).reaches("shop", &shop));
        assert!(!scope(None).reaches("shop", &BTreeMap::new()));
    }
}
