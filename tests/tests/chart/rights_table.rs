//! docs/rbac.md, made from the chart. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use credence_tests::rights::{Role, Rule, roles};

use crate::workspace;

const HEAD: &str = "\
# Rights

Every right that the chart gives, and what needs it. The page is made from the chart's templates, where each rule
has its reason beside it; the test `every_right_has_its_reason_beside_it` fails where one has none, and
`the operator may do what the table says and nothing else` compares the operator's part with what the API server
answers on a cluster.

No rule has `*` for a group, a resource or a verb, and no ClusterRoleBinding of the defaults leads to Secrets.
";

/// What a role is for, and where it is bound.
fn binding(role: &Role) -> &'static str {
    match (role.kind.as_str(), role.name.as_str()) {
        ("ClusterRole", "credence-operator") => "The operator, in the whole cluster.",
        ("Role", "credence-operator") => "The operator, in its own namespace.",
        ("ClusterRole", "credence-credentials") => {
            "The operator, in each namespace of the value `credentialNamespaces`, and wherever somebody binds it, and \
             in the namespace that `clusterCredentials` creates; in the whole cluster only where `rbac.clusterWideSecrets` is true."
        }
        ("Role", "credence-tokens") => {
            "The operator, in each namespace that the value `serviceAccountTokens` names; nowhere by default."
        }
        ("ClusterRole", "credence-view") => "People, by aggregation to `view`, `edit` and `admin`.",
        ("ClusterRole", "credence-edit") => "People, by aggregation to `edit` and `admin`.",
        ("ClusterRole", "credence-cluster-edit" | "credence-promote") => {
            "People, where you bind it."
        }
        (kind, name) => panic!("say here where the {kind} {name} is bound"),
    }
}

fn row(rule: &Rule) -> String {
    let code = |texts: &[String]| {
        let quoted = texts.iter().map(|text| format!("`{text}`"));
        quoted.collect::<Vec<_>>().join(", ")
    };
    let groups = rule
        .grant
        .api_groups
        .iter()
        .map(|group| match group.as_str() {
            "" => "core".to_owned(),
            group => format!("`{group}`"),
        });
    format!(
        "| {} | {} | {} | {} | {} |",
        code(&rule.grant.resources),
        groups.collect::<Vec<_>>().join(", "),
        code(&rule.grant.resource_names),
        code(&rule.grant.verbs),
        rule.reason
    )
}

#[test]
fn the_table_of_rights_is_that_of_the_chart() {
    let mut page = HEAD.to_owned();
    for role in roles().unwrap() {
        let Role { kind, name, rules } = &role;
        let bound = binding(&role);
        write!(page, "\n## {kind} `{name}`\n{bound}\n\n").unwrap();
        page.push_str("| resources | group | only named | verbs | why |\n|---|---|---|---|---|\n");
        for rule in rules {
            writeln!(page, "{}", row(rule)).unwrap();
        }
    }
    let path = workspace().join("docs/rbac.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == page,
        "docs/rbac.md is old: UPDATE_GOLDEN=1 cargo test -p credence-tests --test chart"
    );
}

#[test]
fn every_right_has_its_reason_beside_it() {
    let roles = roles().unwrap();
    let mut rules = 0;
    for role in &roles {
        for rule in &role.rules {
            assert!(
                rule.reason.ends_with('.') && rule.reason.len() > 20,
                "{}: {:?} has no reason, but {:?}",
                role.name,
                rule.grant,
                rule.reason
            );
            rules += 1;
        }
    }
    assert!(rules > 10, "only {rules} found");
}
