//! What holds for every pod: all combinations of the parts that pods are made
//! of here, and the recorded ones.

use credence_operator::inject::{Decision, Skip, decide};
use serde_json::{Value, json};

use crate::fixture::{development, injected, pod, settings, sidecar, with};
use crate::{golden, restricted};

/// Each changes a pod in one respect.
const PARTS: [fn(Value) -> Value; 10] = [
    |pod| {
        with(
            pod,
            &["metadata", "labels"],
            json!({"app.kubernetes.io/name": "app"}),
        )
    },
    |pod| {
        let annotations = json!({"credence.dev/collections": "openai,2checkout"});
        with(pod, &["metadata", "annotations"], annotations)
    },
    |pod| {
        let env = json!([{"name": "CREDENCE_URL", "value": "http://elsewhere"}, {"name": "A"}]);
        with(pod, &["spec", "containers", "0", "env"], env)
    },
    |pod| {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let resources = json!({"requests": both, "limits": both});
        with(pod, &["spec", "containers", "0", "resources"], resources)
    },
    |mut pod| {
        let second = json!({"name": "second", "image": "b:1", "env": []});
        pod["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .push(second);
        pod
    },
    |pod| {
        let init = json!([{"name": "migrate", "image": "m:1"}]);
        with(pod, &["spec", "initContainers"], init)
    },
    |mut pod| {
        let mesh = [
            json!({"name": "istio-init"}),
            json!({"name": "istio-proxy"}),
        ];
        let mut init = pod["spec"]["initContainers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        init.splice(0..0, mesh);
        pod["spec"]["initContainers"] = init.into();
        pod
    },
    |pod| {
        with(
            pod,
            &["spec", "volumes"],
            json!([{"name": "data", "emptyDir": {}}]),
        )
    },
    |pod| with(pod, &["spec", "shareProcessNamespace"], json!(true)),
    |pod| {
        with(
            pod,
            &["spec", "somethingFromTheFuture"],
            json!({"a": [1, null, {"b": 1.5}]}),
        )
    },
];

fn every_pod() -> impl Iterator<Item = Value> {
    let made = (0..1_u32 << PARTS.len()).map(|chosen| {
        let parts = PARTS.iter().enumerate();
        parts
            .filter(|(bit, _)| chosen & (1 << bit) != 0)
            .fold(pod(), |pod, (_, part)| part(pod))
    });
    let recorded = golden::pods().filter(|pod| matches!(decision(pod), Decision::Inject(_)));
    made.chain(recorded)
}

fn decision(pod: &Value) -> Decision {
    decide(pod, &development(), &settings())
}

#[test]
fn an_injected_pod_needs_nothing_more() {
    for pod in every_pod() {
        let patched = injected(&pod, &decision(&pod));
        let again = decision(&patched);
        assert_eq!(again, Decision::Skip(Skip::AlreadyInjected), "{patched:#}");
    }
}

#[test]
fn the_same_pod_gives_the_same_patch() {
    for pod in every_pod() {
        assert_eq!(decision(&pod), decision(&pod));
    }
}

#[test]
fn nothing_that_was_there_is_changed_or_lost() {
    for pod in every_pod() {
        let patched = injected(&pod, &decision(&pod));
        assert_contains(&patched, &pod, "");
    }
}

/// Everything of `part` is in `whole`, lists in their order.
fn assert_contains(whole: &Value, part: &Value, at: &str) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            // These are ours to write, whoever wrote them before.
            let ours = ["credence.dev/injected", "credence.dev/status"];
            let theirs = part
                .iter()
                .filter(|(name, _)| !ours.contains(&name.as_str()));
            for (name, value) in theirs {
                let found = whole.get(name);
                let found = found.unwrap_or_else(|| panic!("{at}/{name} is lost"));
                assert_contains(found, value, &format!("{at}/{name}"));
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            let mut rest = whole.iter();
            // Ours may move.
            let theirs = part.iter().filter(|item| item["name"] != "credence");
            for (index, value) in theirs.enumerate() {
                let at = format!("{at}/{index}");
                let same = |found: &&Value| match value.get("name") {
                    Some(name) => found.get("name") == Some(name),
                    None => *found == value,
                };
                let found = rest.find(same);
                let found = found.unwrap_or_else(|| panic!("{at} is lost or moved"));
                assert_contains(found, value, &at);
            }
        }
        // As good as absent.
        (Value::Object(_) | Value::Array(_), Value::Null) => {}
        _ => assert_eq!(whole, part, "{at} is changed"),
    }
}

#[test]
fn what_passed_the_restricted_profile_still_does() {
    let mut passed = 0;
    for pod in every_pod() {
        let pod = restricted::hardened(pod);
        if restricted::violation(&pod).is_some() {
            continue;
        }
        let patched = injected(&pod, &decision(&pod));
        assert_eq!(restricted::violation(&patched), None, "{patched:#}");
        passed += 1;
    }
    assert!(passed > PARTS.len());
}

#[test]
fn every_container_but_the_meshs_knows_where_the_proxy_is() {
    for pod in every_pod() {
        let patched = injected(&pod, &decision(&pod));
        let spec = &patched["spec"];
        let containers = spec["initContainers"].as_array().into_iter().flatten();
        for container in containers.chain(spec["containers"].as_array().unwrap()) {
            let name = container["name"].as_str().unwrap();
            let env = container["env"].as_array().into_iter().flatten();
            let urls = env.filter(|v| v["name"] == "CREDENCE_URL").count();
            let mesh = name.starts_with("istio-") || name.starts_with("linkerd-");
            let own = name == "credence" || mesh;
            assert_eq!(urls, usize::from(!own), "{name}");
        }
    }
}

#[test]
fn only_the_sidecar_mounts_the_token() {
    for pod in every_pod() {
        let patched = injected(&pod, &decision(&pod));
        let mounts = patched
            .to_string()
            .matches("/var/run/secrets/credence.dev\"")
            .count();
        assert_eq!(mounts, 1);
        let mount = &sidecar(&patched)["volumeMounts"][0];
        assert_eq!(mount["name"], "credence-token");
        assert_eq!(mount["readOnly"], true);
    }
}

#[test]
fn the_sidecar_is_restricted_and_lasts_as_long_as_the_pod() {
    for pod in every_pod() {
        let patched = injected(&pod, &decision(&pod));
        let sidecar = sidecar(&patched);
        assert_eq!(sidecar["restartPolicy"], "Always");
        assert_eq!(
            sidecar["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "runAsUser": 2733,
                "runAsGroup": 2733,
                "seccompProfile": {"type": "RuntimeDefault"},
            })
        );
        assert_eq!(
            patched["metadata"]["labels"]["credence.dev/injected"],
            "true"
        );
    }
}
