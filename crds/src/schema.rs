//! The definitions of the kinds, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use schemars::Schema;
use serde_json::Value;

use crate::{ApiCollection, ClusterApiCollection};

/// The definition of `ApiCollection`, as a value.
pub fn definition() -> CustomResourceDefinition {
    ApiCollection::crd()
}

/// The definition of `ClusterApiCollection`, as a value.
pub fn cluster_definition() -> CustomResourceDefinition {
    let mut definition = ClusterApiCollection::crd();
    let versions = definition.spec.versions.iter_mut();
    for version in versions {
        if let Some(schema) = &mut version.schema
            && let Some(whole) = &mut schema.open_api_v3_schema
            && let Some(parts) = &mut whole.properties
            && let Some(status) = parts.get_mut("status")
            && let Some(fields) = &mut status.properties
        {
            // It is for namespaces of either: see `environments`.
            fields.remove("environment");
        }
    }
    definition
}

/// Takes `null` out of every type below: an absent field is left out, and CEL's
/// `has` should mean that it holds something.
pub(crate) fn without_null(schema: &mut Schema) {
    if let Some(members) = schema.as_object_mut() {
        members.values_mut().for_each(remove_null);
    }
}

fn remove_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for list in ["type", "enum"] {
                let Some(Value::Array(alternatives)) = members.get_mut(list) else {
                    continue;
                };
                alternatives.retain(|alternative| !alternative.is_null() && alternative != "null");
                if let (1, "type") = (alternatives.len(), list) {
                    let only = alternatives.remove(0);
                    members.insert(list.to_owned(), only);
                }
            }
            if let Some(Value::Array(alternatives)) = members.get_mut("anyOf") {
                alternatives.retain(|alternative| alternative.get("type") != Some(&"null".into()));
                if alternatives.len() == 1
                    && let Value::Object(only) = alternatives.remove(0)
                {
                    members.remove("anyOf");
                    for (name, value) in only {
                        members.entry(name).or_insert(value);
                    }
                }
            }
            members.values_mut().for_each(remove_null);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
