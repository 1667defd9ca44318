//! Verifications against an API behind TLS.

mod provider;
mod rig;

use std::sync::Arc;
use std::time::Duration;

use credence_broker::{Egress, Network, PrivateNetworks, Trial};
use credence_core::Environment::{Development, Live};
use credence_core::bundle::{Entry, Route};
use credence_core::call::SafeMethod;
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::Outcome;
use crate::log::tests::Log;
use crate::tokens;
use provider::{Provider, Then};
use rig::{KEY, Rig, route, until, verification};

/// What comes of one call to a provider that does this.
async fn outcome_of(then: Then) -> Outcome {
    let provider = Provider::that(vec![then]).await;
    let rig = Rig::leading().await;
    rig.plan(1, &[(Live, route(&provider))]);
    let outcome = rig.outcome(1, Live).await;
    assert_eq!(provider.heard().len(), 1, "it was called again");
    outcome
}

#[tokio::test]
async fn a_call_has_the_credential_and_what_a_callers_would_have() {
    let provider = Provider::answering(200).await;
    let rig = Rig::leading().await;
    rig.plan(1, &[(Live, route(&provider))]);
    assert_eq!(rig.outcome(1, Live).await, Outcome::Answered(200));
    let authority = provider
        .base_url()
        .replace("https://", "")
        .replace("/v1", "");
    let expected = format!(
        "GET /v1/models?limit=1 HTTP/1.1\r\nHost: {authority}\r\nX-Key: {KEY}\r\nAccept: */*\r\n\
         User-Agent: credence/{}\r\nVia: 1.1 credence\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(provider.heard(), [expected]);
}

#[tokio::test]
async fn every_status_is_an_answer_and_none_is_tried_again() {
    for status in [204, 401, 403, 404, 429, 500, 503] {
        let outcome = outcome_of(Then::status(status)).await;
        assert_eq!(outcome, Outcome::Answered(status));
    }
}

#[tokio::test]
async fn no_verification_follows_a_redirect() {
    let elsewhere = Provider::answering(200).await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}/models\r\nContent-Length: 0\r\n\r\n",
        elsewhere.base_url()
    );
    assert_eq!(
        outcome_of(Then::Write(answer)).await,
        Outcome::Answered(302)
    );
    assert_eq!(elsewhere.heard(), [""; 0]);
}

#[tokio::test]
async fn a_body_without_end_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
    let outcome = outcome_of(Then::WriteOn(head.to_owned())).await;
    assert_eq!(outcome, Outcome::Answered(200));
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_given_up() {
    let timeout = Duration::from_millis(500);
    let trial = Trial::new(Egress::default(), PrivateNetworks::AsOrdered, timeout);
    for then in [
        Then::Write(String::new()),
        Then::Write("HTTP/1.1 200 OK\r\nX-Slow: ".to_owned()),
    ] {
        let provider = Provider::that(vec![then]).await;
        let (route, verification) = (route(&provider), verification(SafeMethod::Get));
        let answer = trial.status(&route, &verification, Timestamp::now()).await;
        let expected = "the API gave no answer within 0.5 s".to_owned();
        assert_eq!(Outcome::from(answer), Outcome::NoAnswer(expected));
    }
}

#[tokio::test]
async fn what_is_no_answer_is_not_repeated() {
    for then in [
        Then::Write(format!("SSH-2.0-{KEY}\r\n\r\n")),
        Then::WriteOn("HTTP/1.1 200 OK\r\nX-Filler: ".to_owned()),
    ] {
        let expected = "the API gave no answer".to_owned();
        assert_eq!(outcome_of(then).await, Outcome::NoAnswer(expected));
    }
}

#[tokio::test]
async fn nobody_is_called_whom_nobody_vouches_for() {
    let provider = Provider::answering(200).await;
    let rig = Rig::leading().await;
    let distrusted = Route {
        trust: None,
        ..route(&provider)
    };
    rig.plan(1, &[(Live, distrusted)]);
    let Outcome::NoAnswer(why) = rig.outcome(1, Live).await else {
        panic!("it was called");
    };
    assert!(why.contains("not signed by a trusted authority"), "{why}");
    assert_eq!(provider.heard(), [""; 0]);
}

#[tokio::test]
async fn an_api_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let rig = Rig::leading().await;
    let gone = Route {
        allow_private_networks: true,
        ..Route::to(url.parse().unwrap())
    };
    rig.plan(1, &[(Live, gone)]);
    let Outcome::NoAnswer(why) = rig.outcome(1, Live).await else {
        panic!("it was called");
    };
    assert!(why.contains("refused the connection"), "{why}");
}

/// Whatever the collection allows for pods.
#[tokio::test]
async fn a_verification_cannot_aim_the_operator_at_its_neighbours() {
    let provider = Provider::answering(200).await;
    let loopback: Network = "127.0.0.0/8".parse().unwrap();
    let networks = PrivateNetworks::Only(Arc::new([loopback]));
    let trial = Trial::new(Egress::default(), networks, Duration::from_secs(5));
    let verification = verification(SafeMethod::Get);
    for url in [provider.base_url(), "https://10.20.30.40/".to_owned()] {
        let route = Route {
            base_url: url.parse().unwrap(),
            ..route(&provider)
        };
        let answer = trial.status(&route, &verification, Timestamp::now()).await;
        assert_eq!(Outcome::from(answer), Outcome::Private, "{url}");
    }
    assert_eq!(provider.heard(), [""; 0]);
}

#[tokio::test]
async fn a_head_is_asked_for_where_the_collection_says_so() {
    let provider = Provider::answering(200).await;
    let trial = Trial::new(
        Egress::default(),
        PrivateNetworks::AsOrdered,
        Duration::from_secs(5),
    );
    let verification = verification(SafeMethod::Head);
    let answer = trial
        .status(&route(&provider), &verification, Timestamp::now())
        .await;
    assert_eq!(answer.unwrap(), 200);
    assert!(provider.heard()[0].starts_with("HEAD /v1/models?limit=1 "));
}

#[tokio::test]
async fn a_changed_credential_is_verified_within_a_minute_and_others_once_an_interval() {
    let answers = [401, 200, 200].map(Then::status);
    let provider = Provider::that(answers.to_vec()).await;
    let rig = Rig::leading().await;
    let route = route(&provider);
    rig.plan(1, &[(Live, route.clone())]);
    assert_eq!(rig.outcome(1, Live).await, Outcome::Answered(401));
    rig.pass(59).await;
    rig.plan(2, &[(Live, route.clone())]);
    rig.pass(0).await;
    assert_eq!(provider.heard().len(), 1);
    rig.pass(1).await;
    assert_eq!(rig.outcome(2, Live).await, Outcome::Answered(200));
    assert_eq!(provider.heard().len(), 2);
    rig.pass(3_599).await;
    assert_eq!(provider.heard().len(), 2);
    // A tenth of the interval later at the most.
    rig.pass(361).await;
    until(|| (provider.heard().len() == 3).then_some(())).await;
}

#[tokio::test]
async fn each_environment_is_verified_with_its_own_credential() {
    let (live, development) = (
        Provider::answering(200).await,
        Provider::answering(401).await,
    );
    let rig = Rig::leading().await;
    rig.plan(
        1,
        &[(Live, route(&live)), (Development, route(&development))],
    );
    assert_eq!(rig.outcome(1, Live).await, Outcome::Answered(200));
    assert_eq!(rig.outcome(1, Development).await, Outcome::Answered(401));
    assert_eq!((live.heard().len(), development.heard().len()), (1, 1));
}

#[tokio::test]
async fn only_the_replica_that_leads_calls() {
    let provider = Provider::answering(200).await;
    let follower = Rig::start(false, PrivateNetworks::AsOrdered);
    let leader = Rig::leading().await;
    for rig in [&follower, &leader] {
        rig.plan(1, &[(Live, route(&provider))]);
    }
    assert_eq!(leader.outcome(1, Live).await, Outcome::Answered(200));
    assert_eq!(provider.heard().len(), 1);
    leader.follow().await;
    follower.lead().await;
    // Its first call is spread over five minutes.
    follower.pass(300).await;
    assert_eq!(follower.outcome(1, Live).await, Outcome::Answered(200));
    assert_eq!(provider.heard().len(), 2);
}

#[tokio::test]
async fn what_needs_a_token_is_verified_when_it_has_one_of_the_order_in_force() {
    let provider = Provider::answering(200).await;
    let rig = Rig::leading().await;
    let Entry::Ready(on_token) = tokens::tests::on_token() else {
        panic!("it has a route");
    };
    let on_token = Route {
        headers: on_token.headers.clone(),
        ..route(&provider)
    };
    let (earlier, order) = (tokens::tests::order(1), tokens::tests::order(2));
    rig.plan_with_token(on_token, &order);
    rig.keep(&tokens::tests::record(&earlier, "earlier", None));
    rig.pass(3_600).await;
    let ended = Some(Timestamp::UNIX_EPOCH);
    rig.keep(&tokens::tests::record(&order, "ended", ended));
    rig.pass(1).await;
    rig.keep(&tokens::tests::record(&order, "t0k", None));
    assert_eq!(rig.outcome(1, Live).await, Outcome::Answered(200));
    let heard = provider.heard();
    assert_eq!(heard.len(), 1);
    assert!(
        heard[0].contains("\r\nAuthorization: Bearer t0k\r\n"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn no_verification_writes_a_secret_down() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.writer())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let answer = format!("HTTP/1.1 401 {KEY}\r\nX-Echo: {KEY}\r\nContent-Length: 15\r\n\r\n{KEY}");
    let provider = Provider::that(vec![Then::Write(answer)]).await;
    let rig = Rig::leading().await;
    rig.plan(1, &[(Live, route(&provider))]);
    assert_eq!(rig.outcome(1, Live).await, Outcome::Answered(401));
    let said = log.said();
    assert!(said.contains("a credential was verified"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    let kept = format!(
        "{:?} {:?}",
        rig.catalogue.verified("u"),
        rig.catalogue.verifiable()
    );
    assert!(!kept.contains(KEY), "{kept}");
}
