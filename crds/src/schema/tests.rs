use serde_json::Map;

use super::*;

fn definition_as_json() -> Value {
    serde_json::to_value(definition()).unwrap()
}

fn properties() -> Value {
    definition_as_json()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].take()
}

/// Calls `look` with the path and the content of every schema below.
fn walk(path: &str, schema: &Map<String, Value>, look: &mut impl FnMut(&str, &Map<String, Value>)) {
    look(path, schema);
    for nested in ["items", "additionalProperties"] {
        if let Some(Value::Object(schema)) = schema.get(nested) {
            walk(&format!("{path}[]"), schema, look);
        }
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties {
            walk(&format!("{path}.{name}"), schema.as_object().unwrap(), look);
        }
    }
}

fn walk_all(mut look: impl FnMut(&str, &Map<String, Value>)) {
    for part in ["spec", "status"] {
        walk(part, properties()[part].as_object().unwrap(), &mut look);
    }
}

#[test]
fn the_committed_definition_is_the_generated_one() {
    let committed = include_str!("../../yaml/apicollections.yaml");
    let committed: Value = serde_yaml::from_str(committed).unwrap();
    assert!(
        committed == definition_as_json(),
        "crds/yaml/apicollections.yaml does not match the types: run \"make generate\""
    );
}

#[test]
fn everything_that_users_write_is_bounded_and_described() {
    let spec = properties()["spec"].take();
    walk("spec", spec.as_object().unwrap(), &mut |path, schema| {
        let bound = match schema["type"].as_str().unwrap() {
            "string" => "maxLength",
            "array" => "maxItems",
            "object" if schema.contains_key("additionalProperties") => "maxProperties",
            "object" | "boolean" => "type",
            other => panic!("{path} is of type {other}"),
        };
        let closed = schema.contains_key("enum");
        assert!(
            closed || schema.contains_key(bound),
            "{path} has no {bound}"
        );
        let item = path.ends_with("[]");
        assert!(
            item || schema.contains_key("description"),
            "{path} is not described"
        );
    });
}

#[test]
fn no_field_has_an_underscore_and_none_may_be_null() {
    walk_all(|path, schema| {
        assert!(!path.contains('_'), "{path}");
        let root = path == "status";
        assert!(root || !schema.contains_key("nullable"), "{path}");
        let numbers = schema.get("format").and_then(Value::as_str);
        assert!(
            !numbers.is_some_and(|format| format.starts_with("uint")),
            "{path}"
        );
    });
}

#[test]
fn lists_are_merged_by_what_names_their_items() {
    let mut lists = Vec::new();
    walk_all(|path, schema| {
        if schema["type"] == "array" {
            let keys = schema
                .get("x-kubernetes-list-map-keys")
                .map(|keys| keys[0].to_string());
            let kind = schema["x-kubernetes-list-type"]
                .as_str()
                .unwrap()
                .to_owned();
            lists.push(format!("{path} {}", keys.unwrap_or(kind)));
        }
    });
    assert_eq!(
        lists,
        [
            "spec.access.serviceAccounts set",
            "spec.headers \"name\"",
            "spec.query \"name\"",
            "status.conditions \"type\"",
            "status.environments \"name\"",
            "status.feeds \"replica\"",
        ]
    );
}

#[test]
fn defaults_are_those_of_the_reference() {
    let mut defaults = Vec::new();
    walk_all(|path, schema| {
        if let Some(default) = schema.get("default") {
            defaults.push(format!("{path} {default}"));
        }
    });
    assert_eq!(
        defaults,
        [
            "spec.auth.basic.password \"${secret.password}\"",
            "spec.auth.basic.username \"${secret.username}\"",
            "spec.development.allowPrivateNetworks false",
            "spec.development.caRef.key \"ca.crt\"",
            "spec.developmentFallback \"Deny\"",
            "spec.headers[].onConflict \"Replace\"",
            "spec.live.allowPrivateNetworks false",
            "spec.live.caRef.key \"ca.crt\"",
            "spec.query[].onConflict \"Replace\"",
        ]
    );
}

#[test]
fn the_table_shows_what_operators_ask_first() {
    let columns = definition_as_json()["spec"]["versions"][0]["additionalPrinterColumns"].take();
    let columns: Vec<String> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            format!(
                "{} {}",
                column["name"].as_str().unwrap(),
                column["priority"]
            )
        })
        .collect();
    assert_eq!(
        columns,
        [
            "Environment null",
            "Method null",
            "Ready null",
            "Reason 1",
            "Sidecars null",
            "Age null",
        ]
    );
}
