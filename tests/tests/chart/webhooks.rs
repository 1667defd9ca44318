//! Whom the API server asks the injector about: its selectors, evaluated.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::helm::Helm;
use crate::rendered::one;

type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// A LabelSelector of expressions, as the API server evaluates it.
fn selects(selector: &Value, labels: &Labels<'_>) -> bool {
    assert_eq!(selector.as_object().unwrap().len(), 1, "only expressions");
    let mut expressions = selector["matchExpressions"].as_array().unwrap().iter();
    expressions.all(|expression| {
        let label = labels.get(expression["key"].as_str().unwrap());
        let mut values = expression["values"].as_array().unwrap().iter();
        let among = label.is_some_and(|label| values.any(|value| value == label));
        match expression["operator"].as_str().unwrap() {
            "In" => among,
            "NotIn" => !among,
            other => panic!("operator {other}"),
        }
    })
}

/// How many of the webhooks are asked about a pod with this label in a
/// namespace with that name and label.
fn asked(configuration: &Value, namespace: (&str, Option<&str>), pod: Option<&str>) -> usize {
    let mut namespace_labels = Labels::from([("kubernetes.io/metadata.name", namespace.0)]);
    namespace_labels.extend(namespace.1.map(|value| ("credence.dev/inject", value)));
    let pod_labels: Labels<'_> = pod
        .map(|value| ("credence.dev/inject", value))
        .into_iter()
        .collect();
    let webhooks = configuration["webhooks"].as_array().unwrap().iter();
    webhooks
        .filter(|webhook| selects(&webhook["namespaceSelector"], &namespace_labels))
        .filter(|webhook| selects(&webhook["objectSelector"], &pod_labels))
        .count()
}

#[test]
fn the_two_labels_decide_as_documented() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let configuration = one(&objects, "MutatingWebhookConfiguration");
    for (namespace, pod, expected) in [
        (Some("enabled"), Some("true"), 1),
        (Some("enabled"), Some("false"), 0),
        (Some("enabled"), None, 1),
        (Some("enabled"), Some("yes"), 1),
        (None, Some("true"), 1),
        (None, Some("false"), 0),
        (None, None, 0),
        (None, Some("yes"), 0),
        (Some("disabled"), Some("true"), 1),
        (Some("disabled"), Some("false"), 0),
        (Some("disabled"), None, 0),
        (Some("disabled"), Some("yes"), 0),
    ] {
        let asked = asked(configuration, ("shop", namespace), pod);
        assert_eq!(asked, expected, "namespace {namespace:?}, pod {pod:?}");
    }
}

#[test]
fn namespaces_that_keep_the_cluster_going_are_never_asked_about() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let configuration = one(&objects, "MutatingWebhookConfiguration");
    for name in [
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "credence-system",
    ] {
        for namespace in [None, Some("enabled")] {
            for pod in [None, Some("true")] {
                assert_eq!(asked(configuration, (name, namespace), pod), 0, "{name}");
            }
        }
    }
}

#[test]
fn both_webhooks_ask_in_the_same_way() {
    let Some(helm) = Helm::get() else { return };
    let objects = helm.objects(&[]);
    let webhooks = one(&objects, "MutatingWebhookConfiguration")["webhooks"]
        .as_array()
        .unwrap();
    let [first, second] = webhooks.as_slice() else {
        panic!("not two webhooks");
    };
    for (name, value) in first.as_object().unwrap() {
        if !["name", "namespaceSelector", "objectSelector"].contains(&name.as_str()) {
            assert_eq!(Some(value), second.get(name), "{name}");
        }
    }
    let ignoring = helm.objects(&["injector.failurePolicy=Ignore"]);
    let ignoring = one(&ignoring, "MutatingWebhookConfiguration");
    for webhook in ignoring["webhooks"].as_array().unwrap() {
        assert_eq!(webhook["failurePolicy"], "Ignore");
    }
    assert_eq!(first["failurePolicy"], "Fail");
    assert_eq!(first["sideEffects"], "NoneOnDryRun");
    assert_eq!(first["timeoutSeconds"], 5);
    assert_eq!(first["reinvocationPolicy"], "IfNeeded");
}
