//! What sidecars are sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Environment;
use credence_core::names::{ACK_PATH, FEED_PATH};
use credence_core::wire::{Ack, Event};
use credence_operator::readiness::Check;
use http::{Method, StatusCode};

use crate::rig::{Operator, ask, bundle, event, follow, good_token, host, key, token};

#[tokio::test]
async fn a_sidecar_follows_what_is_planned_and_acknowledges_it() {
    let operator = Operator::start().await;
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut lines = response.into_body();
    let Event::Hello {
        stream,
        max_age_seconds,
    } = event(&mut lines).await
    else {
        panic!("a stream begins with hello");
    };
    assert!(
        (2430..=2970).contains(&max_age_seconds),
        "{max_age_seconds}"
    );
    let first = bundle(&mut lines).await;
    assert_eq!(
        (first.environment, host(&first)),
        (Environment::Development, Some("one.test".to_owned()))
    );

    operator.plan(Environment::Development, 2, "two.test");
    let second = bundle(&mut lines).await;
    assert_eq!(host(&second).as_deref(), Some("two.test"));
    assert_ne!(first.revision, second.revision);

    let ack = Ack {
        stream,
        revision: second.revision,
        refused: BTreeMap::new(),
    };
    let ack = serde_json::to_vec(&ack).unwrap();
    let mut other = operator.connect().await;
    let response = ask(
        &mut other,
        Method::POST,
        ACK_PATH,
        &good_token(),
        ack.clone(),
    )
    .await;
    assert_eq!(
        response.status(),
        StatusCode::CONFLICT,
        "it is another connection's stream"
    );
    let response = ask(&mut sidecar, Method::POST, ACK_PATH, &good_token(), ack).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let counts = operator.streams.counts();
    let count = &counts[&key()];
    assert_eq!((count.connected, count.current), (1, 1));
}

#[tokio::test]
async fn what_was_planned_for_live_is_gone_before_development_is_planned() {
    let operator = Operator::start().await;
    operator.label(Environment::Live);
    operator.plan(Environment::Live, 1, "live.test");
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    let mut lines = response.into_body();
    event(&mut lines).await;
    assert_eq!(
        host(&bundle(&mut lines).await).as_deref(),
        Some("live.test")
    );

    operator.label(Environment::Development);
    let withdrawn = bundle(&mut lines).await;
    assert_eq!(
        (withdrawn.environment, host(&withdrawn)),
        (Environment::Development, None)
    );
    operator.plan(Environment::Development, 1, "development.test");
    assert_eq!(
        host(&bundle(&mut lines).await).as_deref(),
        Some("development.test")
    );
}

#[tokio::test]
async fn a_replica_that_has_not_listed_everything_sends_nothing() {
    let operator = Operator::start().await;
    operator.readiness.set(Check::Collections, false);
    let mut sidecar = operator.connect().await;
    let response = follow(&mut sidecar).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// After an operator's restart every sidecar comes back at once. A token and a
/// pod for all of them is enough here, since each has an address of its own.
#[tokio::test]
async fn hundreds_of_sidecars_that_come_at_once_all_get_their_bundle() {
    let operator = Arc::new(Operator::start().await);
    operator.plan(Environment::Development, 1, "one.test");
    let mut sidecars = tokio::task::JoinSet::new();
    for number in 0..400_u16 {
        let operator = operator.clone();
        sidecars.spawn(async move {
            let [high, low] = number.to_be_bytes();
            let mut sidecar = operator.connect_from([127, 1, high, low]).await.unwrap();
            let token = token(&format!("web-{number}"));
            let response = ask(&mut sidecar, Method::GET, FEED_PATH, &token, Vec::new()).await;
            assert_eq!(response.status(), StatusCode::OK);
            let mut lines = response.into_body();
            event(&mut lines).await;
            host(&bundle(&mut lines).await)
        });
    }
    let hosts = sidecars.join_all().await;
    assert!(hosts.iter().all(|host| host.as_deref() == Some("one.test")));
}
