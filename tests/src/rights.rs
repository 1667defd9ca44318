//! What the chart lets whom do, and why: its roles, as its templates spell
//! them, with the comment above each rule.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The templates with roles.
const FILES: [&str; 4] = [
    "rbac-operator",
    "rbac-credentials",
    "rbac-tokens",
    "rbac-people",
];

/// A Role or ClusterRole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// On what, and which verbs.
    pub grant: Grant,
    /// The comment above it; empty where there is none.
    pub reason: String,
}

/// What a rule grants.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// Groups; the core group is empty.
    pub api_groups: Vec<String>,
    /// Resources, with their subresources.
    pub resources: Vec<String>,
    /// Only objects of these names, if there are any.
    #[serde(default)]
    pub resource_names: Vec<String>,
    /// What may be done.
    pub verbs: Vec<String>,
}

/// All roles of the chart.
///
/// # Errors
/// A template cannot be read, or a rule in it.
pub fn roles() -> Result<Vec<Role>> {
    let mut roles = Vec::new();
    for file in FILES {
        let path = chart().join(format!("templates/{file}.yaml"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        roles.extend(parsed(&text).with_context(|| path.display().to_string())?);
    }
    Ok(roles)
}

/// The chart's folder.
#[must_use]
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/credence")
}

/// Of a template with several documents, those that are roles.
fn parsed(text: &str) -> Result<Vec<Role>> {
    let documents = text.split("\n---\n");
    documents
        .filter_map(|text| role(text).transpose())
        .collect()
}

fn role(document: &str) -> Result<Option<Role>> {
    let after = |prefix: &str| {
        let mut lines = document.lines();
        lines.find_map(|line| line.strip_prefix(prefix).map(str::to_owned))
    };
    let kind = after("kind: ").unwrap_or_default();
    if !kind.ends_with("Role") {
        return Ok(None);
    }
    let name = after("  name: ").context("a name")?;
    let (_, rules) = document.split_once("\nrules:\n").context("rules")?;
    let rules = rules_of(rules).with_context(|| name.clone())?;
    ensure!(!rules.is_empty(), "{name} has no rules");
    Ok(Some(Role { kind, name, rules }))
}

/// Comments belong to the rule below them; lines of Helm's to none. What Helm
/// fills in is an ellipsis.
fn rules_of(text: &str) -> Result<Vec<Rule>> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut comment = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("{{")) {
        if let Some(line) = line.strip_prefix("# ") {
            comment.push(line);
        } else if let Some(first) = line.strip_prefix("- ") {
            found.push((comment.join(" "), format!("{first}\n")));
            comment.clear();
        } else if let Some((_, rule)) = found.last_mut() {
            rule.push_str(&without_actions(line.trim_start()));
            rule.push('\n');
        }
    }
    let rule = |(reason, text): (String, String)| {
        let grant = serde_yaml::from_str(&text).with_context(|| text)?;
        Ok(Rule { grant, reason })
    };
    found.into_iter().map(rule).collect()
}

fn without_actions(line: &str) -> String {
    let mut parts = line.split("{{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let after = part.split_once("}}").map_or("", |(_, after)| after);
        format!("{text}…{after}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_above_a_rule_is_its_reason() -> Result<()> {
        let text = "# A file.\nkind: Role\nmetadata:\n  name: one\nrules:\n# Because\n# of this.\n- apiGroups: [\"\"]\n  resources: [pods]\n  verbs: [get]\n{{- if .Values.x }}\n- apiGroups: [a]\n  resources: [b]\n  resourceNames: [{{ $x }}]\n  verbs: [d]\n{{- end }}\n---\nkind: RoleBinding\n";
        let roles = parsed(text)?;
        assert_eq!(roles.len(), 1);
        let rules = &roles[0].rules;
        assert_eq!(rules[0].reason, "Because of this.");
        assert_eq!(rules[0].grant.resources, ["pods"]);
        assert_eq!(rules[1].reason, "");
        assert_eq!(rules[1].grant.resource_names, ["…"]);
        Ok(())
    }
}
