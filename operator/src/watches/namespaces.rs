//! The environment and the labels of each namespace.

use std::sync::Arc;

use credence_core::{Environment, names};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, ObjectReference};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tracing::{info, warn};

use super::marker::Marker;
use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::catalogue::{self, Catalogue};
use crate::events::{Announcer, Happening, Severity};
use crate::readiness::{Check, Readiness};

impl From<Marker<Namespace>> for catalogue::Namespace {
    fn from(namespace: Marker<Namespace>) -> Self {
        let labels = namespace.labels();
        let environment = labels.get(names::ENVIRONMENT).map(String::as_str);
        Self {
            environment: Environment::of_label(environment),
            labels: labels.clone(),
        }
    }
}

/// In the namespace itself, where its users look.
fn changed(namespace: &str, before: Environment, after: Environment) -> Happening {
    Happening {
        regarding: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Namespace".to_owned()),
            name: Some(namespace.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectReference::default()
        },
        severity: Severity::Normal,
        reason: "EnvironmentChanged".into(),
        action: "Watch",
        note: format!(
            "The namespace was {before} and is {after} now: its pods are given the {after} \
             credentials of each collection."
        ),
    }
}

/// All namespaces, by name.
#[derive(Clone, Debug, Default)]
pub struct Namespaces(Arc<Mirror<catalogue::Namespace>>);

impl Namespaces {
    /// The environment of a namespace; none if the watch has not shown it.
    pub fn environment(&self, namespace: &str) -> Option<Environment> {
        self.0
            .get(&(String::new(), namespace.to_owned()))
            .map(|namespace| namespace.environment)
    }

    /// Watches for ever. A changed environment or label is in the catalogue, and
    /// with it at the sidecars, before anything is planned for it.
    pub async fn follow(
        self,
        client: Client,
        catalogue: Arc<Catalogue>,
        readiness: Readiness,
        announcer: Announcer,
    ) {
        let api: Api<Marker<Namespace>> = Api::all(client);
        let mut events = patient(watcher(api, watcher::Config::default()));
        let mut listing = Listing::default();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    warn!(%error, "cannot watch namespaces");
                    continue;
                }
            };
            let listed = matches!(event, watcher::Event::InitDone);
            for change in self.0.apply(event, &mut listing) {
                let (_, namespace) = change.key;
                if let (Some(before), Some(after)) = (&change.before, &change.after) {
                    let (before, after) = (before.environment, after.environment);
                    if before != after {
                        info!(audit = "environment", namespace, %before, %after, "a namespace changed its environment");
                        announcer.tell(changed(&namespace, before, after));
                    }
                }
                let after = change.after.map(Arc::unwrap_or_clone);
                catalogue.set_namespace(&namespace, after);
            }
            if listed {
                catalogue.namespaces_listed();
                readiness.set(Check::Namespaces, true);
            }
        }
    }
}
