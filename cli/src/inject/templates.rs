//! The pods that a manifest's object stands for.

use serde_json::{Map, Value};

/// A pod, or the template of one.
pub(super) struct Template<'a> {
    /// Kind and name of the object that it is in.
    pub(super) name: String,
    /// With `metadata` and `spec`.
    pub(super) pod: &'a mut Value,
}

/// Finds them; none in an object that makes no pods, or that has another form
/// than its kind.
pub(super) fn of(object: &mut Value) -> Vec<Template<'_>> {
    let text = |at: &str| {
        object
            .pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("/apiVersion").to_owned(), text("/kind").to_owned());
    let path: &[&str] = match (version.as_str(), kind.as_str()) {
        ("v1", "Pod") => &[],
        ("v1", "PodTemplate") => &["template"],
        ("v1", "ReplicationController")
        | ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch/v1", "Job") => &["spec", "template"],
        ("batch/v1", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
        ("v1", kind) | (_, kind) if kind.ends_with("List") => {
            let items = object.get_mut("items").and_then(Value::as_array_mut);
            return items.into_iter().flatten().flat_map(of).collect();
        }
        _ => return Vec::new(),
    };
    let own = text("/metadata/name");
    let generated = text("/metadata/generateName");
    let name = if own.is_empty() { generated } else { own };
    let name = format!("{kind}/{name}");
    let found = path
        .iter()
        .try_fold(object, |at, member| at.get_mut(*member));
    found
        .filter(|pod| pod.is_object())
        .map(|pod| {
            // A template may do without; a pod that is created may not.
            if pod["metadata"].is_null() {
                pod["metadata"] = Value::Object(Map::new());
            }
            Template { name, pod }
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(mut object: Value) -> Vec<String> {
        of(&mut object).into_iter().map(|t| t.name).collect()
    }

    #[test]
    fn every_kind_that_makes_pods_is_known() {
        let pod = json!({"spec": {"containers": []}});
        let nested = json!({"template": pod});
        for (version, kind, content) in [
            ("v1", "Pod", pod),
            ("v1", "PodTemplate", nested.clone()),
            ("v1", "ReplicationController", json!({"spec": nested})),
            ("apps/v1", "Deployment", json!({"spec": nested})),
            ("apps/v1", "StatefulSet", json!({"spec": nested})),
            ("apps/v1", "DaemonSet", json!({"spec": nested})),
            ("apps/v1", "ReplicaSet", json!({"spec": nested})),
            ("batch/v1", "Job", json!({"spec": nested})),
            (
                "batch/v1",
                "CronJob",
                json!({"spec": {"jobTemplate": {"spec": nested}}}),
            ),
        ] {
            let mut object = content;
            object["apiVersion"] = version.into();
            object["kind"] = kind.into();
            object["metadata"] = json!({"name": "web"});
            let found = of(&mut object);
            assert_eq!(found.len(), 1, "{kind}");
            assert_eq!(found[0].name, format!("{kind}/web"));
            assert_eq!(found[0].pod["spec"]["containers"], json!([]));
            assert!(found[0].pod["metadata"].is_object());
        }
    }

    #[test]
    fn lists_are_looked_into() {
        let pod =
            |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}});
        let inner = json!({"apiVersion": "v1", "kind": "PodList", "items": [pod("b")]});
        let service = json!({"apiVersion": "v1", "kind": "Service"});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [pod("a"), service, inner]});
        assert_eq!(names(list), ["Pod/a", "Pod/b"]);
    }

    #[test]
    fn what_makes_no_pods_or_is_broken_has_none() {
        for object in [
            json!(null),
            json!("text"),
            json!([]),
            json!({"kind": "Deployment"}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": 1}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": []}),
            json!({"apiVersion": "example.com/v1", "kind": "Pod", "spec": {}}),
            json!({"apiVersion": "v1", "kind": "List"}),
        ] {
            assert!(names(object.clone()).is_empty(), "{object}");
        }
    }
}
