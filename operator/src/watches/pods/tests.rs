use credence_core::names;
use kube::Resource as _;
use serde_json::json;

use super::*;
use crate::digest::sha256_hex;
use crate::queue::Queue;

#[test]
fn what_matters_of_a_pod_is_decoded() {
    let view: PodView = serde_json::from_value(json!({
        "metadata": {
            "name": "web-0", "namespace": "shop", "uid": "u", "resourceVersion": "7",
            "labels": {names::INJECTED: "true"},
            "annotations": {
                names::ENVIRONMENT: "development", names::COLLECTIONS: "openai", "x": "y",
                names::STATUS: r#"{"version":"1","environment":"development","root":"ab","template":"t"}"#,
            },
        },
        "spec": {
            "serviceAccountName": "checkout",
            "initContainers": [{"name": names::CONTAINER, "image": "sidecar:1", "restartPolicy": "Always"}],
            "containers": [{"name": "app", "image": "app:1", "env": [{"name": "A", "value": "b"}]}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }))
    .unwrap();
    assert_eq!(view.meta().name.as_deref(), Some("web-0"));
    assert_eq!(
        InjectedPod::from(view),
        InjectedPod {
            uid: "u".to_owned(),
            service_account: "checkout".to_owned(),
            sidecar: Some(FoundSidecar {
                image: "sidecar:1".to_owned(),
                feed: None,
            }),
            injected: true,
            token_elsewhere: false,
            host_network: false,
            finished: false,
            shares_processes: false,
            lowered: true,
            collections: Some("openai".to_owned()),
            template: Some("t".to_owned()),
        }
    );
}

fn decoded(spec: &serde_json::Value) -> InjectedPod {
    let view: PodView = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
    view.into()
}

#[test]
fn only_a_native_sidecar_that_runs_its_image_counts() {
    let sidecar =
        json!({"name": names::CONTAINER, "image": "sidecar:1", "restartPolicy": "Always"});
    let with = |field: &str, value: serde_json::Value| {
        let mut sidecar = sidecar.clone();
        sidecar[field] = value;
        decoded(&json!({"initContainers": [sidecar]}))
            .sidecar
            .map(|found| found.image)
    };
    assert_eq!(
        with("image", json!("sidecar:2")).as_deref(),
        Some("sidecar:2")
    );
    assert_eq!(with("restartPolicy", json!("")), None);
    assert_eq!(with("command", json!(["sh"])), None);
    assert_eq!(with("args", json!(["-c"])), None);
    let exec = json!({"exec": {"command": ["/theirs"]}});
    assert_eq!(with("lifecycle", json!({"postStart": exec})), None);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(with(probe, exec.clone()), None, "{probe}");
    }
    let mounted = |path: &str| with("volumeMounts", json!([{"name": "v", "mountPath": path}]));
    assert_eq!(mounted("/credence-sidecar"), None);
    assert_eq!(mounted("/etc/../credence-sidecar"), None);
    assert_eq!(mounted("/etc/ssl").as_deref(), Some("sidecar:1"));
    assert_eq!(decoded(&json!({"containers": [sidecar]})).sidecar, None);
}

const CA: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const FEED: &str = "credence-feed.credence-system.svc:8444";

/// A pod with a sidecar as it is injected.
fn injected(name: &str, env: &serde_json::Value, phase: &str) -> PodView {
    let pod = json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {names::INJECTED: "true"}},
        "spec": {"initContainers": [{
            "name": names::CONTAINER, "image": "sidecar:1", "restartPolicy": "Always", "env": env,
        }]},
        "status": {"phase": phase},
    });
    serde_json::from_str(&pod.to_string()).unwrap()
}

fn told(feed: &str, ca: &str) -> serde_json::Value {
    json!([
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": names::FEED_VARIABLE, "value": feed},
        {"name": names::FEED_CA_VARIABLE, "value": ca},
        {"name": names::TOKEN_VARIABLE, "value": "/var/run/secrets/credence.dev/token"},
        {"name": "LAST"},
    ])
}

#[test]
fn whom_a_sidecar_shows_its_token_is_decoded() {
    let root = sha256_hex(&[0, 0, 0]);
    let dials = |env: &serde_json::Value| {
        let pod = InjectedPod::from(injected("web-0", env, "Running"));
        let sidecar = pod.sidecar.expect("a sidecar");
        assert!(!format!("{sidecar:?}").contains("theirs"), "{sidecar:?}");
        sidecar.dials(FEED, |trusted| trusted == root)
    };
    assert!(dials(&told(FEED, CA)));
    assert!(!dials(&told("theirs:8444", CA)));
    assert!(!dials(&told(FEED, "theirs")));
    let mut from = told(FEED, CA);
    from[1] = json!({"name": names::FEED_VARIABLE, "valueFrom": {"configMapKeyRef": {"name": "theirs", "key": "k"}}});
    assert!(!dials(&from));
}

#[tokio::test]
async fn every_root_that_a_running_pod_trusts_is_in_use() {
    let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nobody is asked"))
    });
    let pods = Pods::new(Client::new(nobody, "default"));
    let catalogue = Catalogue::new(Queue::default(), "credence-credentials");
    let both = format!("{CA}{}", CA.replace("AAAA", "AAAB"));
    for view in [
        injected("a", &told(FEED, CA), "Running"),
        injected("b", &told(FEED, &both), "Pending"),
        injected("c", &told(FEED, &both), "Succeeded"),
        injected("d", &json!([]), "Running"),
    ] {
        let shown = watcher::Event::Apply(view);
        pods.apply(shown, &mut Listing::default(), &catalogue);
    }
    let [one, other] = [[0, 0, 0], [0, 0, 1]].map(|der| sha256_hex(&der));
    assert_eq!(pods.roots(), Roots::from([(one, 2), (other, 1)]));
}

#[test]
fn a_token_that_others_can_read_is_seen() {
    let token = json!({"name": "t", "projected": {"sources": [
        {"configMap": {"name": "c"}},
        {"serviceAccountToken": {"audience": names::AUDIENCE, "path": "token"}},
    ]}});
    let mounts = json!([{"name": "t", "mountPath": "/t"}]);
    let sidecar =
        json!({"name": names::CONTAINER, "restartPolicy": "Always", "volumeMounts": mounts});
    let pod = |field: &str, container: serde_json::Value| {
        let mut spec =
            json!({"volumes": [token.clone(), {"name": "o"}], "initContainers": [sidecar.clone()]});
        match spec[field].as_array_mut() {
            Some(list) => list.push(container),
            None => spec[field] = json!([container]),
        }
        decoded(&spec).token_elsewhere
    };
    let other = json!({"name": "app", "volumeMounts": [{"name": "o", "mountPath": "/o"}]});
    let thief = json!({"name": "app", "volumeMounts": mounts});
    for field in ["containers", "initContainers", "ephemeralContainers"] {
        assert!(!pod(field, other.clone()), "{field}");
        assert!(pod(field, thief.clone()), "{field}");
    }
    let debugger = json!({"name": "debug", "targetContainerName": names::CONTAINER});
    assert!(pod("ephemeralContainers", debugger));
}

#[test]
fn processes_are_shared_with_the_node_too() {
    assert!(decoded(&json!({"hostPID": true})).shares_processes);
    assert!(decoded(&json!({"shareProcessNamespace": true})).shares_processes);
    assert!(decoded(&json!({"hostNetwork": true})).host_network);
}

#[test]
fn nothing_but_development_lowers_a_pod() {
    for (annotation, lowered) in [
        ("development", true),
        ("live", false),
        ("dev", false),
        ("", false),
    ] {
        let view: PodView = serde_json::from_value(
            json!({"metadata": {"annotations": {names::ENVIRONMENT: annotation}}}),
        )
        .unwrap();
        assert_eq!(InjectedPod::from(view).lowered, lowered, "{annotation}");
    }
}
