//! Bundles that change and proxies that end, with calls under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use credence_core::bundle::{OnConflict, Unavailable};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::provider::Provider;
use crate::rig::{Rig, placed, ready, route, unavailable};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers with a body that goes on until the channel's sender is dropped.
async fn endless(frames: mpsc::Receiver<()>) -> Provider {
    let frames = std::sync::Mutex::new(Some(frames));
    Provider::start(move |mut peer| {
        let frames = frames.lock().unwrap().take();
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            if let Some(mut frames) = frames {
                while frames.recv().await.is_some() {
                    peer.send("1\r\nx\r\n").await;
                }
            }
            peer.send("0\r\n\r\n").await;
            peer.ended().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_rotated_key_is_used_at_once_and_fails_no_call() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let done = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (mut caller, done) = (rig.caller().await, Arc::clone(&done));
        callers.spawn(async move {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(caller.get("/api/").await.text(), "ok");
                calls += 1;
            }
            calls
        });
    }
    let mut seen = String::new();
    for round in 0..20 {
        let key = format!("key-{round}.");
        let mut rotated = route(&provider);
        rotated.headers = vec![placed("Authorization", &key, OnConflict::Replace)];
        rig.apply([("api", ready(rotated))]);
        assert_eq!(rig.caller().await.get("/api/mine").await.text(), "ok");
        let heads = provider.heads();
        seen = heads
            .into_iter()
            .rfind(|head| head.starts_with("GET /v1/mine"))
            .unwrap();
        assert!(seen.contains(&key), "{seen}");
    }
    done.store(true, Ordering::Relaxed);
    let calls: usize = callers.join_all().await.into_iter().sum();
    assert!(calls > 0 && seen.contains("key-19."));
    // The same server, trusted alike: its connections serve all keys.
    assert!(provider.connections() <= 9, "{}", provider.connections());
}

#[tokio::test]
async fn a_withdrawn_collection_is_refused_at_once_and_its_streams_end_after_five_seconds() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let rig = Rig::with(&provider);
    let mut streaming = rig.caller().await;
    streaming
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    streaming.head().await;
    let mut waiting = rig.caller().await;
    rig.apply([("api", unavailable(Unavailable::CredentialsMissing))]);
    assert_eq!(
        waiting.get("/api/").await.slug(),
        Some("credentials-missing")
    );
    rig.apply([]);
    assert_eq!(
        waiting.get("/api/").await.slug(),
        Some("unknown-collection")
    );
    next.send(()).await.unwrap();
    assert_eq!(streaming.until("x\r\n").await, "1\r\nx\r\n");
    let began = Instant::now();
    let error = streaming.rest().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(
        began.elapsed() > Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        waiting.get("/api/").await.slug(),
        Some("unknown-collection")
    );
}

#[tokio::test]
async fn a_rotation_ends_no_stream() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let rig = Rig::with(&provider);
    let mut streaming = rig.caller().await;
    streaming
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    streaming.head().await;
    let mut rotated = route(&provider);
    rotated.headers = vec![placed("Authorization", "new", OnConflict::Replace)];
    rig.apply([("api", ready(rotated))]);
    next.send(()).await.unwrap();
    assert_eq!(streaming.until("x\r\n").await, "1\r\nx\r\n");
    drop(next);
    assert_eq!(streaming.until("\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn shutdown_closes_what_is_idle_and_lets_calls_end() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let mut rig = Rig::with(&provider);
    let mut idle = rig.caller().await;
    idle.get("/").await;
    let mut streaming = rig.caller().await;
    streaming
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    streaming.head().await;
    rig.shut_down();
    assert!(idle.is_closed().await);
    next.send(()).await.unwrap();
    drop(next);
    assert_eq!(streaming.until("0\r\n\r\n").await, "1\r\nx\r\n0\r\n\r\n");
    rig.running.await.unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_connection_whose_call_has_ended() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let mut rig = Rig::with(&provider);
    let mut streaming = rig.caller().await;
    streaming
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    streaming.head().await;
    let began = Instant::now();
    rig.shut_down();
    drop(next);
    assert_eq!(streaming.until("0\r\n\r\n").await, "0\r\n\r\n");
    rig.running.await.unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (_next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let mut rig = Rig::with(&provider);
    let mut streaming = rig.caller().await;
    streaming
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    streaming.head().await;
    let began = Instant::now();
    rig.shut_down();
    rig.running.await.unwrap();
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(1500) && took < Duration::from_secs(10),
        "{took:?}"
    );
}
