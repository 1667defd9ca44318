//! Tells the API server which authority the webhook's certificate is of.
//!
//! The chart renders no `caBundle`; it is owned by a field manager of its own,
//! so that an upgrade of the chart and the operator never disagree about it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use super::Held;
use crate::readiness::{Check, Readiness};
use crate::watches::retry::patient;

/// Owner of `webhooks[*].clientConfig.caBundle`.
const FIELD_MANAGER: &str = "credence-ca-bundle";
/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What is to be done about a configuration.
#[derive(Debug, PartialEq)]
enum Bundles {
    /// Every webhook trusts the authority.
    InPlace,
    /// There is no webhook to say it to.
    NoWebhook,
    /// The patch to apply.
    Missing(Value),
}

/// Keeps the authority's certificate in the configuration of this name.
pub async fn keep(
    client: Client,
    name: String,
    mut held: watch::Receiver<Option<Arc<Held>>>,
    mut leader: watch::Receiver<bool>,
    readiness: Readiness,
) {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = patient(watcher(api.clone(), config));
    let mut found: Option<MutatingWebhookConfiguration> = None;
    let mut listed = None;
    let mut looked = false;
    loop {
        let authority = held
            .borrow_and_update()
            .as_ref()
            .map(|held| held.authority.pem.clone());
        let bundles = match (&found, &authority) {
            (Some(configuration), Some(authority)) => bundles(configuration, authority),
            _ => Bundles::NoWebhook,
        };
        // Somebody who removes the webhook stops injection, not the feed.
        let absent = looked && found.is_none() && authority.is_some();
        readiness.set(Check::CaBundle, bundles == Bundles::InPlace || absent);
        let mut failed = false;
        if let Bundles::Missing(patch) = bundles
            && *leader.borrow_and_update()
        {
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch(&name, &params, &Patch::Apply(&patch)).await {
                Ok(_) => info!(
                    configuration = name,
                    "the API server was told the authority"
                ),
                Err(error) => {
                    failed = true;
                    warn!(configuration = name, %error, "cannot apply caBundle");
                }
            }
        }
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(watcher::Event::Init)) => listed = None,
                Some(Ok(watcher::Event::InitApply(new))) => listed = Some(new),
                Some(Ok(watcher::Event::InitDone)) => {
                    looked = true;
                    found = listed.take();
                    if found.is_none() {
                        warn!(configuration = name, "the webhook configuration does not exist");
                    }
                }
                Some(Ok(watcher::Event::Apply(new))) => found = Some(new),
                Some(Ok(watcher::Event::Delete(_))) => found = None,
                Some(Err(error)) => warn!(configuration = name, %error, "cannot watch the webhook configuration"),
                None => return,
            },
            changed = held.changed() => if changed.is_err() { return },
            changed = leader.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if failed => {}
        }
    }
}

fn bundles(configuration: &MutatingWebhookConfiguration, authority_pem: &str) -> Bundles {
    let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
    if webhooks.is_empty() {
        return Bundles::NoWebhook;
    }
    let wanted = ByteString(authority_pem.as_bytes().to_vec());
    if webhooks
        .iter()
        .all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&wanted))
    {
        return Bundles::InPlace;
    }
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": wanted}}))
        .collect();
    Bundles::Missing(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": configuration.metadata.name},
        "webhooks": webhooks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(bundles: &[Option<&str>]) -> MutatingWebhookConfiguration {
        let webhooks: Vec<Value> = bundles
            .iter()
            .enumerate()
            .map(|(index, bundle)| {
                let mut webhook = json!({
                    "name": format!("w{index}.credence.dev"),
                    "clientConfig": {},
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                });
                if let Some(bundle) = bundle {
                    webhook["clientConfig"]["caBundle"] =
                        json!(ByteString(bundle.as_bytes().to_vec()));
                }
                webhook
            })
            .collect();
        serde_json::from_value(json!({"metadata": {"name": "c"}, "webhooks": webhooks})).unwrap()
    }

    #[test]
    fn a_bundle_in_every_webhook_needs_nothing() {
        assert_eq!(
            bundles(&configuration(&[Some("CA"), Some("CA")]), "CA"),
            Bundles::InPlace
        );
    }

    #[test]
    fn one_webhook_with_another_bundle_applies_all_of_them() {
        let Bundles::Missing(patch) = bundles(&configuration(&[Some("CA"), None]), "CA") else {
            panic!("nothing to apply");
        };
        assert_eq!(
            patch["webhooks"],
            json!([
                {"name": "w0.credence.dev", "clientConfig": {"caBundle": "Q0E="}},
                {"name": "w1.credence.dev", "clientConfig": {"caBundle": "Q0E="}},
            ])
        );
    }

    #[test]
    fn without_webhooks_there_is_nothing_to_say() {
        assert_eq!(bundles(&configuration(&[]), "CA"), Bundles::NoWebhook);
    }
}
