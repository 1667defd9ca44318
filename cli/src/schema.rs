//! Objects are checked as an API server checks them: types, bounds, unknown
//! and missing fields, defaults, and the CEL rules of the collections' kinds.
//!
//! The schemas are not written here: those of collections are the CRDs' own,
//! those of Secret, ConfigMap and Namespace come from the Kubernetes types.

mod message;
mod rules;
mod walk;

pub(crate) use message::NOT_BASE64;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Something an API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The field's path.
    pub(crate) field: String,
    /// What of the field is meant.
    pub(crate) at: At,
    /// What is wrong, without the value that is wrong.
    pub(crate) message: String,
}

/// What became of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Everything that would be refused.
    pub(crate) violations: Vec<Violation>,
    /// Whether something that must be there is missing or has the wrong type,
    /// so that more cannot be said.
    pub(crate) misshapen: bool,
    /// Fields that hold one that they do not know: whatever else is said of
    /// them is likely a consequence.
    pub(crate) confused: BTreeSet<String>,
}

impl Checked {
    /// Whether something new is said of this field.
    pub(crate) fn is_news(&self, violation: &Violation) -> bool {
        !self.confused.contains(&violation.field)
    }
}

/// Which part of a field a violation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Its name: it should not be there, or something is missing in it.
    Name,
    /// Its value.
    Value,
}

/// How a kind of object treats a field that is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    /// As if it were not there: the kinds that are built into Kubernetes.
    Absent,
    /// As a value of the wrong type: custom resources.
    Refused,
}

/// What an API server knows about one kind of object.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Value,
    nulls: Nulls,
}

/// The schemas of the kinds that are read.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// Of `ApiCollection`.
    pub(crate) collection: Schema,
    /// Of `ClusterApiCollection`.
    pub(crate) cluster_collection: Schema,
    /// Of `Secret`.
    pub(crate) secret: Schema,
    /// Of `ConfigMap`.
    pub(crate) config_map: Schema,
    /// Of `Namespace`.
    pub(crate) namespace: Schema,
}

impl Schemas {
    /// Builds them all; a few milliseconds.
    pub(crate) fn load() -> Self {
        Self {
            collection: Schema::of_custom(credence_crds::definition()),
            cluster_collection: Schema::of_custom(credence_crds::cluster_definition()),
            secret: Schema::of_builtin::<Secret>(),
            config_map: Schema::of_builtin::<ConfigMap>(),
            namespace: Schema::of_builtin::<Namespace>(),
        }
    }
}

impl Schema {
    fn of_custom(definition: CustomResourceDefinition) -> Self {
        let mut root = definition
            .spec
            .versions
            .into_iter()
            .next()
            .and_then(|version| version.schema)
            .and_then(|schema| schema.open_api_v3_schema)
            .and_then(|schema| serde_json::to_value(schema).ok())
            .unwrap_or_default();
        // What an API server adds to every kind. It checks metadata by itself,
        // so that nulls in there are no concern.
        root["properties"]["apiVersion"] = json!({"type": "string"});
        root["properties"]["kind"] = json!({"type": "string"});
        root["properties"]["metadata"] = generate::<ObjectMeta>();
        Self {
            root,
            nulls: Nulls::Refused,
        }
    }

    fn of_builtin<T: JsonSchema>() -> Self {
        Self {
            root: generate::<T>(),
            nulls: Nulls::Absent,
        }
    }

    /// Fills in defaults and reports everything that would be refused. The
    /// rules are asked only about an object that has the right shape.
    pub(crate) fn check(&self, object: &mut Value) -> Checked {
        let mut checked = walk::check(&self.root, self.nulls, object);
        if !checked.misshapen {
            let mut broken = rules::check(&self.root, object);
            broken.retain(|violation| checked.is_news(violation));
            checked.violations.extend(broken);
        }
        checked
    }
}

fn generate<T: JsonSchema>() -> Value {
    SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The texts of a schema's list, such as `required`.
fn strings<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    schema
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests;
