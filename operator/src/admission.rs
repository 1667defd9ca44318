//! The injector behind its port: bytes in, bytes out, and what is counted.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::certificates::Authorities;
use crate::events::Events;
use crate::inject::{EgressProxy, InjectSettings, Namespace};
use crate::metrics::Metrics;
use crate::server::{Body, body, text};
use crate::settings::Settings;
use crate::shares::{Share, Shares};
use crate::watches::bounds::NamespaceBounds;
use crate::watches::namespaces::Namespaces;
use crate::webhook::{self, respond};

/// An object has at most 3 MiB, and a review holds it once or twice.
const REVIEW_LIMIT: usize = 10 * 1024 * 1024;
/// Memory for reviews that are on their way. Whoever reaches the port may begin
/// as many as he likes; when it is used up, who has the most loses his largest.
const ON_THEIR_WAY: usize = 48 * 1024 * 1024;
/// Memory, in KiB, for answering those that are there. It is waited for: it is
/// used for as long as it takes to answer, and nobody can make that longer.
const ANSWERING: u32 = 32 * 1024;
/// What one costs before anything of it is there.
const BEGUN: usize = 4 * 1024;
/// For a review to arrive; the API server waits no longer for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that sent no review by then is closed: their number is limited.
const FIRST_REVIEW: Duration = Duration::from_secs(10);
const PATH: &str = "/inject";
const JSON: &str = "application/json";

/// What every connection shares.
pub struct Admission {
    image: String,
    feed: String,
    egress: Option<EgressProxy>,
    held: watch::Receiver<Arc<Authorities>>,
    namespaces: Namespaces,
    bounds: NamespaceBounds,
    events: Events,
    metrics: Arc<Metrics>,
    bodies: Shares,
    answering: Semaphore,
}

/// One connection of nobody knows whom.
struct Connection {
    admission: Arc<Admission>,
    arrival: Share,
    /// Whether there was a review on it.
    asked: AtomicBool,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Admission {
    /// Injects by these settings, and with the authority that is held at the
    /// time of each review.
    pub fn new(
        settings: &Settings,
        egress: Option<EgressProxy>,
        held: watch::Receiver<Arc<Authorities>>,
        namespaces: Namespaces,
        bounds: NamespaceBounds,
        events: Events,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            image: settings.sidecar_image.clone(),
            feed: settings.feed_address(),
            egress,
            held,
            namespaces,
            bounds,
            events,
            metrics,
            bodies: Shares::new(ON_THEIR_WAY),
            answering: Semaphore::new(ANSWERING as usize),
        }
    }

    /// The service of a new connection, and when to close it. The API server
    /// keeps its connections for long, so one that has asked may stay; but as
    /// anyone can ask, it may always have to make room for another address's.
    pub fn connect(
        self: &Arc<Self>,
        arrival: Share,
    ) -> (
        impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answer>
        + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let connection = Arc::new(Connection {
            admission: self.clone(),
            arrival,
            asked: AtomicBool::new(false),
        });
        let close = {
            let connection = connection.clone();
            async move {
                tokio::time::sleep(FIRST_REVIEW).await;
                if connection.asked.load(Ordering::Relaxed) {
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

    /// What to answer to these bytes, and whether they were a review.
    fn review(&self, review: &[u8]) -> (Response<Body>, bool) {
        let Some(settings) = self.settings() else {
            let why = "this replica has no certificate yet\n";
            return (text(StatusCode::SERVICE_UNAVAILABLE, why), false);
        };
        let answer = respond(review, &settings, |namespace| Namespace {
            environment: self.namespaces.environment(namespace).unwrap_or_default(),
            bounds: self.bounds.of(namespace),
        });
        self.metrics.admission(answer.decision, answer.reason);
        let is_review = answer.is_of_a_review();
        if let Some(happening) = answer.happening {
            self.events.tell(happening);
        }
        let mut response = Response::new(body(answer.body));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        (response, is_review)
    }

    /// None while no authority is held: the connection's certificate would
    /// have been missing too.
    fn settings(&self) -> Option<InjectSettings> {
        let held = self.held.borrow().clone();
        let current = held.current.as_ref()?;
        let others = held.all().filter(|other| other.root != current.root);
        Some(InjectSettings {
            image: self.image.clone(),
            feed: self.feed.clone(),
            ca: current.authority.pem.as_str().into(),
            other_cas: others
                .map(|other| other.authority.pem.as_str().into())
                .collect(),
            root_sha256: current.root.clone(),
            egress: self.egress.clone(),
        })
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, content) = request.into_parts();
        if head.uri.path() != PATH {
            return text(StatusCode::NOT_FOUND, "there is POST /inject\n");
        }
        if head.method != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only POST is answered\n");
        }
        if !is_json(&head.headers) {
            return text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "only application/json is read\n",
            );
        }
        let memory = self.admission.bodies.open(self.arrival.source());
        let arrived = read(content, &memory, &self.admission.answering);
        match arrived.await {
            Ok((bytes, _answering)) => {
                let (response, is_review) = self.admission.review(&bytes);
                if is_review {
                    self.asked.store(true, Ordering::Relaxed);
                }
                response
            }
            Err(unread) => text(unread.status(), format!("{unread}\n")),
        }
    }
}

/// Reads a review as it arrives, and waits for the memory to answer it.
async fn read<'a>(
    content: Incoming,
    memory: &Share,
    answering: &'a Semaphore,
) -> Result<(Vec<u8>, SemaphorePermit<'a>), Unread> {
    let arrived = async {
        let mut content = Limited::new(content, REVIEW_LIMIT);
        let mut bytes = Vec::new();
        if !memory.take(BEGUN) {
            return Err(Unread::Crowded);
        }
        while let Some(frame) = content.frame().await {
            let frame = frame.map_err(|_| Unread::TooLong)?;
            let data = frame.into_data().unwrap_or_default();
            let before = bytes.capacity();
            bytes.extend_from_slice(&data);
            if !memory.take(bytes.capacity() - before) {
                return Err(Unread::Crowded);
            }
        }
        let cost = u32::try_from(webhook::cost(&bytes).div_ceil(1024)).unwrap_or(u32::MAX);
        if cost > ANSWERING {
            return Err(Unread::TooComplex);
        }
        let answering = answering.acquire_many(cost).await;
        Ok((bytes, answering.map_err(|_| Unread::Crowded)?))
    };
    tokio::select! {
        arrived = tokio::time::timeout(PATIENCE, arrived) => arrived.unwrap_or(Err(Unread::Late)),
        () = memory.lost() => Err(Unread::Crowded),
    }
}

/// Why a review was not read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Unread {
    #[error("the review did not arrive in time")]
    Late,
    #[error("the review is too long or was cut off")]
    TooLong,
    #[error("the review has too many parts: answering it would take too much memory")]
    TooComplex,
    #[error("too much is asked at once")]
    Crowded,
}

impl Unread {
    const fn status(self) -> StatusCode {
        match self {
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::TooLong | Self::TooComplex => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        let media = value.split_once(';').map_or(value, |(media, _)| media);
        media.trim().eq_ignore_ascii_case(JSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_read() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jsonp", false),
            ("text/plain", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers), json, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
