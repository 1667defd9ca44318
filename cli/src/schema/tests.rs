use serde_json::json;

use super::*;

fn told(schema: &Schema, object: Value) -> Vec<(String, String)> {
    let mut object = object;
    let violations = schema.check(&mut object).violations;
    violations
        .into_iter()
        .map(|v| (v.field, v.message))
        .collect()
}

fn custom(root: Value) -> Schema {
    Schema {
        root,
        nulls: Nulls::Refused,
    }
}

#[test]
fn defaults_are_filled_in() {
    let schema = Schemas::load().collection;
    let mut object = json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ApiCollection",
        "metadata": {"name": "x", "annotations": null},
        "spec": {
            "baseUrl": "https://a.test",
            "auth": {"basic": {}},
            "headers": [{"name": "x-a", "value": "1"}],
        },
    });
    assert_eq!(schema.check(&mut object), Checked::default());
    assert_eq!(
        object["spec"]["auth"]["basic"]["password"],
        "${secret.password}"
    );
    assert_eq!(object["spec"]["headers"][0]["onConflict"], "Replace");
}

#[test]
fn exactly_one_method_is_taken() {
    let schema = Schemas::load().collection;
    let object = json!({
        "metadata": {"name": "x"},
        "spec": {"baseUrl": "https://a.test", "auth": {"none": {}, "basic": {}}},
    });
    let told = told(&schema, object);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "spec.auth");
    assert!(told[0].1.contains("exactly one"), "{told:?}");
}

#[test]
fn builtin_kinds_know_their_fields_and_take_nulls() {
    let schemas = Schemas::load();
    let secret = json!({"metadata": {"name": "x", "labels": null}, "data": null, "stringdata": {}});
    assert_eq!(
        told(&schemas.secret, secret),
        [(
            "stringdata".to_owned(),
            "unknown field \"stringdata\": did you mean \"stringData\"?".to_owned()
        )]
    );
    let map = json!({"metadata": {}, "data": {"a": 1}});
    assert_eq!(
        told(&schemas.config_map, map),
        [(
            "data.a".to_owned(),
            "must be a text, not a number: put it in quotes".to_owned()
        )]
    );
}

#[test]
fn bounds_are_checked() {
    let schema = custom(json!({
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[a-z]*$"},
            "list": {
                "type": "array", "maxItems": 2, "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            },
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
        },
    }));
    for (object, message) in [
        (json!({"text": ""}), "must not be empty"),
        (json!({"text": "abcd"}), "must have at most 3 characters"),
        (json!({"text": "A"}), "must match ^[a-z]*$"),
        (
            json!({"list": [{}, {"name": 1}, {"name": 2}]}),
            "must have at most 2 items",
        ),
        (
            json!({"list": [{"name": "a"}, {"name": "a"}]}),
            "has the same name as an item before it",
        ),
        (json!({"set": ["a", "b", "a"]}), "is in the list twice"),
        (json!({"count": 0}), "must be at least 1"),
        (json!({"count": 10}), "must be at most 9"),
        (
            json!({"count": 1.5}),
            "must be a whole number, not a fraction",
        ),
        (json!([]), "must be an object, not a list"),
    ] {
        let told = told(&schema, object.clone());
        assert_eq!(told.len(), 1, "{object}: {told:?}");
        assert_eq!(told[0].1, message);
    }
}

#[test]
fn forms_are_checked() {
    let one_of = custom(json!({"type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}));
    assert_eq!(told(&one_of, json!({"a": "x"})), []);
    for object in [json!({}), json!({"a": "x", "b": "x"})] {
        let message = "must have exactly one of a, b".to_owned();
        assert_eq!(told(&one_of, object), [(String::new(), message)]);
    }
    let not = custom(json!({"type": "string", "not": {"enum": ["default"]}}));
    assert_eq!(told(&not, json!("other")), []);
    assert_eq!(told(&not, json!("default")).len(), 1);
}
