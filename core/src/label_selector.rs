//! Which namespaces are meant, by their labels.

use std::collections::{BTreeMap, BTreeSet};

/// A selector as Kubernetes knows it: everything in it must hold, and one with
/// nothing in it matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// What must hold besides.
    pub expressions: Vec<Requirement>,
}

/// What must hold of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold of its value.
    pub operator: Operator,
}

/// What must hold of a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is there, and one of these.
    In(BTreeSet<String>),
    /// It is not there, or none of these.
    NotIn(BTreeSet<String>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether labels are as they must be.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        self.match_labels.iter().all(equal)
            && self
                .expressions
                .iter()
                .all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn team(operator: Operator) -> LabelSelector {
        LabelSelector {
            expressions: vec![Requirement {
                key: "team".to_owned(),
                operator,
            }],
            ..LabelSelector::default()
        }
    }

    #[test]
    fn operators_mean_what_they_mean_in_kubernetes() {
        let some = || BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        // Matches with the values a and c of the label, and without it.
        for (operator, a, c, without) in [
            (Operator::In(some()), true, false, false),
            (Operator::NotIn(some()), false, true, true),
            (Operator::Exists, true, true, false),
            (Operator::DoesNotExist, false, false, true),
        ] {
            let selector = team(operator);
            assert_eq!(selector.matches(&labels(&[("team", "a")])), a);
            assert_eq!(selector.matches(&labels(&[("team", "c")])), c);
            assert_eq!(selector.matches(&labels(&[("other", "a")])), without);
        }
    }

    #[test]
    fn everything_must_hold_and_nothing_matches_all() {
        assert!(LabelSelector::default().matches(&labels(&[])));
        let selector = LabelSelector {
            match_labels: labels(&[("tier", "1"), ("zone", "eu")]),
            ..team(Operator::Exists)
        };
        let all = [("tier", "1"), ("zone", "eu"), ("team", "x")];
        assert!(selector.matches(&labels(&all)));
        for missing in 0..all.len() {
            let mut fewer = all.to_vec();
            fewer.remove(missing);
            assert!(!selector.matches(&labels(&fewer)), "{fewer:?}");
        }
        assert!(!selector.matches(&labels(&[("tier", "2"), ("zone", "eu"), ("team", "x")])));
    }
}
