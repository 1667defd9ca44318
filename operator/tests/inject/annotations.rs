//! What a pod's annotations change of its sidecar.

use credence_operator::inject::{
    Bound, Bounds, Decision, Denial, EgressProxy, InjectSettings, InvalidWish, Namespace, Warning,
    decide,
};
use serde_json::{Value, json};

use crate::fixture::{injected, live, pod, settings, sidecar, with};

fn annotated(pod: Value, annotations: Value) -> Value {
    with(pod, &["metadata", "annotations"], annotations)
}

fn patched(pod: &Value) -> Value {
    injected(pod, &decide(pod, &live(), &settings()))
}

fn warnings(pod: &Value) -> Vec<Warning> {
    match decide(pod, &live(), &settings()) {
        Decision::Inject(injection) => injection.warnings,
        other => panic!("not injected: {other:?}"),
    }
}

fn variables(container: &Value) -> Vec<(&str, &str)> {
    let env = container["env"].as_array().unwrap();
    env.iter()
        .map(|v| (v["name"].as_str().unwrap(), v["value"].as_str().unwrap()))
        .collect()
}

#[test]
fn the_proxy_moves_to_another_port_for_the_sidecar_and_the_app() {
    let moved = annotated(
        pod(),
        json!({"credence.dev/sidecar-port": "9000", "credence.dev/collections": "openai"}),
    );
    let patched = patched(&moved);
    assert_eq!(
        variables(&patched["spec"]["containers"][0]),
        [
            ("CREDENCE_URL", "http://localhost:9000"),
            ("OPENAI_BASE_URL", "http://localhost:9000/openai"),
        ]
    );
    let own = variables(sidecar(&patched));
    assert!(own.contains(&("CREDENCE_PORT", "9000")), "{own:?}");
    let plain = self::patched(&pod());
    let plain = variables(sidecar(&plain));
    assert!(plain.iter().all(|(name, _)| *name != "CREDENCE_PORT"));
}

#[test]
fn addresses_of_collections_can_be_switched_off() {
    let off = annotated(
        pod(),
        json!({"credence.dev/base-url-env": "false", "credence.dev/collections": "openai"}),
    );
    let patched = patched(&off);
    assert_eq!(
        variables(&patched["spec"]["containers"][0]),
        [("CREDENCE_URL", "http://localhost:2733")]
    );
}

#[test]
fn the_app_waits_for_the_first_bundle_unless_it_is_told_not_to() {
    let probe = |pod: &Value| sidecar(&patched(pod))["startupProbe"]["httpGet"]["path"].clone();
    assert_eq!(probe(&pod()), "/readyz");
    let at_once = annotated(pod(), json!({"credence.dev/await": "false"}));
    assert_eq!(probe(&at_once), "/livez");
}

#[test]
fn nobody_waits_for_a_sidecar_that_the_mesh_cuts_off() {
    let containers = json!([{"name": "app"}, {"name": "istio-proxy"}]);
    let mesh = with(pod(), &["spec", "containers"], containers);
    let mesh = with(
        mesh,
        &["spec", "initContainers"],
        json!([{"name": "istio-validation"}]),
    );
    let patched = patched(&mesh);
    let path = &sidecar(&patched)["startupProbe"]["httpGet"]["path"];
    assert_eq!(path, "/livez");
    assert_eq!(warnings(&mesh), [Warning::CutOff]);
    let known = annotated(mesh, json!({"credence.dev/await": "false"}));
    assert_eq!(warnings(&known), []);
}

#[test]
fn who_does_not_ask_the_clusters_dns_is_warned() {
    let policy = |policy: &str| with(pod(), &["spec", "dnsPolicy"], json!(policy));
    assert_eq!(warnings(&policy("Default")), [Warning::NodeDns]);
    for known in ["ClusterFirst", "ClusterFirstWithHostNet", "None"] {
        assert_eq!(warnings(&policy(known)), [], "{known}");
    }
}

#[test]
fn the_sidecar_stands_behind_the_container_that_is_named() {
    let init = json!([{"name": "roots"}, {"name": "migrate"}]);
    let two = with(pod(), &["spec", "initContainers"], init);
    let names = |pod: &Value| -> Vec<String> {
        let init = pod["spec"]["initContainers"].as_array().unwrap();
        init.iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&patched(&two)), ["credence", "roots", "migrate"]);
    let after = |name: &str| annotated(two.clone(), json!({"credence.dev/start-after": name}));
    assert_eq!(
        names(&patched(&after("roots"))),
        ["roots", "credence", "migrate"]
    );
    assert_eq!(
        names(&patched(&after("migrate"))),
        ["roots", "migrate", "credence"]
    );
    assert_eq!(warnings(&after("migrate")), []);
    // Another webhook may bring it still.
    assert_eq!(
        names(&patched(&after("later"))),
        ["credence", "roots", "migrate"]
    );
    assert_eq!(warnings(&after("later")), [Warning::StartAfter]);
}

#[test]
fn what_cannot_be_followed_stops_the_pod_and_says_what_to_write() {
    let wrong = annotated(pod(), json!({"credence.dev/await": "no"}));
    let denial = Denial::Wish(InvalidWish::Switch("credence.dev/await"));
    assert_eq!(denial.as_str(), "invalid-annotation");
    assert_eq!(
        denial.to_string(),
        "annotation credence.dev/await: write \"true\" or \"false\""
    );
    assert_eq!(decide(&wrong, &live(), &settings()), Decision::Deny(denial));
}

#[test]
fn a_port_that_the_app_declares_is_warned_about() {
    let ports = json!([{"containerPort": 2733}, {"containerPort": 8080}]);
    let clash = with(pod(), &["spec", "containers", "0", "ports"], ports);
    let taken = |port| Warning::PortTaken {
        container: "app".to_owned(),
        port,
    };
    assert_eq!(warnings(&clash), [taken(2733)]);
    let moved = json!({"credence.dev/sidecar-port": "9000"});
    assert_eq!(warnings(&annotated(clash.clone(), moved)), []);
    let onto = json!({"credence.dev/sidecar-port": "8080"});
    assert_eq!(warnings(&annotated(clash, onto)), [taken(8080)]);
}

#[test]
fn a_namespaces_demands_reach_the_sidecar() {
    let bounds = Bounds {
        cpu: Bound {
            limit_required: true,
            ..Bound::default()
        },
        memory: Bound {
            min: Some("32Mi".parse().unwrap()),
            ..Bound::default()
        },
    };
    let namespace = Namespace { bounds, ..live() };
    let decision = decide(&pod(), &namespace, &settings());
    assert_eq!(
        sidecar(&injected(&pod(), &decision))["resources"],
        json!({
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        })
    );
}

#[test]
fn sidecars_leave_the_network_by_the_proxy_of_the_settings_and_the_app_does_not() {
    let settings = InjectSettings {
        egress: Some(EgressProxy {
            url: "http://proxy.example.com:3128".parse().unwrap(),
            no_proxy: ".svc,10.0.0.0/8".to_owned(),
        }),
        ..settings()
    };
    let decision = decide(&pod(), &live(), &settings);
    let patched = injected(&pod(), &decision);
    let own = variables(sidecar(&patched));
    assert!(own.contains(&("HTTPS_PROXY", "http://proxy.example.com:3128")));
    assert!(own.contains(&("NO_PROXY", ".svc,10.0.0.0/8")));
    let app = variables(&patched["spec"]["containers"][0]);
    assert_eq!(app, [("CREDENCE_URL", "http://localhost:2733")]);
}
