//! What the chart lets whom do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::helm::Helm;

/// Each resource that a role is about, with its verbs.
fn rules<'a>(objects: &'a [Value], kind: &str, name: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut roles = objects
        .iter()
        .filter(|o| o["kind"] == kind && o["metadata"]["name"] == name);
    let role = roles.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    let rules = role["rules"].as_array().unwrap();
    let texts = |list: &'a Value| -> Vec<&'a str> {
        let list = list.as_array().unwrap().iter();
        list.map(|text| text.as_str().unwrap()).collect()
    };
    rules
        .iter()
        .flat_map(|rule| {
            let verbs = texts(&rule["verbs"]);
            let resources = texts(&rule["resources"]).into_iter();
            resources.map(move |resource| (resource, verbs.clone()))
        })
        .collect()
}

fn bindings<'a>(objects: &'a [Value], kind: &str) -> Vec<(&'a str, &'a str)> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .map(|binding| {
            let namespace = binding["metadata"]["namespace"].as_str();
            let role = binding["roleRef"]["name"].as_str().unwrap();
            (namespace.unwrap_or_default(), role)
        })
        .collect()
}

#[test]
fn nothing_reads_secrets_in_the_whole_cluster() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&["credentialNamespaces={shop-dev,shop-live}"]);
    assert_eq!(
        bindings(&objects, "ClusterRoleBinding"),
        [("", "credence-operator")]
    );
    let resources: BTreeSet<_> = rules(&objects, "ClusterRole", "credence-operator")
        .into_iter()
        .map(|(resource, _)| resource)
        .collect();
    assert_eq!(
        resources,
        BTreeSet::from([
            "apicollections",
            "apicollections/status",
            "events",
            "mutatingwebhookconfigurations",
            "namespaces",
            "pods",
            "tokenreviews",
        ])
    );
}

#[test]
fn events_are_written_and_never_read() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let rules = rules(&objects, "ClusterRole", "credence-operator");
    let events: Vec<_> = rules
        .into_iter()
        .filter(|(resource, _)| *resource == "events")
        .collect();
    assert_eq!(events, [("events", vec!["create"])]);
}

#[test]
fn credentials_are_readable_where_the_values_say_and_nowhere_else() {
    let Some(helm) = Helm::get() else { return };
    let own = ("credence-system", "credence-operator");
    assert_eq!(bindings(&helm.objects(&[]), "RoleBinding"), [own]);

    let objects = helm.objects(&["credentialNamespaces={shop-dev,shop-live}"]);
    let bound: BTreeSet<_> = bindings(&objects, "RoleBinding").into_iter().collect();
    let credentials = "credence-credentials";
    assert_eq!(
        bound,
        BTreeSet::from([own, ("shop-dev", credentials), ("shop-live", credentials)])
    );
    for (resource, verbs) in rules(&objects, "ClusterRole", credentials) {
        assert!(["secrets", "configmaps"].contains(&resource));
        assert_eq!(verbs, ["get", "list", "watch"]);
    }
}

#[test]
fn only_one_role_may_promote_and_none_may_do_everything() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let roles = objects
        .iter()
        .filter(|o| ["ClusterRole", "Role"].contains(&o["kind"].as_str().unwrap()));
    let mut promoting = Vec::new();
    for role in roles {
        for rule in role["rules"].as_array().unwrap() {
            for list in ["apiGroups", "resources", "verbs"] {
                let list = rule[list].as_array().unwrap();
                assert!(list.iter().all(|text| text != "*"), "{role}");
            }
            if rule["verbs"]
                .as_array()
                .unwrap()
                .iter()
                .any(|verb| verb == "promote")
            {
                promoting.push(role["metadata"]["name"].clone());
                assert_eq!(rule["verbs"].as_array().unwrap().len(), 1);
            }
        }
    }
    assert_eq!(promoting, ["credence-promote"]);
    let promote = rules(&objects, "ClusterRole", "credence-promote");
    assert_eq!(promote, [("apicollections", vec!["promote"])]);
}

#[test]
fn only_the_secrets_that_are_the_operators_can_be_changed_by_it() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let role = objects.iter().find(|o| o["kind"] == "Role").unwrap();
    assert_eq!(role["metadata"]["namespace"], "credence-system");
    for rule in role["rules"].as_array().unwrap() {
        if rule["verbs"] != serde_json::json!(["create"]) {
            assert_eq!(rule["resourceNames"].as_array().unwrap().len(), 1, "{rule}");
        }
    }
}
