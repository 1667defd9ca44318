//! The admission protocol around a decision.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_operator::webhook::{Answer, respond};
use serde_json::{Value, json};

use crate::fixture::{development, live, pod, settings, with};

fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
        },
    })
}

fn answer_to(review: &Value) -> (Answer, Value) {
    answer_to_bytes(review.to_string().as_bytes())
}

fn answer_to_bytes(body: &[u8]) -> (Answer, Value) {
    let answer = respond(body, &settings(), |namespace| match namespace {
        "shop" => live(),
        _ => development(),
    });
    let review: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(review["kind"], "AdmissionReview");
    let response = review["response"].clone();
    let audit = json!({"decision": answer.decision, "reason": answer.reason});
    assert_eq!(response["auditAnnotations"], audit);
    (answer, response)
}

#[test]
fn a_pod_is_answered_with_a_patch() {
    let (answer, response) = answer_to(&review(&pod()));
    assert_eq!((answer.decision, answer.reason), ("inject", "opted-in"));
    assert_eq!(response["uid"], "705ab4f5");
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    assert!(
        patch.iter().all(|operation| operation["op"] == "add"),
        "{patch:?}"
    );
    assert_eq!(response.get("warnings"), None);
    assert_eq!(response.get("status"), None);
}

#[test]
fn the_namespace_of_the_request_decides_not_the_pods() {
    let shared = with(pod(), &["spec", "shareProcessNamespace"], json!(true));
    let elsewhere = with(shared, &["metadata", "namespace"], json!("elsewhere"));
    let (answer, response) = answer_to(&review(&elsewhere));
    assert_eq!(
        (answer.decision, answer.reason),
        ("skip", "shared-processes")
    );
    assert_eq!(response["allowed"], true);
    assert_eq!(response.get("patch"), None);
    assert_eq!(response["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_pod_that_cannot_have_a_sidecar_is_an_event_unless_it_is_only_tried() {
    let host = with(pod(), &["spec", "hostNetwork"], json!(true));
    let (answer, _) = answer_to(&review(&host));
    let happening = answer.happening.unwrap();
    assert_eq!(happening.regarding.name.as_deref(), Some("app"));
    assert_eq!(happening.regarding.namespace.as_deref(), Some("shop"));
    let tried = with(review(&host), &["request", "dryRun"], json!(true));
    let (answer, _) = answer_to(&tried);
    assert_eq!((answer.reason, answer.happening), ("host-network", None));
    let (answer, _) = answer_to(&review(&pod()));
    assert_eq!(answer.happening, None);
}

#[test]
fn a_refusal_says_what_to_do() {
    let annotations = json!({"credence.dev/collections": "Open AI"});
    let pod = with(pod(), &["metadata", "annotations"], annotations);
    let (answer, response) = answer_to(&review(&pod));
    assert_eq!(
        (answer.decision, answer.reason),
        ("deny", "invalid-collections")
    );
    assert_eq!(response["uid"], "705ab4f5");
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("\"Open AI\" cannot name a collection"),
        "{message}"
    );
}

#[test]
fn warnings_are_handed_to_the_caller() {
    let labels = json!({"credence.dev/inject": "yes"});
    let (answer, response) = answer_to(&review(&with(pod(), &["metadata", "labels"], labels)));
    assert_eq!(answer.decision, "inject");
    assert_eq!(response["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_the_creation_of_a_pod_passes_untouched() {
    for (member, value) in [
        ("operation", json!("UPDATE")),
        ("subResource", json!("ephemeralcontainers")),
        (
            "resource",
            json!({"group": "apps", "version": "v1", "resource": "deployments"}),
        ),
        (
            "resource",
            json!({"group": "x", "version": "v1", "resource": "pods"}),
        ),
    ] {
        let review = with(review(&pod()), &["request", member], value);
        let (answer, response) = answer_to(&review);
        assert_eq!((answer.decision, answer.reason), ("skip", "not-a-new-pod"));
        assert_eq!(response["allowed"], true, "{member}");
        assert_eq!(response.get("patch"), None);
    }
}

#[test]
fn a_broken_review_is_answered_with_its_uid() {
    let broken = [
        with(review(&pod()), &["request", "resource"], json!(7)),
        with(review(&pod()), &["request", "object"], json!(null)),
        with(
            review(&pod()),
            &["apiVersion"],
            json!("admission.k8s.io/v1beta1"),
        ),
        with(review(&pod()), &["kind"], json!("Pod")),
        json!({"request": {"uid": "705ab4f5"}}),
    ];
    for review in broken {
        let (answer, response) = answer_to(&review);
        assert!(["error", "deny"].contains(&answer.decision), "{review}");
        assert_eq!(response["uid"], "705ab4f5");
        assert_eq!(response["allowed"], false);
    }
}

#[test]
fn what_is_no_review_at_all_is_still_answered() {
    for body in ["", "{", "[]", "null", "{\"request\": null}", "\u{0}"] {
        let (answer, response) = answer_to_bytes(body.as_bytes());
        assert_eq!((answer.decision, answer.reason), ("error", "not-a-review"));
        assert_eq!(response["uid"], "");
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["code"], 400);
    }
    let (answer, _) = answer_to_bytes(&[0xff, 0xfe]);
    assert_eq!(answer.decision, "error");
}

#[test]
fn an_answer_holds_nothing_of_the_pods_variables() {
    let env = json!([{"name": "PASSWORD", "value": "hunter2-planted"}]);
    let pod = with(pod(), &["spec", "containers", "0", "env"], env);
    for review in [
        review(&pod),
        with(review(&pod), &["request", "resource"], json!(1)),
        review(&with(
            pod.clone(),
            &["spec", "containers", "0", "env"],
            json!("hunter2-planted"),
        )),
    ] {
        let (answer, response) = answer_to(&review);
        let patch = response["patch"].as_str().unwrap_or_default();
        let patch = STANDARD.decode(patch).unwrap();
        for text in [&answer.body, &patch] {
            assert!(!String::from_utf8_lossy(text).contains("hunter2"));
        }
    }
}
