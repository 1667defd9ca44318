//! API servers that issue tokens of ServiceAccounts, and ones that do not.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::log::tests::Log;

const TOKEN: &str = "acc.0unt.t0ken";

const PATH: &str = "/api/v1/namespaces/shop/serviceaccounts/reporter/token";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// An API server that answers so to a request for a token and to a review.
#[derive(Clone)]
struct ApiServer {
    issued: (u16, Value),
    reviewed: (u16, Value),
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl ApiServer {
    fn that(issued: (u16, Value), reviewed: (u16, Value)) -> Self {
        Self {
            issued,
            reviewed,
            asked: Arc::default(),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.path().to_owned();
        let (status, answer) = match path.as_str() {
            PATH => self.issued.clone(),
            REVIEWS => self.reviewed.clone(),
            other => panic!("{} {other}", head.method),
        };
        let body: Value = serde_json::from_slice(&body).unwrap();
        self.asked.lock().unwrap().push((path, body));
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Response::builder().status(status).body(body).unwrap()
    }

    async fn issue(&self) -> Result<String, NotIssued> {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let accounts = ClusterAccounts::new(Client::new(service, "credence-system"));
        let wanted = AccountToken {
            namespace: "shop".to_owned(),
            name: "reporter".to_owned(),
            audience: "https://sts.example.com".to_owned(),
            lifetime: Duration::from_secs(600),
        };
        let issued = accounts.issue(&wanted).await;
        issued.map(|token| token.expose().to_owned())
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

fn issued(status: &Value) -> (u16, Value) {
    let spec = json!({"audiences": ["https://sts.example.com"]});
    (201, json!({"spec": spec, "status": status}))
}

fn good() -> (u16, Value) {
    issued(&json!({"token": TOKEN, "expirationTimestamp": "2026-11-21T20:10:00Z"}))
}

fn reviewed(status: &Value) -> (u16, Value) {
    (201, json!({"spec": {}, "status": status}))
}

fn refused(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": reason});
    (code, status)
}

#[tokio::test]
async fn a_token_is_asked_for_with_its_audience_and_lifetime_and_then_reviewed() {
    let server = ApiServer::that(good(), reviewed(&json!({"error": "wrong audience"})));
    assert_eq!(server.issue().await.as_deref(), Ok(TOKEN));
    let [(request, asked), (review, shown)] = &server.asked()[..] else {
        panic!("{:?}", server.asked());
    };
    assert_eq!((request.as_str(), review.as_str()), (PATH, REVIEWS));
    assert_eq!(
        asked["spec"],
        json!({"audiences": ["https://sts.example.com"], "expirationSeconds": 600})
    );
    // Any audience here would be another question.
    assert_eq!(shown["spec"], json!({"token": TOKEN}));
}

/// Whoever got it could act in the cluster as the ServiceAccount.
#[tokio::test]
async fn a_token_that_the_api_server_accepts_goes_to_nobody() {
    let server = ApiServer::that(good(), reviewed(&json!({"authenticated": true})));
    assert_eq!(server.issue().await, Err(NotIssued::ForTheCluster));
}

#[tokio::test]
async fn a_token_that_nobody_could_look_at_goes_to_nobody() {
    for unclear in [
        refused(403, "Forbidden"),
        refused(500, "InternalError"),
        (201, json!({"spec": {}})),
    ] {
        let server = ApiServer::that(good(), unclear);
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer));
    }
}

#[tokio::test]
async fn what_the_api_server_refuses_is_told_by_its_cause() {
    for (answer, expected) in [
        (refused(403, "Forbidden"), NotIssued::Forbidden),
        (refused(404, "NotFound"), NotIssued::Absent),
        (refused(422, "Invalid"), NotIssued::Refused(422)),
        (refused(429, "TooManyRequests"), NotIssued::NoAnswer),
        (refused(500, "InternalError"), NotIssued::NoAnswer),
        (
            issued(&json!({"token": "", "expirationTimestamp": "2026-11-21T20:10:00Z"})),
            NotIssued::NoAnswer,
        ),
        (issued(&Value::Null), NotIssued::NoAnswer),
        (issued(&json!("?")), NotIssued::NoAnswer),
    ] {
        let server = ApiServer::that(answer, reviewed(&json!({})));
        assert_eq!(server.issue().await, Err(expected));
        assert_eq!(server.asked().len(), 1, "it was reviewed");
    }
}

/// What does not fit is quoted by whoever reads it.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_written_down() {
    let log = Log::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(log.writer());
    let filter = crate::log::filter(LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    let _guard = tracing::subscriber::set_default(subscriber);
    for (issued, reviewed) in [
        (issued(&json!(TOKEN)), reviewed(&json!({}))),
        (good(), reviewed(&json!(TOKEN))),
    ] {
        let server = ApiServer::that(issued, reviewed);
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer));
    }
    let said = log.said();
    assert_eq!(said.matches("cannot be read").count(), 2, "{said}");
    assert!(!said.contains(TOKEN), "{said}");
}
