//! The fields of a kind, from its schema.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Such as `spec.headers[].name`.
    pub(crate) path: String,
    /// Its type, with limits.
    pub(crate) form: String,
    /// `required`, or the default; else empty.
    pub(crate) default: String,
    /// What the schema says.
    pub(crate) description: String,
    /// What the API server's rules say of it beyond that.
    pub(crate) rules: Vec<String>,
}

/// The fields below `member` (`spec` or `status`) of the only version.
pub(crate) fn fields(definition: &CustomResourceDefinition, member: &str) -> Vec<Field> {
    let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
    let mut found = Vec::new();
    let top = &schema["openAPIV3Schema"]["properties"][member];
    descend(top, member, &mut found);
    found
}

/// The rules on an object as a whole.
pub(crate) fn rules(schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let messages = rules.into_iter().flatten();
    let mut messages: Vec<String> = messages
        .filter_map(|rule| rule["message"].as_str())
        .map(str::to_owned)
        .collect();
    // Several rules may say the same.
    messages.dedup();
    messages
}

/// The rules on the specification as a whole.
pub(crate) fn spec_rules(definition: &CustomResourceDefinition) -> Vec<String> {
    let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
    rules(&schema["openAPIV3Schema"]["properties"]["spec"])
}

fn descend(schema: &Value, path: &str, found: &mut Vec<Field>) {
    let (object, path) = match &schema["items"] {
        Value::Null => (schema, path.to_owned()),
        items => (items, format!("{path}[]")),
    };
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let default = &property["default"];
        found.push(Field {
            form: form(property),
            default: match default {
                Value::Null if required.contains(&Value::from(name.as_str())) => "required".into(),
                Value::Null => String::new(),
                default => format!("`{}`", default.to_string().trim_matches('"')),
            },
            description: said(property),
            rules: [rules(property), rules(&property["items"])].concat(),
            path: path.clone(),
        });
        descend(property, &path, found);
    }
}

/// What a schema says of itself, on one line.
fn said(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn form(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return words
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    let kind = schema["type"].as_str().unwrap_or("any");
    match kind {
        "string" => match schema["format"].as_str() {
            Some("date-time") => "time".to_owned(),
            _ => limited("string", schema, "minLength", "maxLength", " characters"),
        },
        "integer" => limited("integer", schema, "minimum", "maximum", ""),
        "array" => {
            let items = form(&schema["items"]);
            limited(
                &format!("list of ({items})"),
                schema,
                "minItems",
                "maxItems",
                "",
            )
        }
        "object" => match &schema["additionalProperties"] {
            Value::Null | Value::Bool(_) => "object".to_owned(),
            values => {
                let values = form(values);
                limited(
                    &format!("map of ({values})"),
                    schema,
                    "minProperties",
                    "maxProperties",
                    "",
                )
            }
        },
        other => other.to_owned(),
    }
}

/// Limits that tell a reader something: of no type is it worth saying that it
/// begins at zero or ends where 32 bits do.
fn limited(kind: &str, schema: &Value, least: &str, most: &str, unit: &str) -> String {
    let number = |member: &str| schema[member].as_f64().filter(|number| *number != 0.0);
    match (number(least), number(most)) {
        (Some(least), Some(most)) if kind == "integer" => format!("{kind}, {least} to {most}"),
        (_, Some(most)) => format!("{kind}, at most {most}{unit}"),
        (Some(least), None) if kind == "integer" => format!("{kind}, at least {least}"),
        _ => kind.to_owned(),
    }
}
