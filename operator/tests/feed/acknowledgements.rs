//! What sidecars say of bundles.

use std::collections::BTreeMap;

use bytes::Bytes;
use credence_core::Environment;
use credence_core::names::ACK_PATH;
use credence_core::wire::Ack;
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;

use crate::rig::{Operator, ask, bundle, follow, good_token, hello, host};

/// The status of an acknowledgement by the sidecar.
async fn acknowledge(sidecar: &mut SendRequest<Full<Bytes>>, ack: &Ack) -> StatusCode {
    let ack = serde_json::to_vec(ack).unwrap();
    let response = ask(sidecar, Method::POST, ACK_PATH, &good_token(), ack).await;
    response.status()
}

#[tokio::test]
async fn acknowledgements_that_are_no_sidecars_are_refused() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    let mut lines = response.into_body();
    let stream = hello(&mut lines).await;
    let revision = bundle(&mut lines).await.revision;
    let good = Ack {
        stream: stream.clone(),
        revision,
        refused: BTreeMap::new(),
    };
    let other = Ack {
        stream: "0".repeat(32),
        ..ack(&good)
    };
    assert_eq!(
        acknowledge(&mut sidecar, &other).await,
        StatusCode::CONFLICT
    );
    let long = Ack {
        refused: BTreeMap::from([("openai".to_owned(), "x".repeat(70_000))]),
        ..ack(&good)
    };
    assert_eq!(
        acknowledge(&mut sidecar, &long).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        acknowledge(&mut sidecar, &good).await,
        StatusCode::NO_CONTENT
    );
    let mut endless = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (mut sidecar, good) = (sidecar.clone(), ack(&good));
        endless.spawn(async move { acknowledge(&mut sidecar, &good).await });
    }
    let answers = endless.join_all().await;
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS));

    // The stream goes on, and is still counted as what it said before.
    operator.plan(Environment::Development, 2, "two.test");
    let second = bundle(&mut lines).await;
    assert_eq!(host(&second).as_deref(), Some("two.test"));
}

fn ack(ack: &Ack) -> Ack {
    Ack {
        stream: ack.stream.clone(),
        revision: ack.revision.clone(),
        refused: ack.refused.clone(),
    }
}
