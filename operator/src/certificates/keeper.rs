//! Keeps the Secret of certificates in order, and hands out what it holds.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tracing::{info, warn};

use super::authority::{self, MintError};
use super::held::Held;
use super::names::service_names;
use super::renewal::{Renewal, decide};
use crate::metrics::Metrics;
use crate::readiness::{Check, Readiness};
use crate::settings::Settings;
use crate::watches::retry::patient;

/// How often the certificates are looked at when nothing happens to them, and
/// how soon a failed write is tried again.
const LOOK: Duration = Duration::from_secs(60 * 60);
const RETRY: Duration = Duration::from_secs(5);

/// The task's parts.
pub struct Keeper {
    api: Api<Secret>,
    namespace: String,
    name: String,
    services: Vec<String>,
    leader: watch::Receiver<bool>,
    held: watch::Sender<Option<Arc<Held>>>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error("cannot write the Secret: {0}")]
    Api(#[from] kube::Error),
    #[error("what was just made cannot be used: {0}")]
    Unusable(#[from] super::held::Unusable),
}

impl Keeper {
    /// The keeper and the channel by which everyone else sees what is held.
    pub fn new(
        client: Client,
        settings: &Settings,
        leader: watch::Receiver<bool>,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> (Self, watch::Receiver<Option<Arc<Held>>>) {
        let (held, receiver) = watch::channel(None);
        let keeper = Self {
            api: Api::namespaced(client, &settings.namespace),
            namespace: settings.namespace.clone(),
            name: settings.certificates_secret.clone(),
            services: service_names(settings),
            leader,
            held,
            readiness,
            metrics,
        };
        (keeper, receiver)
    }

    /// Watches the Secret for ever.
    pub async fn run(mut self) {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut events = patient(watcher(self.api.clone(), config));
        // `None` until the first listing said whether there is one.
        let mut found: Option<Option<Secret>> = None;
        let mut listed = None;
        let mut wake = LOOK;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(watcher::Event::Init)) => listed = None,
                    Some(Ok(watcher::Event::InitApply(secret))) => listed = Some(secret),
                    Some(Ok(watcher::Event::InitDone)) => found = Some(listed.take()),
                    Some(Ok(watcher::Event::Apply(secret))) => found = Some(Some(secret)),
                    Some(Ok(watcher::Event::Delete(_))) => found = Some(None),
                    Some(Err(error)) => warn!(%error, "cannot watch the certificates"),
                    None => return,
                },
                changed = self.leader.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wake) => {}
            }
            if let Some(secret) = &found {
                wake = self.keep(secret.as_ref()).await;
            }
        }
    }

    /// Takes over what the Secret holds and renews it if that is due; returns
    /// when to look again.
    async fn keep(&self, secret: Option<&Secret>) -> Duration {
        let usable = secret.and_then(|secret| match Held::of_secret(secret) {
            Ok(held) => Some(Arc::new(held)),
            Err(error) => {
                warn!(secret = self.name, %error, "the certificates cannot be used");
                None
            }
        });
        if let Some(held) = &usable {
            self.take_over(held);
        }
        let renewal = decide(usable.as_deref(), &self.services, Timestamp::now());
        let reason = match renewal {
            Renewal::Keep { .. } => return LOOK,
            Renewal::Leaf(reason) | Renewal::Everything(reason) => reason,
        };
        // Anyone may make the first one, since creation is decided by the API
        // server; replacing is the leader's.
        if secret.is_some() && !*self.leader.borrow() {
            return LOOK;
        }
        let old = usable.filter(|_| matches!(renewal, Renewal::Leaf(_)));
        match self.renew(old.as_deref(), secret).await {
            Ok(()) => {
                info!(
                    secret = self.name,
                    reason,
                    ?renewal,
                    "certificates were made"
                );
                LOOK
            }
            Err(WriteError::Api(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                LOOK // Another replica was first; the watch brings its work.
            }
            Err(error) => {
                warn!(secret = self.name, reason, %error, "certificates cannot be renewed");
                RETRY
            }
        }
    }

    async fn renew(&self, old: Option<&Held>, secret: Option<&Secret>) -> Result<(), WriteError> {
        let now = Timestamp::now();
        let authority = match old {
            Some(held) => held.authority.clone(),
            None => authority::authority(now)?,
        };
        let leaf = authority::leaf(&authority, &self.services, now)?;
        let mut desired = Held::of_pairs(authority, leaf)?.to_secret(&self.namespace, &self.name);
        match secret {
            None => self.api.create(&PostParams::default(), &desired).await?,
            Some(secret) => {
                desired.metadata.resource_version = secret.resource_version();
                desired.metadata.labels.clone_from(&secret.metadata.labels);
                desired
                    .metadata
                    .annotations
                    .clone_from(&secret.metadata.annotations);
                // The type of a Secret cannot change.
                desired.type_.clone_from(&secret.type_);
                self.api
                    .replace(&self.name, &PostParams::default(), &desired)
                    .await?
            }
        };
        Ok(())
    }

    fn take_over(&self, held: &Arc<Held>) {
        let changed = self.held.send_if_modified(|current| {
            let same = current.as_ref().is_some_and(|current| {
                current.leaf.pem == held.leaf.pem && current.authority.pem == held.authority.pem
            });
            if !same {
                *current = Some(held.clone());
            }
            !same
        });
        if changed {
            self.metrics
                .set_certificate_expiry(held.leaf_expires.as_second());
            self.readiness.set(Check::Certificates, true);
            info!(expires = %held.leaf_expires, "serving with a new certificate");
        }
    }
}
