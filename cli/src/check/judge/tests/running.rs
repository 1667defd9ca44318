//! The operator, the injector and the policies.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_operator_runs_twice_in_this_version() {
    fn deployment(change: impl Fn(&mut Value)) -> impl FnOnce(&mut Installation) {
        move |of| {
            let mut value = serde_json::to_value(of.deployment.seen().unwrap()).unwrap();
            change(&mut value);
            of.deployment = Look::Seen(read(value));
        }
    }
    assert_only(
        |of| of.deployment = Look::Absent,
        "operator",
        Verdict::Failure,
        &["helm install", "--operator-namespace"],
    );
    assert_only(
        deployment(|value| value["status"] = json!({})),
        "operator",
        Verdict::Failure,
        &["does not run", "describe pods"],
    );
    assert_only(
        deployment(|value| value["status"]["availableReplicas"] = 1.into()),
        "operator",
        Verdict::Warning,
        &["1 of 2 replicas"],
    );
    assert_only(
        deployment(|value| {
            value["spec"]["replicas"] = 1.into();
            value["status"]["availableReplicas"] = 1.into();
        }),
        "operator",
        Verdict::Warning,
        &["operator.replicas=2"],
    );
    assert_only(
        deployment(|value| {
            value["metadata"]["labels"]["app.kubernetes.io/version"] = "9.9.9".into()
        }),
        "operator-version",
        Verdict::Warning,
        &["9.9.9", "same release"],
    );
}

#[test]
fn somebody_leads() {
    assert_only(
        |of| of.lease = Look::Absent,
        "operator-leader",
        Verdict::Failure,
        &["no Lease"],
    );
    assert_only(
        |of| {
            let Look::Seen(lease) = &mut of.lease else {
                unreachable!()
            };
            lease.spec.as_mut().unwrap().holder_identity = None;
        },
        "operator-leader",
        Verdict::Failure,
        &["nobody holds"],
    );
    assert_only(
        |of| {
            let Look::Seen(lease) = &mut of.lease else {
                unreachable!()
            };
            lease.spec.as_mut().unwrap().renew_time = Some(micro("2026-06-01T11:58:00Z"));
        },
        "operator-leader",
        Verdict::Failure,
        &["credence-operator-a", "nobody writes status"],
    );
}

#[test]
fn rights_that_the_operator_lacks_are_named() {
    assert_only(
        |of| {
            of.lacking = Look::Seen(vec![ResourceAttributes {
                group: Some("credence.dev".to_owned()),
                resource: Some("apicollections".to_owned()),
                subresource: Some("status".to_owned()),
                verb: Some("patch".to_owned()),
                ..ResourceAttributes::default()
            }]);
        },
        "operator-rights",
        Verdict::Failure,
        &["patch apicollections.credence.dev/status", "helm upgrade"],
    );
    assert_only(
        |of| of.lacking = Look::Unknown("you may not".to_owned()),
        "operator-rights",
        Verdict::Warning,
        &["you may not", "--namespace"],
    );
}

#[test]
fn a_certificate_is_renewed_in_time() {
    fn until(day: &str) -> impl FnOnce(&mut Installation) {
        let end = day.parse::<jiff::Timestamp>().unwrap().as_second();
        move |of| of.certificates = Look::Seen(vec![("a".to_owned(), Look::Seen(end))])
    }
    let check = "serving-certificate";
    assert_only(
        until("2026-05-30T00:00:00Z"),
        check,
        Verdict::Failure,
        &["expired on 2026-05-30", "logs a"],
    );
    assert_only(
        until("2026-06-20T00:00:00Z"),
        check,
        Verdict::Warning,
        &["2026-06-20"],
    );
    assert_only(
        until("1970-01-01T00:00:00Z"),
        check,
        Verdict::Failure,
        &["no certificate"],
    );
    assert_only(
        |of| {
            of.certificates =
                Look::Seen(vec![("a".to_owned(), Look::Unknown("no route".to_owned()))])
        },
        check,
        Verdict::Warning,
        &["no route"],
    );
}

#[test]
fn the_api_server_is_told_whom_to_call_and_whom_to_trust() {
    fn webhook(pointer: &'static str, value: Value) -> impl FnOnce(&mut Installation) {
        move |of| {
            let mut configuration = serde_json::to_value(of.webhook.seen().unwrap()).unwrap();
            *configuration.pointer_mut(pointer).unwrap() = value;
            of.webhook = Look::Seen(read(configuration));
        }
    }
    let check = "webhook-configuration";
    assert_only(
        |of| of.webhook = Look::Absent,
        check,
        Verdict::Failure,
        &["no pod gets a sidecar"],
    );
    assert_only(
        webhook("/webhooks", json!([])),
        check,
        Verdict::Failure,
        &["no webhook"],
    );
    assert_only(
        webhook("/webhooks/1/clientConfig/caBundle", "".into()),
        check,
        Verdict::Failure,
        &["caBundle", "logs -l"],
    );
    assert_only(
        webhook(
            "/webhooks/0/clientConfig/service/namespace",
            "elsewhere".into(),
        ),
        check,
        Verdict::Failure,
        &["--operator-namespace elsewhere"],
    );
}

#[test]
fn what_became_of_the_dry_run_is_told() {
    fn outcome(outcome: DryRunOutcome) -> impl FnOnce(&mut Installation) {
        move |of| {
            // Without a fresh sidecar there is nothing to compare with.
            of.marked = Look::Absent;
            of.dry_run.outcome = outcome;
        }
    }
    let bare = read::<Pod>(json!({"metadata": {}, "spec": {"containers": []}}));
    assert_only(
        outcome(DryRunOutcome::Made(Box::new(bare))),
        "injection",
        Verdict::Failure,
        &["gets none"],
    );
    assert_only(
        outcome(DryRunOutcome::Broken(
            "failed calling webhook: connection refused".to_owned(),
        )),
        "injection",
        Verdict::Failure,
        &[
            "connection refused",
            "Service credence-webhook",
            "NetworkPolicies",
        ],
    );
    assert_only(
        outcome(DryRunOutcome::Refused("exceeded quota".to_owned())),
        "injection",
        Verdict::Warning,
        &["exceeded quota", "--namespace"],
    );
}

#[test]
fn policies_are_there_bound_and_understood() {
    let (name, without) = crate::check::judge::policies::KNOWN[0];
    assert_only(
        |of| {
            let Look::Seen(policies) = &mut of.policies else {
                unreachable!()
            };
            policies.retain(|policy| policy.metadata.name.as_deref() != Some(name));
        },
        "policies",
        Verdict::Warning,
        &[name, without],
    );
    assert_only(
        |of| {
            let Look::Seen(bindings) = &mut of.policy_bindings else {
                unreachable!()
            };
            bindings.retain(|binding| binding.metadata.name.as_deref() != Some(name));
        },
        "policies",
        Verdict::Failure,
        &[name, "not bound"],
    );
    assert_only(
        |of| {
            let Look::Seen(policies) = &mut of.policies else {
                unreachable!()
            };
            policies[0] = read(json!({
                "metadata": {"name": name}, "spec": {},
                "status": {"typeChecking": {"expressionWarnings": [
                    {"fieldRef": "spec.validations[0].expression", "warning": "undefined field\n"}]}},
            }));
        },
        "policies",
        Verdict::Failure,
        &["spec.validations[0].expression: undefined field"],
    );
}
