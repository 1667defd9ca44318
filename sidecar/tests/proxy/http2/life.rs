//! Bundles that change and proxies that end, with streams open.

use std::time::{Duration, Instant};

use bytes::Bytes;
use credence_sidecar::{ProxySettings, Timeouts};
use http::Response;
use tokio::sync::mpsc;

use super::caller::{Caller, read, request, soon};
use super::provider;
use crate::provider::Provider;
use crate::rig::{Rig, ready, route};

/// Answers `/v1/endless` with a body that goes on until the channel's sender
/// is dropped, and all others at once.
async fn endless(frames: mpsc::Receiver<()>) -> Provider {
    let frames = std::sync::Mutex::new(Some(frames));
    provider::start(move |mut call| {
        let frames = match call.path() {
            "/v1/endless" => frames.lock().unwrap().take(),
            _ => None,
        };
        async move {
            let Some(mut frames) = frames else {
                return call.answer("ok");
            };
            let mut down = call.begin(Response::new(()));
            while frames.recv().await.is_some() {
                down.send_data(Bytes::from("x"), false).unwrap();
            }
            // Perhaps nobody wants it any more.
            let _ = down.send_data(Bytes::new(), true);
        }
    })
    .await
}

#[tokio::test]
async fn a_withdrawn_collection_loses_its_streams_and_no_other() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let (other_next, frames) = mpsc::channel(1);
    let other = endless(frames).await;
    let rig = Rig::with(&provider);
    let kept = || ("kept", ready(route(&other)));
    rig.apply([("api", ready(route(&provider))), kept()]);
    let mut caller = Caller::connect(rig.address).await;
    let mut bodies = Vec::new();
    for target in ["/api/endless", "/kept/endless"] {
        let get = request("GET", target);
        let (response, _) = caller.send.send_request(get, true).unwrap();
        bodies.push(soon(response).await.unwrap().into_body());
    }
    rig.apply([kept()]);
    let began = Instant::now();
    assert_eq!(caller.get("/api/").await.slug(), Some("unknown-collection"));
    next.send(()).await.unwrap();
    assert_eq!(soon(bodies[0].data()).await.unwrap().unwrap(), "x");
    let error = soon(bodies[0].data()).await.unwrap().unwrap_err();
    assert!(error.is_reset(), "{error}");
    let took = began.elapsed();
    assert!(took > Duration::from_secs(3), "{took:?}");
    other_next.send(()).await.unwrap();
    drop(other_next);
    assert_eq!(read(&mut bodies[1]).await.unwrap().0, b"x");
    assert_eq!(caller.get("/kept/").await.text(), "ok");
}

#[tokio::test]
async fn shutdown_says_goodbye_and_lets_calls_end() {
    let (next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let mut rig = Rig::with(&provider);
    let mut idle = Caller::connect(rig.address).await;
    assert_eq!(idle.get("/").await.status(), 200);
    let mut streaming = Caller::connect(rig.address).await;
    let get = request("GET", "/api/endless");
    let (response, _) = streaming.send.send_request(get, true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    rig.shut_down();
    soon(idle.connection).await.unwrap().unwrap();
    next.send(()).await.unwrap();
    drop(next);
    assert_eq!(read(&mut body).await.unwrap().0, b"x");
    soon(streaming.connection).await.unwrap().unwrap();
    rig.running.await.unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (_next, frames) = mpsc::channel(1);
    let provider = endless(frames).await;
    let mut rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let get = request("GET", "/api/endless");
    let (response, _) = caller.send.send_request(get, true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    let began = Instant::now();
    rig.shut_down();
    rig.running.await.unwrap();
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(1500) && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert!(read(&mut body).await.is_err());
}

/// The clock stands still until everything waits, and then jumps.
#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed_with_a_goodbye() {
    let rig = Rig::empty(ProxySettings {
        timeouts: Timeouts {
            // Shorter than a test waits, by the same clock.
            idle: Duration::from_secs(3),
            ..Timeouts::default()
        },
        ..ProxySettings::default()
    });
    let mut caller = Caller::connect(rig.address).await;
    assert_eq!(caller.get("/").await.status(), 503);
    soon(caller.connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn calls_are_counted_by_collection_and_by_who_answered() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    caller.get("/api/").await;
    caller.get("/nobody/").await;
    let metrics = rig.handle.metrics().render();
    for line in [
        r#"credence_requests_total{collection="",method="GET",code_class="4xx",source="sidecar"} 1"#,
        r#"credence_requests_total{collection="api",method="GET",code_class="2xx",source="upstream"} 1"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
