//! What the chart's files say, without Helm.

use std::fs;

use serde_json::Value;

use crate::{chart, workspace};

fn read(path: &str) -> String {
    let path = chart().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_definitions_are_the_generated_ones() {
    for kind in ["apicollections", "clusterapicollections"] {
        let path = workspace().join(format!("crds/yaml/{kind}.yaml"));
        let generated = fs::read_to_string(path).unwrap();
        let copy = read(&format!("files/{kind}.yaml"));
        assert!(generated == copy, "{kind} differs: run `make generate`");
    }
}

#[test]
fn the_chart_has_the_version_of_the_programs() {
    let chart: Value = serde_yaml::from_str(&read("Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_object_of_the_schema_is_closed_and_every_value_described() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    closed(&schema, "");
    for (name, definition) in schema["definitions"].as_object().unwrap() {
        closed(definition, name);
    }
}

fn closed(schema: &Value, at: &str) {
    if let Some(properties) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{at} is open");
        for (name, property) in properties {
            let described = property.get("description").or_else(|| property.get("$ref"));
            assert!(described.is_some(), "{at}/{name} has no description");
            closed(property, &format!("{at}/{name}"));
        }
    } else if schema["type"] == "object" && at != "/global" {
        let values = &schema["additionalProperties"];
        assert!(values.is_object(), "{at} takes anything");
    }
    if schema.get("items").is_some() {
        closed(&schema["items"], &format!("{at}/items"));
    }
}

#[test]
fn the_readme_names_every_value() {
    let values: Value = serde_yaml::from_str(&read("values.yaml")).unwrap();
    let readme = read("README.md");
    for path in paths(&values, "") {
        assert!(readme.contains(&format!("`{path}`")), "{path}");
    }
}

/// Values that are objects of the reader's own.
const OPEN: [&str; 2] = ["operator.resources", "monitoring.dashboard.labels"];

/// Of all values; what is passed on as a whole is one.
fn paths(values: &Value, at: &str) -> Vec<String> {
    let Some(members) = values.as_object() else {
        return vec![at.to_owned()];
    };
    if members.is_empty() || OPEN.contains(&at) {
        return vec![at.to_owned()];
    }
    let below = |(name, value): (&String, &Value)| {
        let at = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        paths(value, &at)
    };
    members.iter().flat_map(below).collect()
}
