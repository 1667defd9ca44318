//! What is rendered, as recorded: for each file in `values/` one in
//! `snapshots/`. `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::Path;
use std::time::Duration;

use credence_operator::shutdown::LONGEST;
use serde_json::Value;

use crate::helm::Helm;
use crate::workspace;

#[test]
fn the_objects_are_as_recorded() {
    let Some(helm) = Helm::get() else { return };
    let here = workspace().join("tests/tests/chart");
    let mut sets = 0;
    for entry in fs::read_dir(here.join("values")).unwrap() {
        let values = entry.unwrap().path();
        let snapshot = here.join("snapshots").join(values.file_name().unwrap());
        compare(&snapshot, &helm.render(&values));
        sets += 1;
    }
    assert_eq!(sets, 3);
}

fn compare(snapshot: &Path, rendered: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(snapshot, rendered).unwrap();
    }
    let recorded = fs::read_to_string(snapshot)
        .unwrap_or_else(|error| panic!("{}: {error}", snapshot.display()));
    let mut lines = recorded.lines().zip(rendered.lines()).enumerate();
    if let Some((index, (old, new))) = lines.find(|(_, (old, new))| old != new) {
        let line = index + 1;
        panic!("{}:{line}:\n- {old}\n+ {new}", snapshot.display());
    }
    assert_eq!(recorded.len(), rendered.len(), "{}", snapshot.display());
}

#[test]
fn both_versions_of_helm_render_the_same() {
    let (Some(helm), Some(previous)) = (Helm::get(), Helm::previous()) else {
        return;
    };
    for entry in fs::read_dir(workspace().join("tests/tests/chart/values")).unwrap() {
        let values = entry.unwrap().path();
        let [new, old] = [&helm, &previous].map(|helm| -> Vec<Value> {
            serde_yaml::from_multiple(&helm.render(&values)).unwrap()
        });
        assert!(new.len() > 10);
        for object in &new {
            assert!(old.contains(object), "{}: {object:#}", values.display());
        }
        assert_eq!(old.len(), new.len(), "{}", values.display());
    }
}

#[test]
fn the_definitions_are_installed_unchanged_and_kept() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let mut rendered = objects
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition");
    for kind in ["apicollections", "clusterapicollections"] {
        let path = workspace().join(format!("crds/yaml/{kind}.yaml"));
        let text = fs::read_to_string(path).unwrap();
        let generated: Value = serde_yaml::from_str(&text).unwrap();
        let rendered = rendered.next().unwrap();
        assert!(
            same(&rendered["spec"], &generated["spec"]),
            "{kind} was changed"
        );
        assert_eq!(rendered["metadata"]["name"], generated["metadata"]["name"]);
        let policy = &rendered["metadata"]["annotations"]["helm.sh/resource-policy"];
        assert_eq!(policy, "keep");
    }
    assert_eq!(rendered.next(), None);
}

#[test]
fn what_the_operator_writes_is_not_rendered() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&["credentialNamespaces={shop}"]);
    assert!(objects.iter().all(|object| object["kind"] != "Secret"));
    let webhooks = &one(&objects, "MutatingWebhookConfiguration")["webhooks"];
    for webhook in webhooks.as_array().unwrap() {
        assert_eq!(webhook["clientConfig"].get("caBundle"), None);
    }
}

#[test]
fn an_image_is_taken_by_its_digest_where_there_is_one() {
    let Some(helm) = Helm::get() else { return };
    let digest = format!("sha256:{}", "ab".repeat(32));
    let objects = helm.objects(&[
        "image.operator.repository=example.com/operator",
        "image.operator.tag=v2",
        "image.sidecar.repository=example.com/sidecar",
        "image.sidecar.tag=v2",
        &format!("image.sidecar.digest={digest}"),
    ]);
    let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
    let operator = &pod["containers"][0];
    assert_eq!(operator["image"], "example.com/operator:v2");
    let sidecar = format!("--sidecar-image=example.com/sidecar@{digest}");
    assert_eq!(operator["args"][0], sidecar);
}

/// An answer with a refresh token that is not written down is lost for ever.
#[test]
fn a_replica_that_stops_is_given_the_time_that_a_refresh_may_take() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
    let given = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(Duration::from_secs(given) > LONGEST, "{given} s");
}

/// Equal, where 0 and 0.0 are: Helm writes numbers in its own way.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut members = one.iter();
            one.len() == other.len()
                && members.all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// The only object of a kind.
pub(crate) fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    object
}
