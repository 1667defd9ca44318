//! Every replica knows every token: from the Secrets that they are kept in.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tracing::warn;

use super::state_secret;
use crate::catalogue::{Catalogue, Kept};
use crate::watches::retry::patient;

/// Follows the Secrets of the operator's namespace for ever.
pub async fn follow(client: Client, namespace: String, catalogue: Arc<Catalogue>) {
    let api: Api<Secret> = Api::namespaced(client, &namespace);
    let config = watcher::Config::default().labels(state_secret::LABEL);
    let events = patient(watcher(api, config)).modify(|secret| {
        secret.metadata.managed_fields = None;
    });
    let mut events = pin!(events);
    let mut listed = BTreeSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Init)) => listed.clear(),
            Ok(Some(watcher::Event::InitApply(secret))) => {
                listed.extend(apply(&catalogue, &secret));
            }
            Ok(Some(watcher::Event::InitDone)) => catalogue.retain_records(&listed),
            Ok(Some(watcher::Event::Apply(secret))) => {
                apply(&catalogue, &secret);
            }
            Ok(Some(watcher::Event::Delete(secret))) => {
                catalogue.set_record(&secret.name_any(), None);
            }
            Ok(None) => return,
            Err(error) => warn!(%error, "cannot watch the state of tokens"),
        }
    }
}

/// Takes over what a Secret holds; its name, if it is one of a token.
fn apply(catalogue: &Catalogue, secret: &Secret) -> Option<String> {
    let name = secret.name_any();
    let of = state_secret::owner(secret)?;
    match state_secret::record(secret) {
        Ok(record) => {
            let record = Arc::new(record);
            catalogue.set_record(&name, Some(Kept { of, record }));
        }
        // It may be of a later version: what is known stays in use.
        Err(error) => warn!(secret = name, %error, "the state of a token cannot be read"),
    }
    Some(name)
}
