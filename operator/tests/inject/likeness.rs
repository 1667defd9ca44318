//! Whether a container is a sidecar of ours: the same answer from the injector,
//! which is shown the pod, and from the feed, which is asked by it.

use credence_operator::digest::sha256_hex;
use credence_operator::inject::{Decision, Denial, EgressProxy, InjectSettings, Skip, decide};
use credence_operator::watches::pods::{InjectedPod, PodView};
use serde_json::{Value, json};

use crate::fixture::{injected, live, pod, settings, sidecar, with};

/// What is base64 of the authority in the settings, and of others.
const OURS: &str = "MIIB";
const NEXT: &str = "MIIC";
const THEIRS: &str = "MIID";
const FEED: usize = 0;
const CA: usize = 1;
const TOKEN: usize = 2;

fn pem(base64: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

/// In the middle of a rotation.
fn rotating() -> InjectSettings {
    InjectSettings {
        other_cas: vec![pem(NEXT).into()],
        ..settings()
    }
}

fn given(settings: &InjectSettings) -> Value {
    injected(&pod(), &decide(&pod(), &live(), settings))
}

fn injector_knows(pod: &Value) -> bool {
    match decide(pod, &live(), &rotating()) {
        Decision::Skip(Skip::AlreadyInjected) => true,
        Decision::Deny(Denial::ContainerName) => false,
        other => panic!("{other:?}"),
    }
}

fn feed_knows(pod: &Value) -> bool {
    let (settings, held) = (rotating(), [b"\x30\x82\x01", b"\x30\x82\x02"]);
    let held = held.map(|der| sha256_hex(der));
    let view: PodView = serde_json::from_str(&pod.to_string()).unwrap();
    let sidecar = InjectedPod::from(view).sidecar;
    sidecar.is_some_and(|found| {
        let trusted = |root: &str| held.iter().any(|held| held == root);
        found.has_image_of(&settings.image) && found.dials(&settings.feed, trusted)
    })
}

fn both_know(pod: &Value, case: &str) -> bool {
    let known = injector_knows(pod);
    assert_eq!(feed_knows(pod), known, "the feed differs: {case}");
    known
}

/// The sidecar with another value of one member.
fn changed(member: &str, value: Value) -> Value {
    let at = ["spec", "initContainers", "0", member];
    with(given(&settings()), &at, value)
}

/// The sidecar with its variables changed.
fn told(change: impl FnOnce(&mut Vec<Value>)) -> Value {
    let mut pod = given(&settings());
    let env = &mut pod["spec"]["initContainers"][0]["env"];
    change(env.as_array_mut().unwrap());
    pod
}

fn trusting(pem: String) -> Value {
    told(|env| env[CA]["value"] = pem.into())
}

#[test]
fn our_sidecar_with_another_program_or_feed_is_not_ours() {
    let exec = json!({"exec": {"command": ["/their/shell"]}});
    let mounted = |path: &str| json!([{"name": "theirs", "mountPath": path}]);
    for (member, value) in [
        ("image", json!("theirs:1")),
        ("image", json!("example.com/credence-sidecar-2:1")),
        ("restartPolicy", json!("")),
        ("command", json!(["sh"])),
        ("args", json!(["-x"])),
        ("envFrom", json!([{"configMapRef": {"name": "theirs"}}])),
        ("env", json!([])),
        ("lifecycle", json!({"postStart": exec})),
        ("startupProbe", exec.clone()),
        ("livenessProbe", exec.clone()),
        ("readinessProbe", exec),
        ("volumeMounts", mounted("/credence-sidecar")),
        ("volumeMounts", mounted("/etc/../credence-sidecar")),
        ("volumeMounts", mounted("/")),
    ] {
        let theirs = changed(member, value);
        assert!(!both_know(&theirs, member), "{member}");
    }
}

#[test]
fn our_sidecar_that_shows_its_token_to_others_is_not_ours() {
    let from = json!({"configMapKeyRef": {"name": "theirs", "key": "k"}});
    for (case, theirs) in [
        ("a feed", told(|env| env[FEED]["value"] = json!("theirs:1"))),
        ("an authority", trusting(pem(THEIRS))),
        ("one more", trusting(pem(OURS) + &pem(THEIRS))),
        ("another variable's", trusting(pem(OURS) + "$(THEIRS)")),
        ("none", trusting("text".to_owned())),
        (
            "a token",
            told(|env| env[TOKEN]["value"] = json!("/theirs")),
        ),
        ("twice", told(|env| env.push(env[FEED].clone()))),
        (
            "from elsewhere",
            told(|env| env[FEED] = json!({"name": env[FEED]["name"], "valueFrom": from})),
        ),
    ] {
        assert!(!both_know(&theirs, case), "{case}");
    }
}

#[test]
fn our_sidecar_of_another_version_or_replica_is_ours() {
    let egress = EgressProxy {
        url: "http://proxy.example.com:3128".parse().unwrap(),
        no_proxy: "example.com".to_owned(),
    };
    let ca = |pem: String| InjectSettings {
        ca: pem.into(),
        ..settings()
    };
    for (case, theirs) in [
        (
            "image",
            InjectSettings {
                image: "example.com/credence-sidecar:2@sha256:00".to_owned(),
                ..settings()
            },
        ),
        (
            "egress",
            InjectSettings {
                egress: Some(egress),
                ..settings()
            },
        ),
        ("the next authority", ca(pem(NEXT))),
        ("both authorities", ca(pem(OURS) + &pem(NEXT))),
        ("the other way", ca(pem(NEXT) + "\n" + &pem(OURS))),
    ] {
        assert!(both_know(&given(&theirs), case), "{case}");
    }
}

#[test]
fn what_other_webhooks_change_on_the_sidecar_leaves_it_ours() {
    let mut mounts = sidecar(&given(&settings()))["volumeMounts"].clone();
    let roots = json!({"name": "roots", "mountPath": "/etc/ssl/certs"});
    mounts.as_array_mut().unwrap().push(roots);
    for (case, ours) in [
        ("nothing", given(&settings())),
        (
            "variable",
            told(|env| env.push(json!({"name": "NODE", "value": "$(HOST)"}))),
        ),
        ("order", told(|env| env.reverse())),
        (
            "resources",
            changed("resources", json!({"requests": {"cpu": "50m"}})),
        ),
        ("pull", changed("imagePullPolicy", json!("IfNotPresent"))),
        ("mounts", changed("volumeMounts", mounts)),
    ] {
        assert!(both_know(&ours, case), "{case}");
    }
}
