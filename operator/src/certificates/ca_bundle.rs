//! Tells the API servers which authorities the webhook's certificate may be of.
//!
//! The chart renders no `caBundle`; it is owned by a field manager of its own,
//! so that an upgrade of the chart and the operator never disagree about it.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use super::authorities::Trust;
use crate::readiness::{Check, Readiness};
use crate::watches::retry::patient;

/// Owner of `webhooks[*].clientConfig.caBundle`.
const FIELD_MANAGER: &str = "credence-ca-bundle";
/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What is to be done about a configuration.
#[derive(Debug, PartialEq)]
enum Bundles {
    /// Every webhook trusts what it should.
    InPlace,
    /// There is no webhook to say it to.
    NoWebhook,
    /// The patch to apply.
    Missing(Value),
}

/// What the API servers are known to have been told.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The PEM of all authorities.
    pub bundle: String,
    /// When that was first seen.
    pub since: Timestamp,
}

/// The configuration, and who keeps it.
pub struct CaBundle {
    /// For the patch.
    pub client: Client,
    /// Name of the configuration.
    pub name: String,
    /// What API servers are to know.
    pub trust: watch::Receiver<Option<Trust>>,
    /// Whether this replica says it.
    pub leader: watch::Receiver<bool>,
    /// Whether it was said.
    pub announced: watch::Sender<Option<Announced>>,
    /// Whether the webhook's certificate is trusted.
    pub readiness: Readiness,
}

impl CaBundle {
    /// Keeps the configuration for ever.
    pub async fn keep(mut self) {
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut events = patient(watcher(api.clone(), config));
        let mut found: Option<MutatingWebhookConfiguration> = None;
        let mut listed = None;
        let mut looked = false;
        loop {
            let trust = self.trust.borrow_and_update().clone();
            let mut failed = false;
            if let Some(trust) = trust.filter(|_| looked) {
                let bundles = found
                    .as_ref()
                    .map_or(Bundles::NoWebhook, |found| bundles(found, &trust.bundle));
                // Somebody who removes the webhook stops injection, not the feed.
                let trusted = found
                    .as_ref()
                    .is_none_or(|found| trusts(found, &trust.serving));
                self.readiness.set(Check::CaBundle, trusted);
                let leads = *self.leader.borrow_and_update();
                match bundles {
                    Bundles::InPlace | Bundles::NoWebhook => self.announce(trust.bundle),
                    Bundles::Missing(patch) => {
                        self.announced.send_replace(None);
                        failed = leads && !self.apply(&api, &patch).await;
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
                            warn!(configuration = self.name, "the webhook configuration does not exist");
                        }
                    }
                    Some(Ok(watcher::Event::Apply(new))) => found = Some(new),
                    Some(Ok(watcher::Event::Delete(_))) => found = None,
                    Some(Err(error)) => {
                        warn!(configuration = self.name, %error, "cannot watch the webhook configuration");
                    }
                    None => return,
                },
                changed = self.trust.changed() => if changed.is_err() { return },
                changed = self.leader.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(RETRY), if failed => {}
            }
        }
    }

    /// Says when this bundle was first seen in place.
    fn announce(&self, bundle: String) {
        self.announced.send_if_modified(|announced| {
            let changed = announced.as_ref().is_none_or(|a| a.bundle != bundle);
            if changed {
                let since = Timestamp::now();
                *announced = Some(Announced { bundle, since });
            }
            changed
        });
    }

    async fn apply(&self, api: &Api<MutatingWebhookConfiguration>, patch: &Value) -> bool {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch(&self.name, &params, &Patch::Apply(patch)).await {
            Ok(_) => {
                info!(
                    configuration = self.name,
                    "the API server was told the authorities"
                );
                true
            }
            Err(error) => {
                warn!(configuration = self.name, %error, "cannot apply caBundle");
                false
            }
        }
    }
}

/// Whether every webhook trusts the authority that it is served by.
fn trusts(configuration: &MutatingWebhookConfiguration, serving_pem: &str) -> bool {
    let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
    !webhooks.is_empty()
        && webhooks.iter().all(|webhook| {
            let bundle = webhook.client_config.ca_bundle.as_ref();
            let text = bundle.and_then(|bundle| std::str::from_utf8(&bundle.0).ok());
            text.is_some_and(|text| text.contains(serving_pem))
        })
}

fn bundles(configuration: &MutatingWebhookConfiguration, bundle: &str) -> Bundles {
    let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
    if webhooks.is_empty() {
        return Bundles::NoWebhook;
    }
    let wanted = ByteString(bundle.as_bytes().to_vec());
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
    fn more_than_the_serving_authority_may_be_trusted_but_not_less() {
        for (found, trusted) in [
            (&[Some("OLD NEW"), Some("NEW")][..], true),
            (&[Some("OLD NEW"), Some("OLD")], false),
            (&[Some("NEW"), None], false),
            (&[], false),
        ] {
            assert_eq!(trusts(&configuration(found), "NEW"), trusted, "{found:?}");
        }
    }

    #[test]
    fn without_webhooks_there_is_nothing_to_say() {
        assert_eq!(bundles(&configuration(&[]), "CA"), Bundles::NoWebhook);
    }
}
