//! API servers that issue tokens of ServiceAccounts, and ones that do not.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::log::tests::Log;

const AUDIENCE: &str = "https://sts.example.com";
/// One of two that the API server accepts.
const CLUSTER: &str = "https://kubernetes.default.svc";
/// What every token of here ends with.
const SIGNATURE: &str = "s1gn4ture";

const PATH: &str = "/api/v1/namespaces/shop/serviceaccounts/reporter/token";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// An API server that answers so to a request for a token, to a review for an
/// audience and to one without.
#[derive(Clone)]
struct ApiServer {
    issued: (u16, Value),
    known: (u16, Value),
    reviewed: (u16, Value),
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl ApiServer {
    fn that(issued: (u16, Value), known: (u16, Value), reviewed: (u16, Value)) -> Self {
        Self {
            issued,
            known,
            reviewed,
            asked: Arc::default(),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.path().to_owned();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let (status, answer) = match path.as_str() {
            PATH => self.issued.clone(),
            REVIEWS if body["spec"]["audiences"].is_null() => self.reviewed.clone(),
            REVIEWS => self.known.clone(),
            other => panic!("{} {other}", head.method),
        };
        self.asked.lock().unwrap().push((path, body));
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Response::builder().status(status).body(body).unwrap()
    }

    /// Asks for a token as an operator with such a token of its own.
    async fn issue(&self) -> Result<String, NotIssued> {
        let mut own = tempfile::NamedTempFile::new().unwrap();
        write!(own, "{}", token(&json!([CLUSTER, "k3s"]))).unwrap();
        self.issue_beside(own.path()).await
    }

    async fn issue_beside(&self, own_token: &Path) -> Result<String, NotIssued> {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let accounts = ClusterAccounts::new(
            Client::new(service, "credence-system"),
            own_token.to_owned(),
        );
        let wanted = AccountToken {
            namespace: "shop".to_owned(),
            name: "reporter".to_owned(),
            audience: AUDIENCE.to_owned(),
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
    let spec = json!({"audiences": [AUDIENCE]});
    (201, json!({"spec": spec, "status": status}))
}

/// For these.
fn token(audiences: &Value) -> String {
    let part = |content: &Value| URL_SAFE_NO_PAD.encode(content.to_string());
    let claims = json!({"aud": audiences, "exp": 1_800_000_000});
    format!("{}.{}.{SIGNATURE}", part(&json!({})), part(&claims))
}

fn issued_for(audiences: &Value) -> (u16, Value) {
    issued(&json!({"token": token(audiences), "expirationTimestamp": "2026-11-21T20:10:00Z"}))
}

fn good() -> (u16, Value) {
    issued_for(&json!([AUDIENCE]))
}

fn known() -> (u16, Value) {
    reviewed(&json!({"authenticated": true, "audiences": [AUDIENCE]}))
}

fn foreign() -> (u16, Value) {
    reviewed(&json!({"error": "wrong audience"}))
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
    let server = ApiServer::that(good(), known(), foreign());
    let token = token(&json!([AUDIENCE]));
    assert_eq!(server.issue().await.as_deref(), Ok(token.as_str()));
    let [(request, asked), reviews @ ..] = &server.asked()[..] else {
        panic!("{:?}", server.asked());
    };
    assert_eq!(request, PATH);
    assert_eq!(
        asked["spec"],
        json!({"audiences": [AUDIENCE], "expirationSeconds": 600})
    );
    let reviews: Vec<_> = reviews.iter().map(|(_, asked)| &asked["spec"]).collect();
    let expected = [
        json!({"token": token, "audiences": [AUDIENCE]}),
        json!({"token": token}),
    ];
    assert_eq!(reviews, expected.iter().collect::<Vec<_>>());
}

/// Whoever got it could act in the cluster as the ServiceAccount.
#[tokio::test]
async fn a_token_that_the_api_server_accepts_goes_to_nobody() {
    let authenticated = || reviewed(&json!({"authenticated": true}));
    let another = json!({"authenticated": true, "audiences": [CLUSTER]});
    for (known, reviewed) in [
        (known(), authenticated()),
        // An API server that names no audience means itself.
        (authenticated(), foreign()),
        (reviewed(&another), foreign()),
    ] {
        let server = ApiServer::that(good(), known, reviewed);
        assert_eq!(server.issue().await, Err(NotIssued::ForTheCluster));
    }
}

/// What a review refuses may be refused for another reason, by one API server of
/// several.
#[tokio::test]
async fn a_token_that_says_it_is_for_more_than_its_audience_goes_to_nobody() {
    for audiences in [
        json!([]),
        json!([AUDIENCE, "another"]),
        json!([AUDIENCE, CLUSTER]),
        json!(["another"]),
    ] {
        let server = ApiServer::that(issued_for(&audiences), known(), foreign());
        let refused = server.issue().await;
        assert_eq!(refused, Err(NotIssued::ForTheCluster), "{audiences}");
        assert_eq!(server.asked().len(), 1, "{audiences}");
    }
}

#[tokio::test]
async fn a_token_for_what_the_operators_own_is_for_goes_to_nobody() {
    let mut own = tempfile::NamedTempFile::new().unwrap();
    writeln!(own, "{}", token(&json!([CLUSTER, AUDIENCE]))).unwrap();
    let server = ApiServer::that(good(), known(), foreign());
    let refused = server.issue_beside(own.path()).await;
    assert_eq!(refused, Err(NotIssued::ForTheCluster));
}

#[tokio::test]
async fn where_the_operators_own_token_cannot_be_read_none_goes_anywhere() {
    let server = ApiServer::that(good(), known(), foreign());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    assert_eq!(server.issue_beside(&path).await, Err(NotIssued::NoAnswer));
    std::fs::write(&path, "t0ken").unwrap();
    assert_eq!(server.issue_beside(&path).await, Err(NotIssued::NoAnswer));
}

#[tokio::test]
async fn a_token_that_nobody_could_look_at_goes_to_nobody() {
    for unclear in [
        refused(403, "Forbidden"),
        refused(500, "InternalError"),
        (201, json!({"spec": {}})),
    ] {
        let server = ApiServer::that(good(), known(), unclear.clone());
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer));
        let server = ApiServer::that(good(), unclear, foreign());
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer));
    }
}

/// It would accept none, and so say nothing by not accepting this one.
#[tokio::test]
async fn a_token_that_the_api_server_does_not_know_again_goes_to_nobody() {
    for unknown in [json!({"error": "no keys found"}), json!({})] {
        let server = ApiServer::that(good(), reviewed(&unknown), foreign());
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer), "{unknown}");
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
        let server = ApiServer::that(answer, known(), foreign());
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
    let unreadable = json!(token(&json!([AUDIENCE])));
    for (issued, known, reviewed, complaints) in [
        (issued(&unreadable), known(), foreign(), 1),
        (good(), reviewed(&unreadable), foreign(), 2),
        (good(), known(), reviewed(&unreadable), 3),
        (
            issued(&json!({"token": SIGNATURE, "expirationTimestamp": "2026-11-21T20:10:00Z"})),
            known(),
            foreign(),
            3,
        ),
    ] {
        let server = ApiServer::that(issued, known, reviewed);
        assert_eq!(server.issue().await, Err(NotIssued::NoAnswer));
        let said = log.said();
        assert_eq!(
            said.matches("an answer about a token").count(),
            complaints,
            "{said}"
        );
        assert!(!said.contains(SIGNATURE), "{said}");
    }
    let said = log.said();
    assert!(said.contains("does not say whom it is for"), "{said}");
}
