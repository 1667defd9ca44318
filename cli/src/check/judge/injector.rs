//! Whether new pods get their sidecar.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;

use super::pods::sidecar;
use super::unknown;
use crate::check::cluster::Look;
use crate::check::facts::{DryRunOutcome, Installation, Places};
use crate::check::finding::Finding;

pub(super) fn judge(places: &Places, found: &Installation) -> Vec<Finding> {
    let configuration = configuration(places, &found.webhook);
    vec![configuration, dry_run(places, found)]
}

fn configuration(places: &Places, seen: &Look<MutatingWebhookConfiguration>) -> Finding {
    let check = "webhook-configuration";
    let configuration = match seen {
        Look::Seen(configuration) => configuration,
        Look::Absent => {
            return Finding::failure(
                check,
                "there is no MutatingWebhookConfiguration credence-injector: no pod gets a sidecar",
                "helm upgrade --install makes it",
            );
        }
        Look::Unknown(why) => {
            return unknown(check, "the webhook configuration", why, places);
        }
    };
    let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
    let elsewhere = webhooks.iter().find_map(|webhook| {
        let service = webhook.client_config.service.as_ref()?;
        (service.namespace != places.operator).then_some(&service.namespace)
    });
    let without: Vec<String> = webhooks
        .iter()
        .filter(|webhook| {
            let bundle = webhook.client_config.ca_bundle.as_ref();
            bundle.is_none_or(|bundle| bundle.0.is_empty())
        })
        .map(|webhook| webhook.name.clone())
        .collect();
    if webhooks.is_empty() {
        Finding::failure(
            check,
            "the webhook configuration credence-injector has no webhook: no pod gets a sidecar",
            "helm upgrade puts it right",
        )
    } else if let Some(namespace) = elsewhere {
        Finding::failure(
            check,
            format!(
                "the webhook configuration calls the operator in namespace {namespace}, not in {}",
                places.operator
            ),
            format!(
                "name it with --operator-namespace {namespace}; one cluster has one installation"
            ),
        )
    } else if !without.is_empty() {
        Finding::failure(
            check,
            "the webhook configuration has no caBundle, so that the API server cannot trust the injector:",
            format!(
                "the operator writes it when it leads; what keeps it from that is in its log:\n\
                 kubectl --namespace {} logs -l app.kubernetes.io/name=credence-operator --prefix",
                places.operator
            ),
        )
        .about(without)
    } else {
        Finding::fine(check, "the webhook configuration has a caBundle")
    }
}

fn dry_run(places: &Places, found: &Installation) -> Finding {
    let check = "injection";
    let namespace = &found.dry_run.namespace;
    match &found.dry_run.outcome {
        DryRunOutcome::Made(pod) if sidecar(pod).is_some() => Finding::fine(
            check,
            format!("a pod that asks for a sidecar gets one (dry run in namespace {namespace})"),
        ),
        DryRunOutcome::Made(_) => Finding::failure(
            check,
            format!("a pod that asks for a sidecar gets none (dry run in namespace {namespace})"),
            "the webhook configuration leaves it out: helm upgrade puts its selectors right",
        ),
        DryRunOutcome::Broken(why) => Finding::failure(
            check,
            format!("a pod that asks for a sidecar cannot be created: {why}"),
            format!(
                "the API server must reach the Service credence-webhook in namespace {0}, port 443 (8443 at the pods):\n\
                 kubectl --namespace {0} get endpointslices -l kubernetes.io/service-name=credence-webhook\n\
                 then look at NetworkPolicies, and at firewalls between control plane and nodes",
                places.operator
            ),
        ),
        DryRunOutcome::Refused(why) => Finding::warning(
            check,
            format!(
                "whether a pod gets its sidecar is not known, as this one is refused in namespace {namespace}: {why}"
            ),
            "try another namespace with --namespace, or a user who may create pods there",
        ),
    }
}
