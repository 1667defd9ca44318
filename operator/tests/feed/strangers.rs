//! Who gets nothing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use credence_core::Environment;
use credence_core::names::FEED_PATH;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;

use crate::rig::{Operator, ask, follow, good_token, token};

#[tokio::test]
async fn nobody_without_the_token_gets_anything() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut stranger = operator.connect().await;
    for other in ["other", &token("other")] {
        let response = ask(&mut stranger, Method::GET, FEED_PATH, other, Vec::new()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        operator.reviews.load(Ordering::Relaxed),
        1,
        "what is no token is not reviewed"
    );
    let response = ask(&mut stranger, Method::GET, "/", &good_token(), Vec::new()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_pod_whose_sidecar_dials_somebody_else_gets_nothing() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    for pod in ["web-elsewhere", "web-deceived"] {
        let mut bearer = operator.connect().await;
        let response = ask(&mut bearer, Method::GET, FEED_PATH, &token(pod), Vec::new()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{pod}");
        let said = response.into_body().collect().await.unwrap().to_bytes();
        assert!(said.starts_with(b"the sidecar container has another feed"));
    }
    let mut sidecar = operator.connect().await;
    assert_eq!(follow(&mut sidecar).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn bad_attempts_without_end_are_not_passed_on_and_keep_nobody_waiting() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut stranger = operator.connect_from([127, 0, 0, 2]).await.unwrap();
    let mut refused = BTreeMap::<u16, usize>::new();
    for number in 0..1000 {
        let bad = token(&format!("bad{number}"));
        let response = ask(&mut stranger, Method::GET, FEED_PATH, &bad, Vec::new()).await;
        *refused.entry(response.status().as_u16()).or_default() += 1;
    }
    let reviews = operator.reviews.load(Ordering::Relaxed);
    // A second of patience each beyond the first; the machine may be slow.
    assert!(reviews < 200, "{reviews} of 1000 were reviewed");
    assert_eq!(refused.get(&401), Some(&reviews), "{refused:?}");
    assert_eq!(refused.get(&429), Some(&(1000 - reviews)), "{refused:?}");

    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn connections_that_prove_nothing_are_bounded_for_each_address() {
    let operator = Operator::start().await;
    let mut held = Vec::new();
    let mut hung_up = 0;
    for _ in 0..70 {
        match operator.connect_from([127, 0, 0, 2]).await {
            Some(connection) => held.push(connection),
            None => hung_up += 1,
        }
    }
    assert_eq!((held.len(), hung_up), (64, 6));
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    assert_eq!(response.status(), StatusCode::OK);
}
