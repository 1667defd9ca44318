//! Keeps the Secret of certificates in order, and hands out what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use credence_core::names::ROTATED;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tracing::{info, warn};

use super::authorities::{Authorities, SECRET_TYPE, Trust, request};
use super::ca_bundle::Announced;
use super::names::service_names;
use super::rotation::{Observed, Step, StepError, advance, decide};
use crate::metrics::{Metrics, RootsInUse};
use crate::readiness::{Check, Readiness};
use crate::settings::Settings;
use crate::watches::pods::{Pods, Roots};
use crate::watches::retry::patient;

/// How often the certificates and the pods that trust them are looked at when
/// nothing happens to the Secret.
const LOOK: Duration = Duration::from_secs(30);
/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// What is due is done within this.
const PROMPT: Duration = Duration::from_secs(1);

/// The task's parts.
pub struct Keeper {
    api: Api<Secret>,
    namespace: String,
    name: String,
    services: Vec<String>,
    leader: watch::Receiver<bool>,
    pods: Pods,
    held: watch::Sender<Arc<Authorities>>,
    trust: watch::Sender<Option<Trust>>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

/// By which everyone else sees what is held.
pub struct Outlets {
    /// To serve with, and to give to pods.
    pub held: watch::Receiver<Arc<Authorities>>,
    /// To tell the API servers; none until something is held.
    pub trust: watch::Receiver<Option<Trust>>,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("cannot write the Secret: {0}")]
    Api(#[from] kube::Error),
}

impl Keeper {
    /// The keeper and its outlets.
    pub fn new(
        client: Client,
        settings: &Settings,
        leader: watch::Receiver<bool>,
        pods: Pods,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> (Self, Outlets) {
        let (held, held_by_all) = watch::channel(Arc::default());
        let (trust, to_trust) = watch::channel(None);
        let keeper = Self {
            api: Api::namespaced(client, &settings.namespace),
            namespace: settings.namespace.clone(),
            name: settings.certificates_secret.clone(),
            services: service_names(settings),
            leader,
            pods,
            held,
            trust,
            readiness,
            metrics,
        };
        let outlets = Outlets {
            held: held_by_all,
            trust: to_trust,
        };
        (keeper, outlets)
    }

    /// Watches the Secret for ever.
    pub async fn run(mut self, mut announced: watch::Receiver<Option<Announced>>) {
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
                changed = announced.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wake) => {}
            }
            if let Some(secret) = &found {
                let announced = announced.borrow_and_update().clone();
                wake = self.keep(secret.as_ref(), announced.as_ref()).await;
            }
        }
    }

    /// Takes over what the Secret holds and makes the step that is due; returns
    /// when to look again.
    async fn keep(&self, secret: Option<&Secret>, announced: Option<&Announced>) -> Duration {
        let now = Timestamp::now();
        let authorities = Arc::new(secret.map(|s| self.read(s)).unwrap_or_default());
        self.take_over(&authorities, now);
        let roots = self.pods.roots();
        self.count(&authorities, &roots);
        let next = authorities.next.as_ref();
        let announced = announced.filter(|announced| {
            next.is_some_and(|next| announced.bundle.contains(&next.authority.pem))
        });
        let known = self.readiness.holds(Check::Pods);
        let in_use = roots.into_keys().collect();
        let observed = Observed {
            authorities: &authorities,
            services: &self.services,
            requested: secret.and_then(request).is_some(),
            announced: announced.map(|announced| announced.since),
            in_use: known.then_some(&in_use),
        };
        let step = decide(observed, now);
        if let Step::Keep { until } = step {
            let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            return wait.clamp(PROMPT, LOOK);
        }
        // Anyone may make the first one, since creation is decided by the API
        // server; replacing is the leader's.
        if secret.is_some() && !*self.leader.borrow() {
            return LOOK;
        }
        match self.write(&authorities, &step, secret, now).await {
            Ok(()) => {
                info!(secret = self.name, ?step, "certificates were written");
                LOOK
            }
            Err(WriteError::Api(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                LOOK // Another replica was first; the watch brings its work.
            }
            Err(error) => {
                warn!(secret = self.name, ?step, %error, "certificates cannot be written");
                RETRY
            }
        }
    }

    fn read(&self, secret: &Secret) -> Authorities {
        let (authorities, faults) = Authorities::of_secret(secret);
        for (key, fault) in faults {
            warn!(secret = self.name, key, %fault, "a certificate cannot be used");
        }
        authorities
    }

    /// Creates the Secret, or replaces the one that was read and no other.
    async fn write(
        &self,
        authorities: &Authorities,
        step: &Step,
        secret: Option<&Secret>,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let data = advance(authorities, step, &self.services, now)?.to_data();
        let params = PostParams::default();
        let Some(secret) = secret else {
            let first = Secret {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                },
                type_: Some(SECRET_TYPE.to_owned()),
                data: Some(data),
                ..Secret::default()
            };
            self.api.create(&params, &first).await?;
            return Ok(());
        };
        let mut desired = secret.clone();
        desired.data = Some(data);
        desired.metadata.managed_fields = None;
        if let (Step::Begin(_), Some(request)) = (step, request(secret)) {
            let annotations = desired.annotations_mut();
            annotations.insert(ROTATED.to_owned(), request.to_owned());
        }
        self.api.replace(&self.name, &params, &desired).await?;
        Ok(())
    }

    /// Hands out what can be served. What was held stays as long as the Secret
    /// has nothing better.
    fn take_over(&self, authorities: &Arc<Authorities>, now: Timestamp) {
        let Some(leaf) = authorities.serving(None) else {
            return;
        };
        let changed = self.held.send_if_modified(|current| {
            let changed = current.to_data() != authorities.to_data();
            if changed {
                *current = authorities.clone();
            }
            changed
        });
        let trust = authorities.trust(now);
        self.trust.send_if_modified(|current| {
            let changed = *current != trust;
            *current = trust;
            changed
        });
        if changed {
            self.metrics
                .set_certificate_expiry(leaf.expires.as_second());
            self.readiness.set(Check::Certificates, true);
            let authorities = authorities.all().count();
            info!(expires = %leaf.expires, authorities, "serving with new certificates");
        }
    }

    fn count(&self, authorities: &Authorities, roots: &Roots) {
        let mut in_use = RootsInUse::default();
        let held: BTreeMap<&str, bool> = authorities
            .all()
            .map(|held| held.root.as_str())
            .zip([true].into_iter().chain(std::iter::repeat(false)))
            .collect();
        for (root, pods) in roots {
            *match held.get(root.as_str()) {
                Some(true) => &mut in_use.current,
                Some(false) => &mut in_use.retired,
                None => &mut in_use.unknown,
            } += pods;
        }
        self.metrics.set_roots_in_use(in_use);
    }
}
