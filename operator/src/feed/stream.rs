//! One stream of bundles, as the body of a response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credence_core::bundle::{Bundle, Tokens};
use credence_core::wire::Event;
use credence_core::{CollectionName, Environment};
use futures::stream::unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info, warn};

use super::consumer::{Consumer, admit};
use super::identity::Identity;
use super::issue::{Issue, issue, nothing};
use super::refusal::Refusal;
use super::streams::Registration;
use crate::catalogue::Shelf;
use crate::random;
use crate::server::Body;
use crate::shutdown::{SPREAD, Shutdown};
use crate::watches::pods::{InjectedPod, Pods};

/// Silence after which a ping is sent.
const PING: Duration = Duration::from_secs(15);
/// Changes that come together, as those of all collections that name one
/// Secret, are sent together: after this much quiet, and this much time at the
/// latest.
const QUIET: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_millis(200);
/// For the API server to say whether a pod is there: less than a sidecar goes
/// without a ping.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest and the longest life of a stream: 45 minutes ± 10 %. Then the
/// pod is authenticated again, maybe by another replica.
const MIN_AGE: Duration = Duration::from_millis(2_430_000);
const AGE_SPREAD: Duration = Duration::from_millis(540_000);

/// Everything that a stream looks at.
pub struct Stream {
    identity: Identity,
    /// As it was when the stream began.
    pod: Arc<InjectedPod>,
    pods: Pods,
    sidecar_image: Arc<str>,
    shelf: watch::Receiver<Arc<Shelf>>,
    registration: Registration,
    shutdown: Shutdown,
    id: Arc<str>,
    ends: Instant,
    max_age: Duration,
    /// Whether the watch has shown the pod: then it also shows its end.
    seen: bool,
    /// Of the namespace, when the shelf was last looked at.
    environment: Option<Environment>,
    sent: Option<Issue>,
    phase: Phase,
}

#[derive(PartialEq, Eq)]
enum Phase {
    /// Nothing was sent.
    New,
    /// Bundles are.
    Following,
    /// The pod may not have anything any more; all that is left is to say so.
    Over,
}

/// What a stream is made of.
pub struct Parts {
    /// Who asked.
    pub identity: Identity,
    /// Its pod.
    pub pod: Arc<InjectedPod>,
    /// All pods.
    pub pods: Pods,
    /// The operator's `--sidecar-image`.
    pub sidecar_image: Arc<str>,
    /// Of the identity's namespace.
    pub shelf: watch::Receiver<Arc<Shelf>>,
    /// Of this stream.
    pub registration: Registration,
    /// Of this process.
    pub shutdown: Shutdown,
    /// Name of the stream.
    pub id: Arc<str>,
}

/// The body that a sidecar reads.
pub fn body(parts: Parts) -> Body {
    let max_age = MIN_AGE + random::up_to(AGE_SPREAD);
    let stream = Stream {
        identity: parts.identity,
        pod: parts.pod,
        pods: parts.pods,
        sidecar_image: parts.sidecar_image,
        shelf: parts.shelf,
        registration: parts.registration,
        shutdown: parts.shutdown,
        id: parts.id,
        ends: Instant::now() + max_age,
        max_age,
        seen: false,
        environment: None,
        sent: None,
        phase: Phase::New,
    };
    let frames = unfold(stream, |mut stream| async move {
        let line = stream.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), stream))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Stream {
    /// The next line; none at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        match self.phase {
            Phase::New => {
                self.phase = Phase::Following;
                let max_age_seconds = u32::try_from(self.max_age.as_secs()).unwrap_or(u32::MAX);
                return encode(&Event::Hello {
                    stream: self.id.to_string(),
                    max_age_seconds,
                });
            }
            Phase::Following => {}
            Phase::Over => return None,
        }
        let ping = Instant::now() + PING;
        loop {
            if let Some(line) = self.bundle().await {
                return Some(line);
            }
            if self.phase == Phase::Over {
                return None;
            }
            // Not every change of a pod is told, but all of them are seen here.
            if Instant::now() >= ping {
                return encode(&Event::Ping);
            }
            tokio::select! {
                changed = self.shelf.changed() => {
                    changed.ok()?;
                    self.settle().await;
                }
                () = sleep_until(ping) => {}
                () = sleep_until(self.ends) => return None,
                () = self.shutdown.draining() => {
                    tokio::time::sleep(random::up_to(SPREAD)).await;
                    return None;
                }
            }
        }
    }

    /// Waits for what comes with a change; not when the namespace became
    /// another one, since what it had must go at once.
    async fn settle(&mut self) {
        let latest = Instant::now() + LATEST;
        while self.shelf.borrow_and_update().environment() == self.environment
            && Instant::now() < latest
        {
            match timeout(QUIET, self.shelf.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// The line with the bundle, if it is not the one that was sent last.
    async fn bundle(&mut self) -> Option<Bytes> {
        let shelf = self.shelf.borrow_and_update().clone();
        self.environment = shelf.environment();
        let pod = match self.pod() {
            Some(pod) => pod,
            None => self.missed().await?,
        };
        let issue = match self.consumer(&pod, &shelf) {
            Ok(consumer) => issue(&shelf, &consumer, self.sent.is_none(), Timestamp::now())?,
            Err(refusal) => {
                self.end(refusal);
                nothing(shelf.environment().unwrap_or(Environment::Development))
            }
        };
        if let Some(sent) = &mut self.sent
            && sent.bundle.revision == issue.bundle.revision
        {
            let news = news(&sent.bundle.tokens, issue.bundle.tokens);
            if news.is_empty() {
                return None;
            }
            sent.bundle.tokens.extend(news.clone());
            let what = "tokens are sent";
            self.audit(
                issue.bundle.environment,
                &issue.bundle.revision,
                news.keys(),
                what,
            );
            return encode(&Event::Tokens(news));
        }
        let line = encode(&Event::Bundle(issue.bundle.clone()))?;
        let Bundle {
            environment,
            revision,
            collections,
            ..
        } = &issue.bundle;
        self.audit(
            *environment,
            revision,
            collections.keys(),
            "a bundle is sent",
        );
        self.registration.sent(&issue, std::time::Instant::now());
        self.sent = Some(issue);
        Some(line)
    }

    /// The pod as it is known, as it was when the stream began if the watch has
    /// not shown it yet; none if it is gone.
    fn pod(&mut self) -> Option<Arc<InjectedPod>> {
        let shown = self.pods.seen(&self.identity.namespace, &self.identity.pod);
        match shown.filter(|pod| pod.uid == self.identity.pod_uid) {
            Some(pod) => {
                self.seen = true;
                Some(pod)
            }
            None if self.seen => None,
            None => Some(self.pod.clone()),
        }
    }

    /// The pod that the watch does not show any more, if it is there: it may
    /// only have lost the label by which it is watched. None, too, as long as
    /// nobody knows; then it is looked for again.
    async fn missed(&mut self) -> Option<Arc<InjectedPod>> {
        let Identity { namespace, pod, .. } = &self.identity;
        let read = timeout(PATIENCE, self.pods.read(namespace, pod)).await;
        let read = read.map_err(|_| "no answer in time".to_owned());
        match read.and_then(|read| read.map_err(|error| error.to_string())) {
            Ok(found) => {
                let found = found.filter(|pod| pod.uid == self.identity.pod_uid);
                if found.is_none() {
                    // What a container that is still ending has is left to it.
                    self.end(Refusal::NoPod);
                }
                found
            }
            Err(error) => {
                warn!(namespace, pod, error, "a pod that vanished cannot be read");
                None
            }
        }
    }

    fn end(&mut self, refusal: Refusal) {
        self.phase = Phase::Over;
        info!(
            namespace = self.identity.namespace,
            pod = self.identity.pod,
            reason = refusal.reason(),
            "a stream ends"
        );
    }

    fn consumer(&self, pod: &InjectedPod, shelf: &Shelf) -> Result<Consumer, Refusal> {
        // A namespace that is gone takes its environment with it.
        let environment = shelf.environment().unwrap_or(Environment::Development);
        admit(&self.identity, pod, environment, &self.sidecar_image)
    }

    fn audit<'a>(
        &self,
        environment: Environment,
        revision: &str,
        names: impl Iterator<Item = &'a CollectionName>,
        what: &'static str,
    ) {
        let names: Vec<&str> = names.map(CollectionName::as_str).collect();
        info!(
            audit = "hand-out",
            namespace = self.identity.namespace,
            service_account = self.identity.service_account,
            pod = self.identity.pod,
            pod_uid = self.identity.pod_uid,
            credential_id = self.identity.credential_id,
            %environment,
            collections = names.join(","),
            revision,
            "{what}"
        );
    }
}

/// The tokens that were not sent as they are now.
fn news(sent: &Tokens, now: Tokens) -> Tokens {
    now.into_iter()
        .filter(|(name, state)| sent.get(name) != Some(state))
        .collect()
}

fn encode(event: &Event) -> Option<Bytes> {
    match event.encode() {
        Ok(line) => Some(line.into()),
        Err(error) => {
            error!(%error, "an event cannot be encoded");
            None
        }
    }
}

#[cfg(test)]
mod tests;
