//! What is made of an installation: rights, collections, pods.

use serde_json::{Value, json};

use super::*;

#[test]
fn everybody_may_not_make_a_namespace_live() {
    assert_only(
        |of| {
            of.grants = Look::Seen(Grants {
                cluster_roles: vec![read(json!({
                    "metadata": {"name": "open"},
                    "rules": [{"apiGroups": ["credence.dev"], "resources": ["apicollections"], "verbs": ["promote"]}],
                }))],
                cluster_bindings: vec![read(json!({
                    "metadata": {"name": "open"},
                    "roleRef": {"kind": "ClusterRole", "name": "open", "apiGroup": "rbac.authorization.k8s.io"},
                    "subjects": [{"kind": "Group", "name": "system:authenticated"}, {"kind": "User", "name": "ann"}],
                }))],
                ..Grants::default()
            });
        },
        "promote",
        Verdict::Failure,
        &["Group system:authenticated in every namespace, by ClusterRole open"],
    );
}

#[test]
fn what_the_operator_may_not_read_comes_with_the_command_that_allows_it() {
    assert_only(
        |of| of.sources[0].readable = Look::Seen(false),
        "credential-access",
        Verdict::Failure,
        &[
            "secrets in namespace shop",
            "apicollection/openai",
            "kubectl create rolebinding credence-credentials --namespace=shop --clusterrole=credence-credentials \
             --serviceaccount=credence-system:credence-operator",
        ],
    );
}

#[test]
fn collections_are_as_the_operator_says() {
    fn condition(index: usize, change: Value) -> impl FnOnce(&mut Installation) {
        move |of| {
            let mut value = collection();
            let condition = &mut value["status"]["conditions"][index];
            for (member, new) in change.as_object().unwrap() {
                condition[member] = new.clone();
            }
            of.collections = Look::Seen(vec![read(value)]);
        }
    }
    assert_only(
        condition(
            3,
            json!({"status": "False", "reason": "SecretNotFound", "message": "Secret \"x\" does not exist"}),
        ),
        "collection",
        Verdict::Failure,
        &[
            "shop/openai is not ready: SecretNotFound: Secret \"x\"",
            "describe apicollection openai",
        ],
    );
    assert_only(
        condition(
            2,
            json!({"status": "False", "reason": "SidecarsBehind", "message": "1 of 2"}),
        ),
        "collection",
        Verdict::Warning,
        &["not yet used by all sidecars", "SidecarsBehind"],
    );
    assert_only(
        condition(
            0,
            json!({"type": "CredentialRejected", "message": "refused with 401"}),
        ),
        "collection",
        Verdict::Warning,
        &["CredentialRejected: refused with 401"],
    );
    assert_only(
        condition(
            0,
            json!({"type": "Verified", "status": "False", "message": "GET /models is answered 401"}),
        ),
        "collection",
        Verdict::Warning,
        &["is refused by its API: GET /models is answered 401"],
    );
    assert_only(
        |of| {
            let mut value = collection();
            value["status"] = Value::Null;
            of.collections = Look::Seen(vec![read(value)]);
        },
        "collection",
        Verdict::Failure,
        &["no operator has looked at it"],
    );
    assert_only(
        |of| {
            let mut value = collection();
            value["metadata"]["generation"] = 3.into();
            of.collections = Look::Seen(vec![read(value)]);
        },
        "collection",
        Verdict::Warning,
        &["was changed"],
    );
}

#[test]
fn what_is_well_with_a_token_and_a_verification_is_nothing_to_complain_of() {
    for kind in ["TokenReady", "Verified"] {
        let mut facts = well();
        let mut value = collection();
        value["status"]["conditions"][0]["type"] = kind.into();
        let found = facts.installation.as_mut().unwrap();
        found.collections = Look::Seen(vec![read(value)]);
        assert_eq!(complaints(judge(&facts)), [], "{kind}");
    }
}

#[test]
fn a_collection_of_the_cluster_is_told_of_without_a_namespace() {
    let mut value = collection();
    value["kind"] = "ClusterApiCollection".into();
    value["metadata"] = json!({"name": "mail", "generation": 2});
    let condition = &mut value["status"]["conditions"][3];
    condition["status"] = "False".into();
    condition["reason"] = "SecretNotFound".into();
    assert_only(
        |of| of.cluster_collections = Look::Seen(vec![read(value)]),
        "collection",
        Verdict::Failure,
        &[
            "mail is not ready: SecretNotFound",
            "kubectl describe clusterapicollection mail",
        ],
    );
}

#[test]
fn a_pod_that_asked_and_has_none_is_a_failure_and_one_that_cannot_a_warning() {
    fn unmarked(spec: &Value) -> impl FnOnce(&mut Installation) {
        let pod = json!({"metadata": {"name": "old", "namespace": "shop"}, "spec": spec, "status": {"phase": "Running"}});
        move |of| of.unmarked = Look::Seen(vec![read(pod)])
    }
    let plain = json!({"containers": []});
    assert_only(
        unmarked(&plain),
        "sidecar-missing",
        Verdict::Failure,
        &["shop/old", "rollout restart"],
    );
    for (member, value, why) in [
        ("hostNetwork", json!(true), "network of its node"),
        ("os", json!({"name": "windows"}), "Windows"),
        (
            "nodeSelector",
            json!({"kubernetes.io/os": "windows"}),
            "Windows",
        ),
        ("hostPID", json!(true), "processes"),
        (
            "shareProcessNamespace",
            json!(true),
            "each other's, in a live",
        ),
    ] {
        let mut spec = plain.clone();
        spec[member] = value;
        assert_only(
            unmarked(&spec),
            "sidecar-skipped",
            Verdict::Warning,
            &["shop/old", why],
        );
    }
    // What has ended needs none, and some namespaces are never asked about.
    for pod in [
        json!({"metadata": {"name": "done", "namespace": "shop"}, "spec": plain, "status": {"phase": "Succeeded"}}),
        json!({"metadata": {"name": "ours", "namespace": "credence-system"}, "spec": plain}),
        json!({"metadata": {"name": "dns", "namespace": "kube-system"}, "spec": plain}),
    ] {
        let mut facts = well();
        facts.installation.as_mut().unwrap().unmarked = Look::Seen(vec![read(pod)]);
        assert_eq!(complaints(judge(&facts)), []);
    }
}

#[test]
fn a_sidecar_that_would_be_another_today_is_outdated() {
    let marked = |change: &dyn Fn(&mut Value)| {
        let mut value = pod("old");
        change(&mut value);
        read::<Pod>(value)
    };
    for pod in [
        marked(&|pod| pod["spec"]["initContainers"][0]["image"] = "sidecar:0".into()),
        marked(&|pod| pod["metadata"]["annotations"] = json!({})),
        marked(&|pod| {
            pod["metadata"]["annotations"]["credence.dev/status"] =
                r#"{"version":"0.1.0","environment":"live","root":"bb"}"#.into();
        }),
    ] {
        assert_only(
            |of| of.marked = Look::Seen(vec![pod]),
            "sidecar-outdated",
            Verdict::Warning,
            &["shop/old", "rollout restart"],
        );
    }
    // The environment is the namespace's, and no matter of age.
    let lowered = marked(&|pod| {
        pod["metadata"]["annotations"]["credence.dev/status"] =
            r#"{"version":"0.1.0","environment":"development","root":"aa"}"#.into();
    });
    let mut facts = well();
    facts.installation.as_mut().unwrap().marked = Look::Seen(vec![lowered]);
    assert_eq!(complaints(judge(&facts)), []);
    // A label alone makes no sidecar.
    let without = marked(&|pod| pod["spec"]["initContainers"] = json!([]));
    assert_only(
        |of| of.marked = Look::Seen(vec![without]),
        "sidecar-missing",
        Verdict::Failure,
        &["shop/old"],
    );
}
