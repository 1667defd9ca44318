//! The feed's three paths, over HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use credence_core::names::{ACK_PATH, FEED_PATH, REPORT_PATH};
use credence_core::wire::{Ack, Report};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::allowance::{Allowance, Rate};
use super::attempts::Attempts;
use super::consumer::{admit, check_feed};
use super::identity::Identity;
use super::refusal::Refusal;
use super::reviews::Reviews;
use super::stream::{self, Parts};
use super::streams::Streams;
use crate::catalogue::Catalogue;
use crate::certificates::Authorities;
use crate::metrics::Metrics;
use crate::random;
use crate::readiness::{Check, Readiness};
use crate::server::{Body, body};
use crate::shares::Share;
use crate::shutdown::Shutdown;
use crate::tokens::refusals::{NotNoted, Refusals};
use crate::watches::pods::{InjectedPod, Pods};

/// A connection that proved nothing by then is closed.
const AUTHENTICATE: Duration = Duration::from_secs(10);
/// An acknowledgement names collections and revisions only.
const ACK_LIMIT: usize = 64 * 1024;
/// A report names one stream and one collection.
const REPORT_LIMIT: usize = 4 * 1024;
/// For an acknowledgement or a report to arrive whole.
const PATIENCE: Duration = Duration::from_secs(10);
/// Acknowledgements and reports of one sidecar. Changes are sent fifty times a
/// second at the most, and never for long.
const REQUESTS: Rate = Rate {
    burst: 64,
    every: Duration::from_millis(50),
};
/// As much of a sidecar's own words as the log repeats, and as often.
const QUOTED: usize = 200;
const REPEATED: usize = 16;

/// What every connection shares.
pub struct Feed {
    /// Who has failed how often.
    pub attempts: Attempts,
    /// Who has which token.
    pub reviews: Reviews,
    /// The pods with a sidecar.
    pub pods: Pods,
    /// What their namespaces may use.
    pub catalogue: Arc<Catalogue>,
    /// Who is connected.
    pub streams: Streams,
    /// Where refused tokens are noted.
    pub refusals: Refusals,
    /// Whether enough of the cluster is known.
    pub readiness: Readiness,
    /// Where refusals are counted.
    pub metrics: Arc<Metrics>,
    /// The operator's `--sidecar-image`.
    pub sidecar_image: Arc<str>,
    /// `host:port`, as sidecars are told it.
    pub address: String,
    /// The authorities that a sidecar may trust.
    pub held: watch::Receiver<Arc<Authorities>>,
    /// Of this process.
    pub shutdown: Shutdown,
}

/// One connection: the stream that it authenticated, if any.
struct Connection {
    feed: Arc<Feed>,
    source: IpAddr,
    state: Mutex<State>,
}

struct State {
    /// Until there was a stream.
    arrival: Option<Share>,
    stream: Option<Arc<str>>,
    requests: Allowance,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Feed {
    /// The service of a new connection, and when to close it.
    pub fn connect(
        self: &Arc<Self>,
        arrival: Share,
    ) -> (
        impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answer>
        + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let connection = Arc::new(Connection {
            feed: self.clone(),
            source: arrival.source(),
            state: Mutex::new(State {
                arrival: Some(arrival),
                stream: None,
                requests: Allowance::new(Instant::now()),
            }),
        });
        let close = {
            let connection = connection.clone();
            async move {
                tokio::time::sleep(AUTHENTICATE).await;
                if connection.state().arrival.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let service = service_fn(move |request| -> Answer {
            let connection = connection.clone();
            Box::pin(async move { Ok(connection.answer(request).await) })
        });
        (service, close)
    }

    /// Finds the pod behind an identity: in the cache if that is the one, else
    /// at the API server, since the cache may be behind.
    async fn pod(&self, identity: &Identity) -> Result<Arc<InjectedPod>, Refusal> {
        if let Some(pod) = self.pods.seen(&identity.namespace, &identity.pod)
            && pod.uid == identity.pod_uid
        {
            return Ok(pod);
        }
        match self.pods.read(&identity.namespace, &identity.pod).await {
            Ok(pod) => pod.ok_or(Refusal::NoPod),
            Err(error) => {
                warn!(%error, "a pod cannot be read");
                Err(Refusal::ApiServer)
            }
        }
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let result = match self.stream() {
            Some(stream) => self.follow_up(&stream, request).await,
            None => self.knock(request).await,
        };
        result.unwrap_or_else(|refusal| {
            let (reason, source) = (refusal.reason(), self.source);
            self.feed.metrics.feed_refusal(reason);
            if refusal == Refusal::TooMany {
                // Those before were told of.
                debug!(reason, %source, "the feed refused a request");
            } else {
                info!(reason, %source, "the feed refused a request");
            }
            refusal.response()
        })
    }

    /// A request of nobody knows whom.
    async fn knock(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let attempts = &self.feed.attempts;
        if !attempts.begin(self.source, Instant::now()) {
            return Err(Refusal::TooMany);
        }
        let result = match (request.method(), request.uri().path()) {
            (&Method::GET, FEED_PATH) => self.begin(request.headers()).await,
            (&Method::POST, ACK_PATH | REPORT_PATH) => Err(Refusal::NoStream),
            _ => Err(Refusal::NotFound),
        };
        if !matches!(&result, Err(refusal) if refusal.is_of_the_asker()) {
            attempts.forgive(self.source);
        }
        result
    }

    /// A request of the sidecar that has this stream.
    async fn follow_up(
        &self,
        stream: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        if !self.state().requests.spend(REQUESTS, Instant::now()) {
            return Err(Refusal::TooMany);
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, FEED_PATH) => Err(Refusal::SecondStream),
            (&Method::POST, ACK_PATH) => self.acknowledge(stream, request.into_body()).await,
            (&Method::POST, REPORT_PATH) => self.report(stream, request.into_body()).await,
            _ => Err(Refusal::NotFound),
        }
    }

    async fn begin(&self, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
        let feed = &self.feed;
        let token = bearer(headers).ok_or(Refusal::NoToken)?;
        // A bundle made from half a listing would withdraw the other half.
        let known = [Check::Collections, Check::Namespaces, Check::Pods];
        if !known.into_iter().all(|check| feed.readiness.holds(check)) {
            return Err(Refusal::NotReady);
        }
        let identity = feed.reviews.identify(token).await?;
        let pod = feed.pod(&identity).await?;
        let shelf = feed.catalogue.subscribe(&identity.namespace);
        let environment = shelf.borrow().environment().ok_or(Refusal::NotReady)?;
        let admitted = admit(&identity, &pod, environment, &feed.sidecar_image);
        let held = feed.held.borrow().clone();
        let dials = |_| check_feed(&pod, &feed.address, &held);
        admitted.and_then(dials).inspect_err(|refusal| {
            info!(
                namespace = identity.namespace,
                service_account = identity.service_account,
                pod = identity.pod,
                reason = refusal.reason(),
                "a pod is refused"
            );
        })?;
        let id: Arc<str> = random::name().into();
        let registration = {
            let mut state = self.state();
            // Another request of this connection may have been faster.
            if state.has_stream(&feed.streams) {
                return Err(Refusal::SecondStream);
            }
            let registration = feed.streams.register(id.clone(), &identity.pod_uid);
            let registration = registration.ok_or(Refusal::TooManyStreams)?;
            state.stream = Some(id.clone());
            state.arrival = None;
            registration
        };
        let mut response = Response::new(stream::body(Parts {
            identity,
            pod,
            pods: feed.pods.clone(),
            sidecar_image: feed.sidecar_image.clone(),
            shelf,
            registration,
            shutdown: feed.shutdown.clone(),
            id,
        }));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn acknowledge(&self, id: &str, content: Incoming) -> Result<Response<Body>, Refusal> {
        let bytes = read(content, ACK_LIMIT).await.ok_or(Refusal::BadAck)?;
        let ack: Ack = serde_json::from_slice(&bytes).map_err(|_| Refusal::BadAck)?;
        if ack.stream != *id || !self.feed.streams.acknowledge(id, &ack, Instant::now()) {
            return Err(Refusal::NoStream);
        }
        for (collection, reason) in ack.refused.iter().take(REPEATED) {
            let [collection, reason] =
                [collection, reason].map(|text| text.chars().take(QUOTED).collect::<String>());
            warn!(stream = %id, collection, ?reason, "a sidecar cannot use a collection");
        }
        debug!(stream = %id, revision = ack.revision, "a bundle was acknowledged");
        Ok(taken())
    }

    async fn report(&self, id: &str, content: Incoming) -> Result<Response<Body>, Refusal> {
        let bytes = read(content, REPORT_LIMIT).await;
        let bytes = bytes.ok_or(Refusal::BadReport)?;
        let report: Report = serde_json::from_slice(&bytes).map_err(|_| Refusal::BadReport)?;
        let token = self.feed.streams.report(id, &report, Instant::now())?;
        info!(
            stream = %id,
            collection = report.collection,
            status = report.said.status,
            generation = report.said.generation,
            "a sidecar reports what a provider says about a credential"
        );
        if let Some(token) = token {
            let noted = self.feed.refusals.note(&token).await;
            noted.map_err(|error| match error {
                NotNoted::Unseen => Refusal::NotReady,
                NotNoted::BrokenOff | NotNoted::Store(_) => {
                    warn!(%error, "a refused token cannot be noted");
                    Refusal::ApiServer
                }
            })?;
        }
        Ok(taken())
    }

    /// The stream of this connection, if it is open.
    fn stream(&self) -> Option<Arc<str>> {
        let state = self.state();
        let open = state.has_stream(&self.feed.streams);
        state.stream.clone().filter(|_| open)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_stream(&self, streams: &Streams) -> bool {
        let stream = self.stream.as_deref();
        stream.is_some_and(|stream| streams.has(stream))
    }
}

fn taken() -> Response<Body> {
    let mut response = Response::new(body(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A body that is short and arrives soon.
async fn read(content: Incoming, limit: usize) -> Option<Bytes> {
    let read = Limited::new(content, limit).collect();
    let read = tokio::time::timeout(PATIENCE, read).await;
    Some(read.ok()?.ok()?.to_bytes())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_a_token() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), token, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
