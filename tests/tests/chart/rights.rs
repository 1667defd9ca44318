//! What the chart lets whom do.

use std::collections::BTreeSet;

use serde_json::{Value, json};

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
            "clusterapicollections",
            "clusterapicollections/status",
            "events",
            "limitranges",
            "mutatingwebhookconfigurations",
            "namespaces",
            "pods",
            "resourcequotas",
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
fn the_whole_cluster_is_readable_only_by_an_explicit_value() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&["rbac.clusterWideSecrets=true"]);
    assert_eq!(
        bindings(&objects, "ClusterRoleBinding"),
        [("", "credence-credentials"), ("", "credence-operator")]
    );
}

#[test]
fn credentials_are_readable_where_the_values_say_and_nowhere_else() {
    let Some(helm) = Helm::get() else { return };
    let own = ("credence-system", "credence-operator");
    let credentials = "credence-credentials";
    let bound = |values: &[&str]| -> Vec<(String, String)> {
        let objects = helm.objects(values);
        let mut bound: Vec<_> = bindings(&objects, "RoleBinding")
            .into_iter()
            .map(|(namespace, role)| (namespace.to_owned(), role.to_owned()))
            .collect();
        bound.sort();
        bound
    };
    let expected = |bindings: &[(&str, &str)]| -> Vec<(String, String)> {
        let bindings = bindings.iter();
        bindings
            .map(|(namespace, role)| ((*namespace).to_owned(), (*role).to_owned()))
            .collect()
    };
    let of_cluster = ("credence-credentials", credentials);
    assert_eq!(bound(&[]), expected(&[of_cluster, own]));
    assert_eq!(
        bound(&["credentialNamespaces={shop-dev,shop-live}"]),
        expected(&[
            of_cluster,
            own,
            ("shop-dev", credentials),
            ("shop-live", credentials)
        ])
    );
    let elsewhere = ["clusterCredentials.namespace=keys"];
    assert_eq!(bound(&elsewhere), expected(&[own, ("keys", credentials)]));
    let yours = "clusterCredentials.createNamespace=false";
    assert_eq!(bound(&[yours]), expected(&[own]));
    let twice = "credentialNamespaces={credence-credentials}";
    assert_eq!(bound(&[twice]), expected(&[of_cluster, own]));

    let objects = helm.objects(&[]);
    for (resource, verbs) in rules(&objects, "ClusterRole", credentials) {
        assert!(["secrets", "configmaps"].contains(&resource));
        assert_eq!(verbs, ["get", "list", "watch"]);
    }
}

/// A token of a ServiceAccount is worth what that may do: none is asked for
/// unless somebody has named it.
#[test]
fn tokens_are_made_of_the_service_accounts_that_are_named_and_of_no_others() {
    let Some(helm) = Helm::get() else { return };
    let about_tokens = |objects: &[Value]| -> Vec<Value> {
        let rules = objects
            .iter()
            .filter_map(|object| object["rules"].as_array())
            .flatten()
            .filter(|rule| {
                let resources = rule["resources"].as_array();
                resources.is_some_and(|all| all.iter().any(|one| one == "serviceaccounts/token"))
            });
        rules.cloned().collect()
    };
    assert_eq!(about_tokens(&helm.objects(&[])), Vec::<Value>::new());
    let objects = helm.objects(&[
        "serviceAccountTokens[0].namespace=shop",
        "serviceAccountTokens[0].name=reporter",
        "serviceAccountTokens[1].namespace=crm",
        "serviceAccountTokens[1].name=reporter",
        "serviceAccountTokens[2].namespace=shop",
        "serviceAccountTokens[2].name=exports.weekly",
    ]);
    let rule = |names: Value| {
        json!({"apiGroups": [""], "resources": ["serviceaccounts/token"],
            "resourceNames": names, "verbs": ["create"]})
    };
    assert_eq!(
        about_tokens(&objects),
        [
            rule(json!(["reporter"])),
            rule(json!(["exports.weekly", "reporter"]))
        ]
    );
    for kind in ["Role", "RoleBinding"] {
        let namespaces: Vec<_> = objects
            .iter()
            .filter(|o| o["kind"] == kind && o["metadata"]["name"] == "credence-tokens")
            .map(|o| o["metadata"]["namespace"].as_str().unwrap())
            .collect();
        assert_eq!(namespaces, ["crm", "shop"], "{kind}");
    }
}

/// The API server evaluates it; what it asks for must be what the operator
/// needs, in the namespace that the operator would take.
#[test]
fn who_writes_a_collection_must_be_allowed_to_make_the_tokens_that_it_sends() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let policy = objects.iter().find(|object| {
        object["kind"] == "ValidatingAdmissionPolicy"
            && object["metadata"]["name"] == "credence-references"
    });
    let spec = &policy.unwrap()["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    assert_eq!(
        spec["variables"][0],
        json!({
            "name": "place",
            "expression": "request.?namespace.orValue(\"credence-credentials\")",
        })
    );
    let asked: Vec<_> = spec["validations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|validation| validation["expression"].as_str())
        .filter(|expression| expression.contains("serviceaccounts"))
        .map(|expression| expression.split_whitespace().collect::<String>())
        .collect();
    assert_eq!(
        asked,
        [
            "object.spec.?auth.?tokenExchange.?serviceAccountToken.?name.optMap(name,\
          authorizer.group(\"\").resource(\"serviceaccounts\").subresource(\"token\")\
          .namespace(variables.place).name(name).check(\"create\").allowed()).orValue(true)"
        ]
    );
}

#[test]
fn cluster_collections_are_written_by_those_only_who_are_bound_to_do_so() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let writers: Vec<_> = objects
        .iter()
        .filter(|o| o["kind"] == "ClusterRole")
        .filter(|role| {
            let rules = role["rules"].as_array().unwrap().iter();
            let mut about = rules.filter(|rule| {
                let resources = rule["resources"].as_array().unwrap();
                resources.iter().any(|one| one == "clusterapicollections")
            });
            about.any(|rule| {
                let verbs = rule["verbs"].as_array().unwrap();
                verbs.iter().any(|verb| verb == "create" || verb == "patch")
            })
        })
        .collect();
    let [writer] = writers.as_slice() else {
        panic!("{writers:?}")
    };
    assert_eq!(writer["metadata"]["name"], "credence-cluster-edit");
    let labels = writer["metadata"]["labels"].as_object().unwrap();
    let aggregated = labels.keys().any(|label| label.contains("aggregate-to"));
    assert!(!aggregated, "{labels:?}");
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
fn secrets_are_changed_in_the_operators_own_namespace_only() {
    let Some(helm) = Helm::get() else { return };
    let mut changing = Vec::new();
    for object in helm.objects(&[]) {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let lists = |field: &str, values: &[&str]| {
                let listed = rule[field].as_array().into_iter().flatten();
                listed
                    .into_iter()
                    .any(|one| values.contains(&one.as_str().unwrap_or_default()))
            };
            let changes = [
                "create",
                "update",
                "patch",
                "delete",
                "deletecollection",
                "*",
            ];
            if lists("resources", &["secrets", "*"]) && lists("verbs", &changes) {
                let of = ["kind", "name", "namespace"];
                changing.push(of.map(|field| {
                    let found = object.get(field);
                    let found = found.unwrap_or_else(|| &object["metadata"][field]);
                    found.as_str().unwrap_or_default().to_owned()
                }));
            }
        }
    }
    assert_eq!(changing, [["Role", "credence-operator", "credence-system"]]);
}
