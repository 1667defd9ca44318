//! Who is left alone, who is refused, who is warned.

use credence_operator::inject::{
    Decision, Denial, InvalidCollections, InvalidWish, Skip, Warning, decide,
};
use serde_json::{Value, json};

use crate::fixture::{self, injected, pod, settings, with};

fn live(pod: &Value) -> Decision {
    decide(pod, &fixture::live(), &settings())
}

fn development(pod: &Value) -> Decision {
    decide(pod, &fixture::development(), &settings())
}

fn warnings(decision: Decision) -> Vec<Warning> {
    let Decision::Inject(injection) = decision else {
        panic!("not injected: {decision:?}");
    };
    injection.warnings
}

fn inject_label(value: &str) -> Value {
    with(
        pod(),
        &["metadata", "labels"],
        json!({"credence.dev/inject": value}),
    )
}

fn annotated(name: &str, value: &str) -> Value {
    with(pod(), &["metadata", "annotations"], json!({name: value}))
}

#[test]
fn a_pods_label_wins_over_its_namespace() {
    assert_eq!(live(&inject_label("false")), Decision::Skip(Skip::OptedOut));
    assert_eq!(warnings(live(&inject_label("true"))), []);
    assert_eq!(warnings(live(&pod())), []);
}

#[test]
fn a_label_that_means_nothing_is_warned_about() {
    for value in ["", "True", "no", "enabled"] {
        let decision = live(&inject_label(value));
        assert_eq!(warnings(decision), [Warning::InjectLabel], "{value:?}");
    }
}

#[test]
fn pods_that_cannot_have_a_sidecar_are_left_alone() {
    let mirror = annotated("kubernetes.io/config.mirror", "0123");
    assert_eq!(live(&mirror), Decision::Skip(Skip::MirrorPod));
    let host = with(pod(), &["spec", "hostNetwork"], json!(true));
    assert_eq!(live(&host), Decision::Skip(Skip::HostNetwork));
    let windows = with(pod(), &["spec", "os"], json!({"name": "windows"}));
    assert_eq!(live(&windows), Decision::Skip(Skip::Windows));
    let selector = json!({"kubernetes.io/os": "windows"});
    let windows = with(pod(), &["spec", "nodeSelector"], selector);
    assert_eq!(live(&windows), Decision::Skip(Skip::Windows));
}

#[test]
fn what_says_the_opposite_explicitly_changes_nothing() {
    let mut pod = pod();
    for (member, value) in [
        ("hostNetwork", json!(false)),
        ("shareProcessNamespace", json!(false)),
        ("os", json!({"name": "linux"})),
        ("nodeSelector", json!({"kubernetes.io/os": "linux"})),
    ] {
        pod = with(pod, &["spec", member], value);
    }
    assert_eq!(warnings(live(&pod)), []);
}

#[test]
fn shared_processes_keep_live_credentials_away() {
    let shared = with(pod(), &["spec", "shareProcessNamespace"], json!(true));
    assert_eq!(live(&shared), Decision::Skip(Skip::SharedProcesses));
    assert_eq!(warnings(development(&shared)), []);
    let annotations = json!({"credence.dev/environment": "development"});
    let lowered = with(shared, &["metadata", "annotations"], annotations);
    assert_eq!(warnings(live(&lowered)), []);
}

#[test]
fn a_pod_can_be_lowered_and_not_raised() {
    let status = |pod: &Value, decision: &Decision| {
        let patched = injected(pod, decision);
        let status = &patched["metadata"]["annotations"]["credence.dev/status"];
        let status: Value = serde_json::from_str(status.as_str().unwrap()).unwrap();
        status["environment"].as_str().unwrap().to_owned()
    };
    let lowered = annotated("credence.dev/environment", "development");
    assert_eq!(status(&lowered, &live(&lowered)), "development");
    assert_eq!(warnings(live(&lowered)), []);

    for value in ["live", "Development", ""] {
        let raised = annotated("credence.dev/environment", value);
        assert_eq!(status(&raised, &development(&raised)), "development");
        assert_eq!(status(&raised, &live(&raised)), "live");
        assert_eq!(
            warnings(development(&raised)),
            [Warning::EnvironmentAnnotation],
            "{value:?}"
        );
    }
}

fn refused(invalid: InvalidCollections) -> Decision {
    Decision::Deny(Denial::Wish(InvalidWish::Collections(invalid)))
}

#[test]
fn collections_that_cannot_exist_are_refused() {
    let pod = annotated("credence.dev/collections", "openai, Stripe");
    let invalid = InvalidCollections::Name("Stripe".to_owned());
    assert_eq!(live(&pod), refused(invalid));
    let pod = annotated("credence.dev/collections", "");
    assert_eq!(live(&pod), refused(InvalidCollections::Empty));
}

#[test]
fn a_container_of_our_name_that_is_not_ours_is_refused() {
    let refused = Decision::Deny(Denial::ContainerName);
    let theirs = json!([{"name": "credence", "image": "theirs:1"}]);
    let ordinary = with(pod(), &["spec", "containers"], theirs.clone());
    assert_eq!(live(&ordinary), refused);
    let init = with(pod(), &["spec", "initContainers"], theirs);
    assert_eq!(live(&init), refused);
}

#[test]
fn nobody_else_gets_a_token_for_the_feed() {
    let token = |name: &str| {
        let source = json!({"serviceAccountToken": {"audience": "credence", "path": "t"}});
        json!([{"name": name, "projected": {"sources": [source]}}])
    };
    let own = with(pod(), &["spec", "volumes"], token("mine"));
    let denial = Denial::TokenAudience("mine".to_owned());
    assert_eq!(live(&own), Decision::Deny(denial));

    let named = with(pod(), &["spec", "volumes"], token("credence-token"));
    assert_eq!(live(&named), Decision::Deny(Denial::TokenVolume));
    let other = json!([{"name": "credence-token", "emptyDir": {}}]);
    let named = with(pod(), &["spec", "volumes"], other);
    assert_eq!(live(&named), Decision::Deny(Denial::TokenVolume));

    let mount = json!([{"name": "credence-token", "mountPath": "/t"}]);
    let at = ["spec", "containers", "0", "volumeMounts"];
    let denial = Decision::Deny(Denial::TokenMount("app".to_owned()));
    let before = with(pod(), &at, mount.clone());
    assert_eq!(live(&before), denial, "a mount of the volume to come");
    let after = with(injected(&pod(), &live(&pod())), &at, mount);
    assert_eq!(live(&after), denial, "a mount beside the sidecar");
}

#[test]
fn a_pod_that_gets_no_sidecar_gets_no_token_either() {
    let source = json!({"serviceAccountToken": {"audience": "credence", "path": "t"}});
    let volumes = json!([{"name": "mine", "projected": {"sources": [source]}}]);
    let denial = Decision::Deny(Denial::TokenAudience("mine".to_owned()));
    for (path, value, reason) in [
        (
            &["metadata", "labels"][..],
            json!({"credence.dev/inject": "false"}),
            Skip::OptedOut,
        ),
        (&["spec", "hostNetwork"], json!(true), Skip::HostNetwork),
        (&["spec", "os"], json!({"name": "windows"}), Skip::Windows),
        (
            &["spec", "shareProcessNamespace"],
            json!(true),
            Skip::SharedProcesses,
        ),
    ] {
        let skipped = with(pod(), path, value);
        assert_eq!(live(&skipped), Decision::Skip(reason));
        let thief = with(skipped.clone(), &["spec", "volumes"], volumes.clone());
        assert_eq!(live(&thief), denial, "{reason:?}");
        // Our names are free where we do nothing.
        let containers = json!([{"name": "credence", "image": "theirs:1"}]);
        let theirs = with(skipped, &["spec", "containers"], containers);
        assert_eq!(live(&theirs), Decision::Skip(reason));
    }
    let by_hand = injected(&pod(), &live(&pod()));
    let by_hand = with(
        by_hand,
        &["metadata", "labels", "credence.dev/inject"],
        json!("false"),
    );
    assert_eq!(live(&by_hand), Decision::Skip(Skip::OptedOut));
    let mount = json!([{"name": "credence-token", "mountPath": "/t"}]);
    let thief = with(by_hand, &["spec", "containers", "0", "volumeMounts"], mount);
    let denial = Denial::TokenMount("app".to_owned());
    assert_eq!(live(&thief), Decision::Deny(denial));
    let mirror = with(
        pod(),
        &["metadata", "annotations"],
        json!({"kubernetes.io/config.mirror": "0"}),
    );
    let mirror = with(mirror, &["spec", "volumes"], volumes);
    assert_eq!(
        live(&mirror),
        Decision::Skip(Skip::MirrorPod),
        "it runs already"
    );
}

#[test]
fn tokens_for_other_audiences_are_nobodys_business() {
    let source = json!({"serviceAccountToken": {"audience": "vault", "path": "t"}});
    let volumes = json!([
        {"name": "a", "projected": {"sources": [source, {"configMap": {"name": "c"}}]}},
        {"name": "b", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"name": "c", "projected": {}},
    ]);
    let pod = with(pod(), &["spec", "volumes"], volumes);
    assert_eq!(warnings(live(&pod)), []);
}

#[test]
fn a_proxy_that_would_swallow_calls_to_localhost_is_warned_about() {
    let env = |env: Value| with(pod(), &["spec", "containers", "0", "env"], env);
    let warning = |variable| Warning::EgressProxy {
        container: "app".to_owned(),
        variable,
    };
    let proxy = json!({"name": "HTTP_PROXY", "value": "http://proxy:3128"});
    let from = json!({"name": "http_proxy", "valueFrom": {"configMapKeyRef": {}}});
    let exempt = |value: &str| json!({"name": "NO_PROXY", "value": value});

    let alone = env(json!([proxy]));
    assert_eq!(warnings(live(&alone)), [warning("HTTP_PROXY")]);
    let alone = env(json!([from]));
    assert_eq!(warnings(live(&alone)), [warning("http_proxy")]);
    let others = env(json!([proxy, exempt("example.com,127.0.0.1,.localhost")]));
    assert_eq!(warnings(live(&others)), [warning("HTTP_PROXY")]);

    for no_proxy in ["localhost", "example.com,localhost", "a, localhost", "*"] {
        let exempt = env(json!([proxy, exempt(no_proxy)]));
        assert_eq!(warnings(live(&exempt)), [], "{no_proxy}");
    }
    let unknown = json!({"name": "no_proxy", "valueFrom": {"configMapKeyRef": {}}});
    assert_eq!(warnings(live(&env(json!([proxy, unknown])))), []);
    let empty = json!({"name": "HTTP_PROXY"});
    assert_eq!(warnings(live(&env(json!([empty])))), []);
}

#[test]
fn messages_fit_into_what_an_api_server_shows() {
    for skip in [Skip::Windows, Skip::HostNetwork, Skip::SharedProcesses] {
        assert!(skip.warning().unwrap().len() <= 256);
    }
    for warning in [
        Warning::InjectLabel,
        Warning::EnvironmentAnnotation,
        Warning::EgressProxy {
            container: "c".repeat(63),
            variable: "HTTP_PROXY",
        },
        Warning::StartAfter,
        Warning::CutOff,
        Warning::NodeDns,
        Warning::PortTaken {
            container: "c".repeat(63),
            port: 2733,
        },
    ] {
        assert!(warning.to_string().len() <= 256, "{warning}");
    }
}

#[test]
fn what_is_no_pod_is_refused_without_being_quoted() {
    for broken in [
        json!(null),
        json!("a secret"),
        json!({"metadata": {}}),
        json!({"spec": {"containers": []}}),
        json!({"metadata": {}, "spec": {}}),
        json!({"metadata": {}, "spec": {"containers": [{"name": "a", "env": "a secret"}]}}),
        json!({"metadata": {"labels": {"credence.dev/inject": {}}}, "spec": {"containers": []}}),
    ] {
        let decision = live(&broken);
        assert_eq!(decision, Decision::Deny(Denial::NotAPod), "{broken}");
    }
    assert!(!Denial::NotAPod.to_string().contains("a secret"));
}
