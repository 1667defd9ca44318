//! The rules that the API server itself keeps.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::ResourceExt as _;

use crate::check::cluster::Look;
use crate::check::facts::Installation;
use crate::check::finding::Finding;

/// What the chart installs unless it is told not to, and what happens without.
pub(super) const KNOWN: [(&str, &str); 5] = [
    (
        "credence-environment",
        "whoever may label a namespace can make it live",
    ),
    (
        "credence-references",
        "whoever may write a collection can send a Secret that he may not read to a host of his own",
    ),
    (
        "credence-sidecar-token",
        "another container of a pod can be given the sidecar's token",
    ),
    (
        "credence-token-requests",
        "whoever may make tokens of a ServiceAccount can be given a bundle",
    ),
    (
        "credence-injected-pods",
        "a pod that asks for a sidecar can be created without one",
    ),
];

pub(super) fn judge(found: &Installation) -> Vec<Finding> {
    let check = "policies";
    let (policies, bindings) = match (&found.policies, &found.policy_bindings) {
        (Look::Seen(policies), Look::Seen(bindings)) => (policies, bindings),
        (Look::Unknown(why), _) | (_, Look::Unknown(why)) => {
            return vec![Finding::unknown(check, "which policies are in force", why)];
        }
        (Look::Absent, _) | (_, Look::Absent) => {
            return vec![Finding::failure(
                check,
                "the API server knows no ValidatingAdmissionPolicy",
                "admissionregistration.k8s.io/v1 must be enabled: without it nothing guards the environment of a namespace",
            )];
        }
    };
    let mut findings = Vec::new();
    let mut enforced = Vec::new();
    for policy in policies {
        let name = policy.name_any();
        let denies = bindings
            .iter()
            .filter_map(|binding| binding.spec.as_ref())
            .any(|spec| {
                let actions = spec.validation_actions.as_deref().unwrap_or_default();
                spec.policy_name.as_deref() == Some(name.as_str())
                    && actions.iter().any(|action| action == "Deny")
            });
        let warnings = warnings(policy);
        if !warnings.is_empty() {
            let message = format!("the policy {name} does not fit this API server:");
            let hint = "tell us, with the version of Kubernetes: an expression that fails refuses every request it is asked about";
            findings.push(Finding::failure(check, message, hint).about(warnings));
        } else if denies {
            enforced.push(name);
        } else {
            let message = format!("the policy {name} is not bound, so that it refuses nothing");
            findings.push(Finding::failure(
                check,
                message,
                "helm upgrade makes its ValidatingAdmissionPolicyBinding",
            ));
        }
    }
    for (name, without) in KNOWN {
        if !policies.iter().any(|policy| policy.name_any() == name) {
            findings.push(Finding::warning(
                check,
                format!("the policy {name} is not installed: {without}"),
                "helm upgrade installs it, unless a value says not to",
            ));
        }
    }
    if !enforced.is_empty() {
        enforced.sort();
        let message = format!("in force: {}", enforced.join(", "));
        findings.insert(0, Finding::fine(check, message));
    }
    findings
}

/// What the API server said about the types in a policy's expressions.
fn warnings(policy: &ValidatingAdmissionPolicy) -> Vec<String> {
    let checking = policy
        .status
        .as_ref()
        .and_then(|status| status.type_checking.as_ref());
    let warnings = checking.and_then(|checking| checking.expression_warnings.as_deref());
    let told = warnings.unwrap_or_default().iter();
    told.map(|warning| format!("{}: {}", warning.field_ref, warning.warning.trim()))
        .collect()
}
