//! The same pod a second time, after another webhook has changed it.

use credence_operator::inject::{Decision, Skip, decide};
use serde_json::{Value, json};

use crate::fixture::{injected, live, pod, settings, sidecar, with};

fn decision(pod: &Value) -> Decision {
    decide(pod, &live(), &settings())
}

fn once(pod: &Value) -> Value {
    injected(pod, &decision(pod))
}

fn again(pod: &Value) -> Value {
    let decision = decision(pod);
    let Decision::Inject(injection) = &decision else {
        panic!("not injected: {decision:?}");
    };
    assert!(injection.completes);
    assert_eq!(injection.reason(), "completed");
    let patched = injected(pod, &decision);
    let third = self::decision(&patched);
    assert_eq!(third, Decision::Skip(Skip::AlreadyInjected));
    patched
}

fn push(mut pod: Value, list: &str, at: usize, container: Value) -> Value {
    let list = pod["spec"][list].as_array_mut().unwrap();
    list.insert(at, container);
    pod
}

fn order(pod: &Value) -> Vec<&str> {
    let init = pod["spec"]["initContainers"].as_array().unwrap();
    init.iter().map(|c| c["name"].as_str().unwrap()).collect()
}

#[test]
fn a_container_that_came_later_is_told_where_the_proxy_is() {
    let changed = push(once(&pod()), "containers", 1, json!({"name": "late"}));
    let changed = push(changed, "initContainers", 1, json!({"name": "later"}));
    let patched = again(&changed);
    let url = json!([{"name": "CREDENCE_URL", "value": "http://localhost:2733"}]);
    assert_eq!(patched["spec"]["containers"][1]["env"], url);
    assert_eq!(patched["spec"]["initContainers"][1]["env"], url);
    assert_eq!(sidecar(&patched), sidecar(&changed));
}

#[test]
fn the_sidecar_moves_behind_a_mesh_that_would_lock_it_in() {
    // The redirection in front of it, the proxy behind.
    let changed = push(
        once(&pod()),
        "initContainers",
        0,
        json!({"name": "linkerd-init"}),
    );
    let changed = push(
        changed,
        "initContainers",
        2,
        json!({"name": "linkerd-proxy"}),
    );
    assert_eq!(
        order(&changed),
        ["linkerd-init", "credence", "linkerd-proxy"]
    );
    let patched = again(&changed);
    assert_eq!(
        order(&patched),
        ["linkerd-init", "linkerd-proxy", "credence"]
    );
}

#[test]
fn the_sidecar_moves_behind_a_container_that_was_to_come() {
    let annotations = json!({"credence.dev/start-after": "roots"});
    let pod = with(pod(), &["metadata", "annotations"], annotations);
    let pod = with(
        pod,
        &["spec", "initContainers"],
        json!([{"name": "migrate"}]),
    );
    let changed = push(
        once(&pod),
        "initContainers",
        1,
        json!({"name": "roots", "env": [
            {"name": "CREDENCE_URL", "value": "http://localhost:2733"},
        ]}),
    );
    assert_eq!(order(&changed), ["credence", "roots", "migrate"]);
    let patched = again(&changed);
    assert_eq!(order(&patched), ["roots", "credence", "migrate"]);
}

#[test]
fn what_stands_in_front_of_the_sidecar_may_stay_there() {
    let url = json!([{"name": "CREDENCE_URL", "value": "http://localhost:2733"}]);
    let first = json!({"name": "theirs", "env": url});
    let changed = push(once(&pod()), "initContainers", 0, first);
    assert_eq!(decision(&changed), Decision::Skip(Skip::AlreadyInjected));
}

#[test]
fn a_mesh_that_came_later_and_cuts_the_pod_off_ends_the_wait() {
    let changed = push(
        once(&pod()),
        "initContainers",
        0,
        json!({"name": "istio-validation"}),
    );
    let changed = push(changed, "containers", 1, json!({"name": "istio-proxy"}));
    let patched = again(&changed);
    let path = &sidecar(&patched)["startupProbe"]["httpGet"]["path"];
    assert_eq!(path, "/livez");
}

#[test]
fn a_label_or_status_that_was_taken_away_comes_back() {
    let mut changed = once(&pod());
    let metadata = changed["metadata"].as_object_mut().unwrap();
    metadata.remove("labels");
    metadata.remove("annotations");
    let patched = again(&changed);
    assert_eq!(
        patched["metadata"]["labels"]["credence.dev/injected"],
        "true"
    );
    let annotations = patched["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.len(), 1, "{annotations:?}");
}
