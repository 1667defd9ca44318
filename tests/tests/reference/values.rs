//! The chart's values, from its schema and its defaults.

use serde_json::Value;

use crate::read;

/// Path, default, and what it does.
pub(crate) type Row = [String; 3];

/// Every value, in the order of `values.yaml`.
pub(crate) fn values() -> Vec<Row> {
    let schema: Value = serde_json::from_str(&read("charts/credence/values.schema.json")).unwrap();
    let defaults: Value = serde_yaml::from_str(&read("charts/credence/values.yaml")).unwrap();
    let mut rows = Vec::new();
    descend(&schema, &schema, &defaults, "", &mut rows);
    rows
}

fn descend(schema: &Value, top: &Value, defaults: &Value, at: &str, rows: &mut Vec<Row>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, property) in properties {
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        let default = &defaults[name];
        // Set by Helm itself.
        if path == "global" {
            continue;
        }
        let resolved = resolve(property, top);
        let is_block = resolved.get("properties").is_some() && default.is_object();
        if !is_block {
            // Of a block's members some say only what is particular to them.
            let block = Some(schema).filter(|_| !at.is_empty());
            let said = [property, resolved]
                .into_iter()
                .find_map(|schema| schema["description"].as_str());
            let said = block
                .and_then(|block| block["description"].as_str())
                .into_iter()
                .chain(said);
            rows.push([
                format!("`{path}`"),
                shown(default),
                said.collect::<Vec<_>>().join(" "),
            ]);
            continue;
        }
        descend(resolved, top, default, &path, rows);
    }
}

fn resolve<'a>(schema: &'a Value, top: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
        Some(pointer) => top.pointer(pointer).unwrap(),
        None => schema,
    }
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
