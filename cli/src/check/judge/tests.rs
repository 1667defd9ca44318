use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::judge;
use crate::check::cluster::{Look, Version};
use crate::check::facts::{DryRun, DryRunOutcome, Facts, Installation, Places, Source};
use crate::check::finding::{Finding, Section, Verdict};
use crate::check::grants::Grants;

const NOW: &str = "2026-06-01T12:00:00Z";

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn micro(text: &str) -> MicroTime {
    MicroTime(text.parse().unwrap())
}

/// A pod with the sidecar that is injected now.
fn pod(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name,
            "labels": {"credence.dev/injected": "true"},
            "annotations": {"credence.dev/status": r#"{"version":"0.1.0","environment":"live","root":"aa"}"#},
        },
        "spec": {
            "containers": [{"name": "app"}],
            "initContainers": [{"name": "credence", "image": "sidecar:1"}],
        },
        "status": {"phase": "Running"},
    })
}

fn collection() -> Value {
    let well = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Well", "message": "", "observedGeneration": 2,
               "lastTransitionTime": NOW})
    };
    let conditions = ["Accepted", "CredentialsResolved", "Programmed", "Ready"].map(well);
    json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
        "metadata": {"name": "openai", "namespace": "shop", "generation": 2},
        "spec": {"baseUrl": "https://api.example.com"},
        "status": {"conditions": conditions},
    })
}

/// An installation with nothing to complain of.
fn well() -> Facts {
    let mut definition = serde_json::to_value(credence_crds::definition()).unwrap();
    definition["status"] = json!({
        "acceptedNames": {"kind": "ApiCollection", "plural": "apicollections"},
        "conditions": [{"type": "Established", "status": "True"}],
    });
    let bundled = |name: &str| {
        json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
               "clientConfig": {"caBundle": "Q0E=", "service": {"name": "credence-webhook", "namespace": "credence-system"}}})
    };
    let webhooks = ["a", "b"].map(bundled);
    let policies = super::policies::KNOWN.map(|(name, _)| name);
    let policy = |name: &str| json!({"metadata": {"name": name}, "spec": {}});
    let binding = |name: &str| json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}});
    Facts {
        now: NOW.parse().unwrap(),
        places: Places {
            operator: "credence-system".to_owned(),
            only: None,
        },
        url: "https://cluster:6443/".to_owned(),
        version: Look::Seen(Version {
            name: "v1.36.3".to_owned(),
            number: Some((1, 36)),
            ahead: Some(0),
        }),
        installation: Some(Installation {
            definitions: vec![(credence_crds::definition(), Look::Seen(read(definition)))],
            deployment: Look::Seen(read(json!({
                "metadata": {"labels": {"app.kubernetes.io/version": env!("CARGO_PKG_VERSION")}},
                "spec": {"replicas": 2, "selector": {}, "template": {}},
                "status": {"availableReplicas": 2},
            }))),
            lease: Look::Seen(read(json!({"metadata": {}, "spec": {
                "holderIdentity": "credence-operator-a", "leaseDurationSeconds": 15,
                "renewTime": micro("2026-06-01T11:59:55Z"),
            }}))),
            lacking: Look::Seen(vec![]),
            rights: 20,
            webhook: Look::Seen(read(json!({"metadata": {}, "webhooks": webhooks}))),
            dry_run: DryRun {
                namespace: "shop".to_owned(),
                outcome: DryRunOutcome::Made(Box::new(read(pod("dry")))),
            },
            certificates: Look::Seen(vec![(
                "credence-operator-a".to_owned(),
                Look::Seen(
                    "2026-08-01T00:00:00Z"
                        .parse::<jiff::Timestamp>()
                        .unwrap()
                        .as_second(),
                ),
            )]),
            policies: Look::Seen(policies.map(policy).map(read).into()),
            policy_bindings: Look::Seen(policies.map(binding).map(read).into()),
            grants: Look::Seen(Grants::default()),
            namespaces: Look::Seen(vec![read(json!({"metadata": {
                "name": "shop",
                "labels": {"credence.dev/inject": "enabled", "credence.dev/environment": "live"},
            }}))]),
            collections: Look::Seen(vec![read(collection())]),
            cluster_collections: Look::Seen(vec![]),
            sources: vec![Source {
                namespace: "shop".to_owned(),
                resource: "secrets",
                collections: ["apicollection/openai".to_owned()].into(),
                readable: Look::Seen(true),
            }],
            unmarked: Look::Seen(vec![]),
            marked: Look::Seen(vec![read(pod("app"))]),
        }),
    }
}

fn complaints(sections: Vec<Section>) -> Vec<Finding> {
    let all = sections.into_iter().flat_map(|section| section.findings);
    all.filter(|finding| finding.verdict != Verdict::Fine)
        .collect()
}

/// What is complained of after one change of an installation that is well:
/// check, verdict, a part of what is said with its hint and details.
#[track_caller]
fn assert_only(
    change: impl FnOnce(&mut Installation),
    check: &str,
    verdict: Verdict,
    said: &[&str],
) {
    let mut facts = well();
    change(facts.installation.as_mut().unwrap());
    assert_one(&facts, check, verdict, said);
}

#[track_caller]
fn assert_one(facts: &Facts, check: &str, verdict: Verdict, said: &[&str]) {
    let found = complaints(judge(facts));
    let [finding] = found.as_slice() else {
        panic!("not one complaint: {found:#?}");
    };
    assert_eq!(
        (finding.check, finding.verdict),
        (check, verdict),
        "{finding:#?}"
    );
    let all = format!(
        "{}\n{}\n{}",
        finding.message,
        finding.details.join("\n"),
        finding.hint
    );
    for part in said {
        assert!(all.contains(part), "not \"{part}\": {finding:#?}");
    }
}

mod running;
mod used;

#[test]
fn an_installation_that_is_well_has_no_complaint() {
    assert_eq!(complaints(judge(&well())), []);
}

#[test]
fn an_api_server_that_does_not_answer_ends_the_questions() {
    let mut facts = well();
    facts.version = Look::Unknown("connection refused".to_owned());
    facts.installation = None;
    assert_one(
        &facts,
        "api-server",
        Verdict::Failure,
        &["connection refused", "--context"],
    );
}

#[test]
fn an_old_kubernetes_and_a_clock_that_is_wrong_are_told() {
    let mut facts = well();
    let Look::Seen(version) = &mut facts.version else {
        unreachable!()
    };
    version.number = Some((1, 32));
    assert_one(
        &facts,
        "kubernetes-version",
        Verdict::Failure,
        &["1.33 or later"],
    );
    for (ahead, said) in [(31, "31 seconds ahead of"), (-600, "600 seconds behind")] {
        let mut facts = well();
        let Look::Seen(version) = &mut facts.version else {
            unreachable!()
        };
        version.ahead = Some(ahead);
        // The Lease is judged by the cluster's clock.
        facts.now -= jiff::SignedDuration::from_secs(ahead);
        assert_one(&facts, "clock", Verdict::Warning, &[said, "NTP"]);
    }
}

#[test]
fn a_definition_is_there_established_and_of_this_version() {
    assert_only(
        |of| of.definitions[0].1 = Look::Absent,
        "definition",
        Verdict::Failure,
        &[
            "apicollections.credence.dev",
            "kubectl apply --server-side -f crds/yaml/apicollections.yaml",
        ],
    );
    assert_only(
        |of| {
            let Look::Seen(seen) = &mut of.definitions[0].1 else {
                unreachable!()
            };
            seen.status = None;
        },
        "definition",
        Verdict::Failure,
        &["not established"],
    );
    assert_only(
        |of| {
            let Look::Seen(seen) = &mut of.definitions[0].1 else {
                unreachable!()
            };
            seen.spec.versions[0].schema = None;
        },
        "definition",
        Verdict::Warning,
        &["another release"],
    );
    assert_only(
        |of| {
            let Look::Seen(seen) = &mut of.definitions[0].1 else {
                unreachable!()
            };
            seen.spec.versions[0].served = false;
        },
        "definition",
        Verdict::Failure,
        &["does not serve v1alpha1"],
    );
}
