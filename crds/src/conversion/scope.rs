//! Which pods may make calls.

use std::collections::BTreeSet;

use credence_core::collection::{AccountName, Scope};
use credence_core::label_selector::{self, Operator, Requirement};

use super::Reader;
use crate::api_collection::{ApiCollection, ApiCollectionSpec};
use crate::cluster_api_collection::{ClusterApiCollection, ClusterApiCollectionSpec};
use crate::label_selector::{LabelOperator, LabelRequirement, LabelSelector};

impl ApiCollection {
    /// Which pods it is for, also where the rest of it cannot be used.
    pub fn scope(&self) -> Scope {
        Scope::Namespace {
            service_accounts: service_accounts(&self.spec).cloned(),
        }
    }
}

impl ClusterApiCollection {
    /// Which pods it is for, also where the rest of it cannot be used. An
    /// account that cannot be read is nobody's.
    pub fn scope(&self) -> Scope {
        Reader::default().cluster_scope(&self.spec)
    }
}

/// What `access.serviceAccounts` names, if it is there.
fn service_accounts(spec: &ApiCollectionSpec) -> Option<&BTreeSet<String>> {
    spec.access.as_ref()?.service_accounts.as_ref()
}

impl Reader {
    pub(super) fn cluster_scope(&mut self, spec: &ClusterApiCollectionSpec) -> Scope {
        let namespaces = spec.namespace_selector.as_ref();
        Scope::Cluster {
            namespaces: namespaces.map(|selector| self.selector(selector)),
            service_accounts: service_accounts(&spec.api)
                .map(|names| names.iter().filter_map(|name| self.account(name)).collect()),
        }
    }

    fn account(&mut self, text: &str) -> Option<AccountName> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Some(AccountName {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => {
                self.problem(
                    "spec.access.serviceAccounts",
                    format!("\"{text}\" must name the namespace too: write NAMESPACE/NAME"),
                );
                None
            }
        }
    }

    fn selector(&mut self, selector: &LabelSelector) -> label_selector::LabelSelector {
        let expressions = selector.match_expressions.iter().enumerate();
        label_selector::LabelSelector {
            match_labels: selector.match_labels.clone(),
            expressions: expressions
                .map(|(index, requirement)| self.requirement(index, requirement))
                .collect(),
        }
    }

    fn requirement(&mut self, index: usize, requirement: &LabelRequirement) -> Requirement {
        let values = requirement.values.clone();
        let lists = matches!(
            requirement.operator,
            LabelOperator::In | LabelOperator::NotIn
        );
        if lists == values.is_empty() {
            let message = match lists {
                true => "must have at least one value for In and NotIn",
                false => "must be left out for Exists and DoesNotExist",
            };
            let field = format!("spec.namespaceSelector.matchExpressions[{index}].values");
            self.problem(field, message);
        }
        Requirement {
            key: requirement.key.clone(),
            operator: match requirement.operator {
                LabelOperator::In => Operator::In(values),
                LabelOperator::NotIn => Operator::NotIn(values),
                LabelOperator::Exists => Operator::Exists,
                LabelOperator::DoesNotExist => Operator::DoesNotExist,
            },
        }
    }
}
