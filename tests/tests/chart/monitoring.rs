//! Alerts and dashboard: about what is measured, and with a runbook each.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{chart, workspace};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn alerts() -> Vec<Value> {
    serde_yaml::from_str(&read(&chart().join("files/alerts.yaml"))).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(&chart().join("files/dashboard.json"))).unwrap()
}

/// Words that begin like a metric of ours, as the exposition has them: series
/// of a histogram without their suffix.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("credence_"))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned())
        .collect()
}

/// Every text under a name, at any depth.
fn texts(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let text = members.get(name).and_then(Value::as_str);
            found.extend(text.map(str::to_owned));
            members
                .values()
                .for_each(|member| texts(member, name, found));
        }
        Value::Array(members) => members.iter().for_each(|member| texts(member, name, found)),
        _ => {}
    }
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&read(&path));
        }
    }
}

#[test]
fn alerts_and_dashboard_are_about_metrics_that_exist() {
    let mut code = String::new();
    for program in ["operator/src", "sidecar/src"] {
        sources(&workspace().join(program), &mut code);
    }
    let mut expressions = Vec::new();
    texts(&Value::Array(alerts()), "expr", &mut expressions);
    let alerts = expressions.len();
    texts(&dashboard(), "expr", &mut expressions);
    assert!(alerts > 5 && expressions.len() > alerts + 10);
    for expression in expressions {
        let metrics = metrics(&expression);
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(
                code.contains(&format!("\"{metric}")),
                "{metric} is not measured: {expression}"
            );
        }
    }
}

#[test]
fn every_alert_says_what_it_means_and_has_a_runbook() {
    let runbooks = read(&workspace().join("docs/alerts.md"));
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap().to_owned();
        assert!(
            runbooks
                .lines()
                .any(|line| line.trim_start_matches('#') == format!(" {name}")),
            "docs/alerts.md has no section {name}"
        );
        for annotation in ["summary", "description"] {
            assert!(alert["annotations"][annotation].is_string(), "{name}");
        }
        assert!(
            ["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        assert!(names.insert(name), "twice: {alert}");
    }
}

#[test]
fn no_two_panels_of_the_dashboard_have_one_place() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut taken = BTreeSet::new();
    for panel in panels {
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for column in x..x + w {
            for line in y..y + h {
                assert!(taken.insert((column, line)), "{}", panel["title"]);
            }
        }
    }
}
