//! Schemas as kubeconform reads them, one a kind, from those that Kubernetes
//! has: closed, so that a misspelt field is found.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

type Definitions = BTreeMap<String, Value>;

const PREFIX: &str = "#/definitions/";

/// Of each kind that an API server's OpenAPI document (version 2) describes.
pub(super) fn of_api(document: &Value) -> impl Iterator<Item = (String, Value)> {
    let definitions = document["definitions"].as_object().unwrap();
    let definitions: Definitions = definitions
        .iter()
        .map(|(name, schema)| (name.clone(), closed(name, schema.clone())))
        .collect();
    let kinds: Vec<_> = definitions
        .iter()
        .flat_map(|(name, schema)| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array();
            kinds
                .into_iter()
                .flatten()
                .map(|kind| (name.clone(), file(kind)))
        })
        .collect();
    kinds.into_iter().map(move |(name, file)| {
        let mut needed = Map::new();
        need(&name, &definitions, &mut needed);
        (
            file,
            json!({"$ref": format!("{PREFIX}{name}"), "definitions": needed}),
        )
    })
}

/// Of each version of a CustomResourceDefinition.
pub(super) fn of_definition(definition: &Value) -> impl Iterator<Item = (String, Value)> {
    let spec = definition["spec"].clone();
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    versions.into_iter().map(move |version| {
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        for member in ["apiVersion", "kind"] {
            schema["properties"][member] = json!({"type": "string"});
        }
        schema["properties"]["metadata"] = json!({"type": "object"});
        let kind = json!({
            "group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"],
        });
        (file(&kind), closed("", schema))
    })
}

/// The name that kubeconform looks for: of the group only the first label.
fn file(kind: &Value) -> String {
    let [group, version, kind] =
        ["group", "version", "kind"].map(|part| kind[part].as_str().unwrap());
    let kind = kind.to_lowercase();
    match group.split('.').next().unwrap_or_default() {
        "" => format!("{kind}-{version}.json"),
        group => format!("{kind}-{group}-{version}.json"),
    }
}

/// A definition and all that it refers to.
fn need(name: &str, definitions: &Definitions, needed: &mut Map<String, Value>) {
    if needed.contains_key(name) {
        return;
    }
    let schema = &definitions[name];
    needed.insert(name.to_owned(), schema.clone());
    let mut references = Vec::new();
    refers(schema, &mut references);
    for reference in references {
        need(&reference, definitions, needed);
    }
}

fn refers(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                found.extend(reference.strip_prefix(PREFIX).map(str::to_owned));
            }
            members.values().for_each(|member| refers(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| refers(member, found)),
        _ => {}
    }
}

/// Says of what accepts numbers and texts that it does, and of objects with
/// named members that they have no others.
fn closed(name: &str, mut schema: Value) -> Value {
    let either = [
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
    ];
    if either.contains(&name) {
        return json!({"type": ["string", "number"]});
    }
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    if members.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        members.remove("anyOf");
        members.insert("type".to_owned(), json!(["string", "number"]));
    }
    let open = members.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if members.contains_key("properties") && !open {
        members
            .entry("additionalProperties")
            .or_insert(json!(false));
    }
    for (name, member) in members.iter_mut() {
        match name.as_str() {
            "properties" => {
                let properties = member.as_object_mut().into_iter().flatten();
                properties.for_each(|(_, property)| close(property));
            }
            "items" | "additionalProperties" => close(member),
            _ => {}
        }
    }
}
