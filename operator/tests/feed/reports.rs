//! What sidecars say of credentials.

use credence_core::Environment;
use credence_core::names::REPORT_PATH;
use credence_core::reception::Said;
use http::{Method, StatusCode};
use serde_json::json;

use crate::rig::{Operator, ask, bundle, follow, good_token, hello, key};

#[tokio::test]
async fn a_sidecar_reports_for_itself_and_of_what_it_was_sent() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    let mut lines = response.into_body();
    let stream = hello(&mut lines).await;
    let revision = bundle(&mut lines).await.revision;
    let report = |stream: &str, collection: &str, status: u16| {
        json!({
            "stream": stream,
            "revision": revision,
            "collection": collection,
            "status": status,
            "worked": true,
        })
        .to_string()
        .into_bytes()
    };
    let mut other = operator.connect().await;
    let honest = report(&stream, "openai", 401);
    let response = ask(
        &mut other,
        Method::POST,
        REPORT_PATH,
        &good_token(),
        honest.clone(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    for (content, status) in [
        (report("another", "openai", 401), StatusCode::CONFLICT),
        (report(&stream, "stripe", 401), StatusCode::FORBIDDEN),
        (report(&stream, "openai", 403), StatusCode::BAD_REQUEST),
        (b"{}".to_vec(), StatusCode::BAD_REQUEST),
        (vec![b' '; 5000], StatusCode::BAD_REQUEST),
    ] {
        let shown = String::from_utf8_lossy(&content).into_owned();
        let response = ask(
            &mut sidecar,
            Method::POST,
            REPORT_PATH,
            &good_token(),
            content,
        )
        .await;
        assert_eq!(response.status(), status, "{shown}");
    }
    let rejected = || {
        let counts = operator.streams.counts();
        counts[&key()].rejected.clone()
    };
    assert!(rejected().is_empty());
    for (content, status) in [
        (honest.clone(), StatusCode::NO_CONTENT),
        (honest, StatusCode::NO_CONTENT),
        (
            report(&stream, "openai", 200),
            StatusCode::TOO_MANY_REQUESTS,
        ),
    ] {
        let response = ask(
            &mut sidecar,
            Method::POST,
            REPORT_PATH,
            &good_token(),
            content,
        )
        .await;
        assert_eq!(response.status(), status);
    }
    // A token that is refused is renewed first.
    let token = json!({"stream": stream, "revision": revision, "collection": "openai",
        "status": 403, "worked": true, "generation": 7});
    let token = token.to_string().into_bytes();
    let response = ask(
        &mut sidecar,
        Method::POST,
        REPORT_PATH,
        &good_token(),
        token,
    )
    .await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let said: Vec<Said> = rejected().into_values().collect();
    let expected = Said {
        status: Some(401),
        worked: true,
        generation: None,
        named: false,
    };
    assert_eq!(said, [expected]);
    operator.plan(Environment::Development, 2, "two.test");
    bundle(&mut lines).await;
    assert!(rejected().is_empty());
}
