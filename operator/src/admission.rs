//! The injector behind its port: bytes in, bytes out, and what is counted.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::sync::{Semaphore, watch};

use crate::arrivals::Arrival;
use crate::certificates::Authorities;
use crate::events::Events;
use crate::inject::{EgressProxy, InjectSettings, Namespace};
use crate::metrics::Metrics;
use crate::server::{Body, body, text};
use crate::settings::Settings;
use crate::watches::bounds::NamespaceBounds;
use crate::watches::namespaces::Namespaces;
use crate::webhook::respond;

/// An object has at most 3 MiB, and a review holds it once or twice.
const REVIEW_LIMIT: usize = 10 * 1024 * 1024;
/// Reviews that are read and answered at one time. Whoever reaches the port may
/// send some, so together they must fit into the operator's memory.
const REVIEWS: usize = 8;
/// For a review to arrive and be answered; the API server waits no longer.
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
    reviews: Semaphore,
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
            reviews: Semaphore::new(REVIEWS),
        }
    }

    /// The service of a new connection, and when to close it. The API server
    /// keeps its connections for long, so one that has asked may stay.
    pub fn connect(
        self: &Arc<Self>,
        arrival: Arrival,
    ) -> (
        impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answer>
        + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let this = self.clone();
        let asked = Arc::new(AtomicBool::new(false));
        let arrival = Arc::new(Mutex::new(Some(arrival)));
        let close = {
            let asked = asked.clone();
            async move {
                tokio::time::sleep(FIRST_REVIEW).await;
                if asked.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            }
        };
        let service = service_fn(move |request| -> Answer {
            let (this, asked, arrival) = (this.clone(), asked.clone(), arrival.clone());
            Box::pin(async move {
                let response = this.answer(request, &asked).await;
                if asked.load(Ordering::Relaxed) {
                    arrival
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .take();
                }
                Ok(response)
            })
        });
        (service, close)
    }

    async fn answer(&self, request: Request<Incoming>, asked: &AtomicBool) -> Response<Body> {
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
        let read = async {
            let permit = self.reviews.acquire().await;
            (permit, Limited::new(content, REVIEW_LIMIT).collect().await)
        };
        let Ok((_permit, read)) = tokio::time::timeout(PATIENCE, read).await else {
            return text(
                StatusCode::REQUEST_TIMEOUT,
                "the review did not arrive in time\n",
            );
        };
        let Ok(review) = read else {
            return text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the review is too long or was cut off\n",
            );
        };
        asked.store(true, Ordering::Relaxed);
        let Some(settings) = self.settings() else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "this replica has no certificate yet\n",
            );
        };
        let answer = respond(&review.to_bytes(), &settings, |namespace| Namespace {
            environment: self.namespaces.environment(namespace).unwrap_or_default(),
            bounds: self.bounds.of(namespace),
        });
        self.metrics.admission(answer.decision, answer.reason);
        if let Some(happening) = answer.happening {
            self.events.tell(happening);
        }
        let mut response = Response::new(body(answer.body));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        response
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
