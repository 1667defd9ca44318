//! Who holds the verb `promote`, by the cluster's RBAC.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

/// All of RBAC.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants {
    pub(super) roles: Vec<Role>,
    pub(super) cluster_roles: Vec<ClusterRole>,
    pub(super) bindings: Vec<RoleBinding>,
    pub(super) cluster_bindings: Vec<ClusterRoleBinding>,
}

/// Somebody who may make a namespace live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holder {
    /// Such as `Group ops` or `ServiceAccount cd/deployer`.
    pub(super) subject: String,
    /// The one namespace that it is about.
    pub(super) namespace: Option<String>,
    /// Such as `ClusterRole cluster-admin`.
    pub(super) role: String,
    /// Not because of the verb's name, but because of a wildcard.
    pub(super) by_wildcard: bool,
    /// Anybody who can log in, or who runs in a pod.
    pub(super) everybody: bool,
}

/// Groups and users that are no choice of persons.
const EVERYBODY: [&str; 4] = [
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:anonymous",
];

impl Grants {
    /// Who holds it, in order, each once for each way.
    pub(super) fn holders(&self) -> Vec<Holder> {
        let mut holders = Vec::new();
        for binding in &self.cluster_bindings {
            if let Some(wildcard) = self.promotes(&binding.role_ref, None) {
                let subjects = binding.subjects.iter().flatten();
                holders.extend(subjects.map(|of| holder(of, None, &binding.role_ref, wildcard)));
            }
        }
        for binding in &self.bindings {
            let namespace = binding.metadata.namespace.as_deref();
            if let Some(wildcard) = self.promotes(&binding.role_ref, namespace) {
                let subjects = binding.subjects.iter().flatten();
                holders
                    .extend(subjects.map(|of| holder(of, namespace, &binding.role_ref, wildcard)));
            }
        }
        holders.sort();
        holders.dedup();
        holders
    }

    /// Whether a role has the verb, and then whether only by a wildcard.
    fn promotes(&self, role: &RoleRef, namespace: Option<&str>) -> Option<bool> {
        let named = |name: &Option<String>| name.as_deref() == Some(role.name.as_str());
        let rules = match role.kind.as_str() {
            "ClusterRole" => {
                let mut all = self.cluster_roles.iter();
                all.find(|found| named(&found.metadata.name))?
                    .rules
                    .as_ref()
            }
            _ => {
                let mut all = self.roles.iter();
                let here = |found: &&Role| found.metadata.namespace.as_deref() == namespace;
                all.find(|found| here(found) && named(&found.metadata.name))?
                    .rules
                    .as_ref()
            }
        };
        rules?.iter().filter_map(promotes).min()
    }
}

/// Whether a rule has the verb, and then whether only by a wildcard.
fn promotes(rule: &PolicyRule) -> Option<bool> {
    let matched = |all: &[String], name: &str| {
        let plainly = all.iter().any(|found| found == name);
        (plainly || all.iter().any(|found| found == "*")).then_some(!plainly)
    };
    let groups = rule.api_groups.as_deref().unwrap_or_default();
    let resources = rule.resources.as_deref().unwrap_or_default();
    // The policy asks about no collection in particular.
    let named = rule.resource_names.as_deref().unwrap_or_default();
    if !named.is_empty() {
        return None;
    }
    matched(groups, "credence.dev")?;
    matched(resources, "apicollections")?;
    matched(&rule.verbs, "promote")
}

fn holder(subject: &Subject, within: Option<&str>, role: &RoleRef, by_wildcard: bool) -> Holder {
    let Subject {
        kind,
        name,
        namespace,
        ..
    } = subject;
    let subject = match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    };
    let everybody = kind != "ServiceAccount"
        && (EVERYBODY.contains(&name.as_str()) || name.starts_with("system:serviceaccounts:"));
    Holder {
        subject,
        namespace: within.map(str::to_owned),
        role: format!("{} {}", role.kind, role.name),
        by_wildcard,
        everybody,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grants(rules: &serde_json::Value) -> Grants {
        let read = serde_json::from_value;
        let subjects =
            json!([{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]);
        let to = |kind: &str| json!({"kind": kind, "name": "r", "apiGroup": "rbac.authorization.k8s.io"});
        Grants {
            roles: vec![
                read(json!({"metadata": {"name": "r", "namespace": "a"}, "rules": rules})).unwrap(),
            ],
            cluster_roles: vec![],
            bindings: ["a", "b"]
                .map(|namespace| {
                    serde_json::from_value(json!({
                        "metadata": {"name": "b", "namespace": namespace},
                        "roleRef": to("Role"), "subjects": subjects,
                    }))
                    .unwrap()
                })
                .into(),
            cluster_bindings: vec![],
        }
    }

    #[test]
    fn a_rule_grants_it_by_name_or_by_wildcard_and_for_no_object_in_particular() {
        let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!([{"apiGroups": groups, "resources": resources, "verbs": verbs}]);
        for (rules, found) in [
            (
                rule(&["credence.dev"], &["apicollections"], &["promote"]),
                Some(false),
            ),
            (
                rule(&["credence.dev"], &["*"], &["get", "promote"]),
                Some(false),
            ),
            (rule(&["*"], &["*"], &["*"]), Some(true)),
            (
                rule(&["credence.dev"], &["apicollections"], &["*"]),
                Some(true),
            ),
            (
                rule(&["credence.dev"], &["apicollections"], &["get", "update"]),
                None,
            ),
            (
                rule(&["credence.dev"], &["apicollections/status"], &["promote"]),
                None,
            ),
            (rule(&["apps"], &["apicollections"], &["promote"]), None),
            (
                json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["openai"]}]),
                None,
            ),
        ] {
            let holders = grants(&rules).holders();
            let wildcards: Vec<_> = holders.iter().map(|holder| holder.by_wildcard).collect();
            assert_eq!(wildcards, Vec::from_iter(found), "{rules}");
        }
    }

    #[test]
    fn a_role_counts_in_its_own_namespace_only() {
        let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        let holders = grants(&rules).holders();
        assert_eq!(holders.len(), 1);
        assert_eq!(holders[0].namespace.as_deref(), Some("a"));
        assert_eq!(holders[0].subject, "User eve");
        assert!(!holders[0].everybody);
    }

    #[test]
    fn a_cluster_role_counts_where_it_is_bound() {
        let read = serde_json::from_value::<ClusterRoleBinding>;
        let bound = |kind: &str, name: &str| {
            read(json!({
                "metadata": {"name": "b"},
                "roleRef": {"kind": "ClusterRole", "name": "admin", "apiGroup": "rbac.authorization.k8s.io"},
                "subjects": [{"kind": kind, "name": name}],
            }))
            .unwrap()
        };
        let grants = Grants {
            cluster_roles: vec![
                serde_json::from_value(json!({
                    "metadata": {"name": "admin"},
                    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
                }))
                .unwrap(),
            ],
            cluster_bindings: vec![
                bound("Group", "system:masters"),
                bound("Group", "system:authenticated"),
                bound("Group", "system:serviceaccounts:ci"),
            ],
            ..Grants::default()
        };
        let holders = grants.holders();
        let everybody: Vec<_> = holders
            .iter()
            .map(|holder| (holder.subject.as_str(), holder.everybody))
            .collect();
        assert_eq!(
            everybody,
            [
                ("Group system:authenticated", true),
                ("Group system:masters", false),
                ("Group system:serviceaccounts:ci", true),
            ]
        );
    }
}
