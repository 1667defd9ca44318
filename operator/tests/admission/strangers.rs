//! Who is no API server, which nobody can see.

use std::sync::Arc;
use std::time::Duration;

use credence_operator::server::HTTP1;
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use crate::rig::{Asker, JSON, SERVICE, Tls, Webhook, admitted, pod, request, resident, review};

/// How long an API server waits for a webhook, at the most of ours.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than reviews on their way may have together, connections need and an
/// allocator keeps; less than half of what is sent here.
const MEMORY: u64 = 144 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_leave_connections_to_the_api_server_however_many_they_open() {
    let webhook = Webhook::start().await;
    let settings = Arc::new(webhook.settings());
    let before = webhook.http2().await;
    admitted(before.clone(), settings.clone(), 1).await;
    let mut strangers = Vec::new();
    let mut hung_up = 0;
    for number in 0..300 {
        match stranger(&webhook, [127, 0, 0, 2], number).await {
            Some(asker) => strangers.push(asker),
            None => hung_up += 1,
        }
    }
    assert_eq!((strangers.len(), hung_up), (64, 236));
    for address in 3..=12 {
        for number in 0..60 {
            let asker = stranger(&webhook, [127, 0, 0, address], number).await;
            strangers.extend(asker);
        }
    }
    let took = admitted(before, settings.clone(), 2).await;
    assert!(took < PATIENCE, "{took:?}");
    let asker = webhook.http2().await;
    let took = admitted(asker, settings, 3).await;
    assert!(took < PATIENCE, "{took:?}");
    let mut left = 0;
    for asker in &strangers {
        let request = request("GET", "/", JSON, "");
        left += usize::from(asker.try_to_ask(request).await.is_ok());
    }
    assert!(left > 256, "they hold {left} of 512 places");
}

/// One who knows how a review is written, and can stay for that. None if the
/// webhook hangs up.
async fn stranger(webhook: &Webhook, source: [u8; 4], number: u32) -> Option<Asker> {
    let asker = webhook.http2_from(source).await?;
    let review = review("u", &pod(number));
    let (status, _) = asker.ask(request("POST", "/inject", JSON, review)).await;
    assert_eq!(status, StatusCode::OK);
    Some(asker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_never_end_keep_no_review_waiting_and_memory_bounded() {
    let webhook = Arc::new(Webhook::start().await);
    let settings = Arc::new(webhook.settings());
    let asker = webhook.http2().await;
    admitted(asker.clone(), settings.clone(), 1).await;
    let before = resident();
    let mut bodies = JoinSet::new();
    for number in 0..80 {
        let webhook = webhook.clone();
        bodies.spawn(async move { endless(&webhook, [127, 0, 0, 2 + number / 16]).await });
    }
    // As far as they get.
    let held = bodies.join_all().await;
    for number in 0..50 {
        let took = admitted(asker.clone(), settings.clone(), number).await;
        assert!(took < PATIENCE, "{took:?}");
    }
    let mut large = pod(1);
    // What is text is no part of it, however it looks.
    large["metadata"]["annotations"]["large"] = json!("{\"[".repeat(512 * 1024));
    let variable = |number: u32| json!({"name": format!("V{number}"), "value": "{}"});
    let variables: Vec<_> = (0..2000).map(variable).collect();
    large["spec"]["containers"][0]["env"] = json!(variables);
    let large = request("POST", "/inject", JSON, review("u", &large));
    let (status, _) = asker.ask(large).await;
    assert_eq!(status, StatusCode::OK);
    let grown = resident().saturating_sub(before);
    println!("memory {} KiB more", grown / 1024);
    assert!(grown < MEMORY, "{grown} bytes more");
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_many_parts_is_answered_however_many_addresses_have_begun_a_review() {
    let webhook = Arc::new(Webhook::start().await);
    let asker = webhook.http2().await;
    let mut bodies = JoinSet::new();
    for number in 2..102 {
        let webhook = webhook.clone();
        bodies.spawn(async move { endless(&webhook, [127, 0, 0, number]).await });
    }
    let held = bodies.join_all().await;
    let variable = |number: u32| json!({"name": format!("V{number}"), "value": "v"});
    let mut parts = pod(1);
    parts["spec"]["containers"][0]["env"] = (0..1000).map(variable).collect();
    for _ in 0..10 {
        let parts = request("POST", "/inject", JSON, review("u", &parts));
        assert_eq!(asker.ask(parts).await.0, StatusCode::OK);
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_review_that_would_take_a_lot_of_memory_is_not_answered() {
    let webhook = Webhook::start().await;
    let settings = Arc::new(webhook.settings());
    let asker = webhook.http2().await;
    admitted(asker.clone(), settings.clone(), 1).await;
    let before = resident();
    // Written as text: as a tree, the test would have it too.
    let one = String::from_utf8(review("u", &pod(1))).unwrap();
    let containers = r#"{"name":"a"},"#.repeat(150_000);
    let many = one.replacen(
        r#""containers":["#,
        &format!(r#""containers":[{containers}"#),
        1,
    );
    assert!(many.len() > 150_000 && many.len() < 3 * 1024 * 1024);
    let stranger = webhook.http2_from([127, 0, 0, 2]).await.unwrap();
    let (status, _) = stranger.ask(request("POST", "/inject", JSON, many)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    admitted(asker, settings, 2).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes more");
}

/// A review of which four MiB are sent, and the rest never.
async fn endless(webhook: &Webhook, source: [u8; 4]) -> Option<Tls> {
    let mut tls = webhook.tls(source, HTTP1).await?;
    let head = format!(
        "POST /inject HTTP/1.1\r\nhost: {SERVICE}\r\ncontent-type: {JSON}\r\n\
         content-length: 9000000\r\n\r\n"
    );
    tls.write_all(head.as_bytes()).await.ok()?;
    for _ in 0..4 * 64 {
        tls.write_all(&[b' '; 16 * 1024]).await.ok()?;
    }
    Some(tls)
}

#[tokio::test]
async fn who_asks_nothing_that_is_a_review_may_not_stay() {
    let webhook = Webhook::start().await;
    let settings = Arc::new(webhook.settings());
    let api_server = webhook.http2().await;
    admitted(api_server.clone(), settings.clone(), 1).await;
    let stranger = webhook.http2().await;
    let (status, _) = stranger.ask(request("POST", "/inject", JSON, "{}")).await;
    assert_eq!(status, StatusCode::OK);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    let Asker::Http2(mut connection) = stranger else {
        unreachable!("it is one of HTTP/2");
    };
    while connection.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    admitted(api_server, settings, 2).await;
}
