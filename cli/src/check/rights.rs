//! What the operator must be allowed to do: what the chart gives it, read from
//! the chart itself, so that there is one place where that is written.

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;

use crate::yaml;

const CHART: &str = include_str!("../../../charts/credence/templates/rbac-operator.yaml");

/// What an `end` belongs to, of Helm's actions.
const OPENING: [&str; 4] = ["if ", "range ", "with ", "define "];

/// Each single right, of an operator in this namespace.
pub(super) fn needed(operator: &str) -> Vec<ResourceAttributes> {
    let (documents, _) = yaml::parse(&without_template(CHART));
    let mut rights = Vec::new();
    for document in &documents {
        let namespace = match document.value["kind"].as_str() {
            Some("ClusterRole") => None,
            Some("Role") => Some(operator),
            _ => continue,
        };
        for rule in rules(&document.value["rules"]) {
            rights.extend(single(&rule, namespace));
        }
    }
    rights
}

/// As one reads it: `patch apicollections.credence.dev/status`.
pub(super) fn spelled(right: &ResourceAttributes) -> String {
    let word = |member: &Option<String>| member.clone().unwrap_or_default();
    let mut text = format!("{} {}", word(&right.verb), word(&right.resource));
    for (before, member) in [
        (".", &right.group),
        ("/", &right.subresource),
        (" ", &right.name),
        (" in ", &right.namespace),
    ] {
        if let Some(member) = member.as_deref().filter(|member| !member.is_empty()) {
            text.push_str(before);
            text.push_str(member);
        }
    }
    text
}

/// The manifests without what Helm fills in, and without what stands behind a
/// condition: an installation may do without that.
fn without_template(chart: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    for line in chart.lines() {
        let action = line
            .trim()
            .trim_start_matches("{{-")
            .trim_start_matches("{{");
        let action = line.contains("{{").then(|| action.trim_start());
        match action {
            Some(action) if OPENING.iter().any(|word| action.starts_with(word)) => depth += 1,
            Some(action) if action.starts_with("end ") || action.starts_with("end}") => {
                depth = depth.saturating_sub(1);
            }
            Some(_) => {}
            None if depth == 0 => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}

fn rules(value: &Value) -> Vec<PolicyRule> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn single(rule: &PolicyRule, namespace: Option<&str>) -> Vec<ResourceAttributes> {
    let mut rights = Vec::new();
    let groups = rule.api_groups.as_deref().unwrap_or_default();
    let resources = rule.resources.as_deref().unwrap_or_default();
    let names = match rule.resource_names.as_deref() {
        Some([]) | None => vec![None],
        Some(names) => names.iter().cloned().map(Some).collect(),
    };
    for (group, resource) in groups
        .iter()
        .flat_map(|group| resources.iter().map(move |resource| (group, resource)))
    {
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (resource.as_str(), None),
        };
        for (verb, name) in rule
            .verbs
            .iter()
            .flat_map(|verb| names.iter().map(move |name| (verb, name)))
        {
            rights.push(ResourceAttributes {
                group: Some(group.clone()),
                resource: Some(resource.to_owned()),
                subresource: subresource.clone(),
                verb: Some(verb.clone()),
                name: name.clone(),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            });
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The rights of the same Roles as Helm renders them.
    fn rendered() -> BTreeSet<String> {
        let chart = include_str!("../../../tests/tests/chart/snapshots/defaults.yaml");
        let (documents, _) = yaml::parse(chart);
        let mut found = BTreeSet::new();
        for document in &documents {
            let value = &document.value;
            if value["metadata"]["name"] != "credence-operator" {
                continue;
            }
            let namespace = match value["kind"].as_str() {
                Some("ClusterRole") => None,
                Some("Role") => value["metadata"]["namespace"].as_str(),
                _ => continue,
            };
            for rule in rules(&value["rules"]) {
                found.extend(single(&rule, namespace).iter().map(spelled));
            }
        }
        found
    }

    #[test]
    fn the_rights_are_those_that_the_chart_gives() {
        let needed: BTreeSet<_> = needed("credence-system").iter().map(spelled).collect();
        assert_eq!(needed, rendered());
        for right in [
            "patch apicollections.credence.dev/status",
            "create tokenreviews.authentication.k8s.io",
            "update secrets in credence-system",
            "create leases.coordination.k8s.io in credence-system",
        ] {
            assert!(needed.contains(right), "{right}: {needed:#?}");
        }
    }

    #[test]
    fn what_stands_behind_a_condition_is_not_needed() {
        let chart =
            "a: 1\n{{- if .Values.x }}\nb: 2\n  {{- with .y }}\n{{- end }}\n{{ end }}\nc: 3\n";
        assert_eq!(without_template(chart), "a: 1\nc: 3\n");
    }
}
