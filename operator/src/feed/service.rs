//! The feed's three paths, over HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use credence_core::names::{ACK_PATH, FEED_PATH, REPORT_PATH};
use credence_core::wire::{Ack, Report};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tracing::{debug, info, warn};

use super::consumer::admit;
use super::identity::Identity;
use super::refusal::Refusal;
use super::reviews::Reviews;
use super::stream::{self, Parts};
use super::streams::Streams;
use crate::catalogue::Catalogue;
use crate::metrics::Metrics;
use crate::random;
use crate::readiness::{Check, Readiness};
use crate::server::{Body, body};
use crate::shutdown::Shutdown;
use crate::watches::pods::{InjectedPod, Pods};

/// A connection that proved nothing by then is closed.
const AUTHENTICATE: Duration = Duration::from_secs(10);
/// An acknowledgement names collections and revisions only.
const ACK_LIMIT: usize = 64 * 1024;
/// A report names one stream and one collection.
const REPORT_LIMIT: usize = 4 * 1024;
/// As much of a sidecar's own words as the log repeats.
const QUOTED: usize = 200;

/// What every connection shares.
pub struct Feed {
    /// Who has which token.
    pub reviews: Reviews,
    /// The pods with a sidecar.
    pub pods: Pods,
    /// What their namespaces may use.
    pub catalogue: Arc<Catalogue>,
    /// Who is connected.
    pub streams: Streams,
    /// Whether enough of the cluster is known.
    pub readiness: Readiness,
    /// Where refusals are counted.
    pub metrics: Arc<Metrics>,
    /// The operator's `--sidecar-image`.
    pub sidecar_image: Arc<str>,
    /// Of this process.
    pub shutdown: Shutdown,
}

/// One connection: the stream that it authenticated, if any.
struct Connection {
    feed: Arc<Feed>,
    stream: Mutex<Option<Arc<str>>>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Feed {
    /// The service of a new connection, and when to close it.
    pub fn connect(
        self: &Arc<Self>,
    ) -> (
        impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answer>
        + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let connection = Arc::new(Connection {
            feed: self.clone(),
            stream: Mutex::default(),
        });
        let close = {
            let connection = connection.clone();
            async move {
                tokio::time::sleep(AUTHENTICATE).await;
                if connection.stream().is_some() {
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
        let (head, content) = request.into_parts();
        let result = match (&head.method, head.uri.path()) {
            (&Method::GET, FEED_PATH) => self.begin(&head.headers).await,
            (&Method::POST, ACK_PATH) => self.acknowledge(content).await,
            (&Method::POST, REPORT_PATH) => self.report(content).await,
            _ => Err(Refusal::NotFound),
        };
        result.unwrap_or_else(|refusal| {
            self.feed.metrics.feed_refusal(refusal.reason());
            info!(reason = refusal.reason(), "the feed refused a request");
            refusal.response()
        })
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
        let environment = shelf.borrow().environment.ok_or(Refusal::NotReady)?;
        admit(&identity, &pod, environment, &feed.sidecar_image).inspect_err(|refusal| {
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
            let mut current = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            if current
                .as_ref()
                .is_some_and(|current| feed.streams.has(current))
            {
                return Err(Refusal::SecondStream);
            }
            *current = Some(id.clone());
            feed.streams.register(id.clone(), &identity.namespace)
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

    async fn acknowledge(&self, content: Incoming) -> Result<Response<Body>, Refusal> {
        let id = self.stream().ok_or(Refusal::NoStream)?;
        let read = Limited::new(content, ACK_LIMIT).collect().await;
        let bytes = read.map_err(|_| Refusal::BadAck)?.to_bytes();
        let ack: Ack = serde_json::from_slice(&bytes).map_err(|_| Refusal::BadAck)?;
        if ack.stream != *id || !self.feed.streams.acknowledge(&id, &ack, Instant::now()) {
            return Err(Refusal::NoStream);
        }
        for (collection, reason) in &ack.refused {
            let reason: String = reason.chars().take(QUOTED).collect();
            warn!(stream = %id, collection, ?reason, "a sidecar cannot use a collection");
        }
        debug!(stream = %id, revision = ack.revision, "a bundle was acknowledged");
        Ok(taken())
    }

    async fn report(&self, content: Incoming) -> Result<Response<Body>, Refusal> {
        let id = self.stream().ok_or(Refusal::NoStream)?;
        let read = Limited::new(content, REPORT_LIMIT).collect().await;
        let bytes = read.map_err(|_| Refusal::BadReport)?.to_bytes();
        let report: Report = serde_json::from_slice(&bytes).map_err(|_| Refusal::BadReport)?;
        self.feed.streams.report(&id, &report, Instant::now())?;
        info!(
            stream = %id,
            collection = report.collection,
            status = report.said.status,
            "a sidecar reports what a provider says about a credential"
        );
        Ok(taken())
    }

    fn stream(&self) -> Option<Arc<str>> {
        self.stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn taken() -> Response<Body> {
    let mut response = Response::new(body(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
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
