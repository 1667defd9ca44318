//! How long a route waits for its API.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::provider::Provider;
use crate::rig::Rig;

const GET: &str = "GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// A provider that reads one request and goes on once it is told to.
async fn told(answer: &'static str, rest: &'static str) -> (Provider, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel(1);
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let provider = Provider::start(move |mut peer| {
        let told = std::sync::Arc::clone(&told);
        async move {
            peer.head().await;
            peer.send(answer).await;
            told.lock().await.recv().await;
            peer.send(rest).await;
            peer.ended().await;
        }
    })
    .await;
    (provider, tell)
}

#[tokio::test]
async fn an_api_that_says_nothing_times_out_by_the_routes_own_limit() {
    let (provider, _tell) = told("", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = SHORT;
        route.timeouts.idle = LONG;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (504, Some("upstream-timeout"))
    );
    assert!(answer.text().contains(r#""collection":"api""#));
}

#[tokio::test]
async fn an_interim_answer_is_not_the_first_byte() {
    let (provider, _tell) = told("HTTP/1.1 103 Early Hints\r\n\r\n", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = SHORT;
        route.timeouts.idle = LONG;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    assert!(caller.head().await.starts_with("HTTP/1.1 103 "));
    assert_eq!(caller.answer().await.slug(), Some("upstream-timeout"));
}

#[tokio::test]
async fn a_provider_may_think_longer_than_it_may_pause() {
    let (provider, tell) = told("", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = LONG;
        route.timeouts.idle = SHORT;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    let silence = tokio::time::timeout(3 * SHORT, caller.head()).await;
    assert!(silence.is_err());
    tell.send(()).await.unwrap();
    assert_eq!(caller.answer().await.text(), "ok");
}

#[tokio::test]
async fn a_head_that_has_begun_must_go_on() {
    let (provider, _tell) = told("HTTP/1.1 200 OK\r\n", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = LONG;
        route.timeouts.idle = SHORT;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    assert_eq!(caller.answer().await.slug(), Some("upstream-timeout"));
}

#[tokio::test]
async fn a_body_that_pauses_for_too_long_is_cut() {
    let (provider, _tell) = told("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = LONG;
        route.timeouts.idle = SHORT;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    assert!(caller.head().await.starts_with("HTTP/1.1 200 "));
    let error = caller.rest().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn the_first_byte_is_waited_for_from_the_end_of_the_upload() {
    let (provider, _tell) = told("", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = SHORT;
        route.timeouts.idle = LONG;
    });
    let mut caller = rig.caller().await;
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
        .await;
    let silence = tokio::time::timeout(3 * SHORT, caller.head()).await;
    assert!(silence.is_err());
    caller.send("cd").await;
    assert_eq!(caller.answer().await.slug(), Some("upstream-timeout"));
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_times_out() {
    // It takes connections and never answers a handshake.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (provider, _tell) = told("", "").await;
    let rig = Rig::whose(&provider, |route| {
        route.base_url = format!("https://{address}").parse().unwrap();
        route.timeouts.connect = SHORT;
    });
    let mut caller = rig.caller().await;
    caller.send(GET).await;
    assert_eq!(caller.answer().await.slug(), Some("upstream-timeout"));
}
