//! Frames that no well-meaning caller sends, written by hand.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use credence_sidecar::{ProxySettings, Timeouts};
use h2::Reason;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::caller::{Caller, answer, request, soon};
use super::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, PSEUDO, RST_STREAM, Raw, block,
};
use super::provider;
use crate::rig::{Rig, ready, route};

#[tokio::test]
async fn malformed_requests_are_reset_and_reach_nobody() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let plus = |field| [&PSEUDO[..], &[field]].concat();
    let without = |name| {
        let rest = PSEUDO.into_iter().filter(|(found, _)| *found != name);
        rest.collect::<Vec<_>>()
    };
    for fields in [
        plus(("connection", "close")),
        plus(("keep-alive", "timeout=5")),
        plus(("proxy-connection", "keep-alive")),
        plus(("upgrade", "websocket")),
        plus(("transfer-encoding", "chunked")),
        plus(("te", "gzip")),
        plus((":path", "/api/other")),
        plus((":authority", "evil.example")),
        plus((":status", "200")),
        plus((":protocol", "websocket")),
        plus((":unknown", "x")),
        plus(("X-Upper", "x")),
        plus(("x a", "x")),
        plus(("", "x")),
        plus(("x-a", "b\r\nauthorization: mine")),
        plus(("x-a", "b\0")),
        plus(("content-length", "5")),
        plus(("content-length", "x")),
        without(":method"),
        without(":scheme"),
        without(":path"),
        [&[("x-a", "b")], &PSEUDO[..]].concat(),
        [("", "")].to_vec(),
    ] {
        let mut raw = Raw::connect(rig.address).await;
        let flags = END_STREAM | END_HEADERS;
        raw.send(HEADERS, flags, 1, &block(&fields)).await;
        assert!(raw.is_refused(1).await, "{fields:?}");
    }
    assert_eq!(provider.heads(), [""; 0]);
}

#[tokio::test]
async fn what_only_begins_like_http_2_is_closed() {
    let rig = Rig::empty(ProxySettings::default());
    for rest in [&b"XX\r\n\r\n"[..], b"SM\r\n\r\nGET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
        stream.write_all(rest).await.unwrap();
        let mut said = Vec::new();
        // A reset is an end, too.
        let _ = soon(stream.read_to_end(&mut said)).await;
        assert!(!said.starts_with(b"HTTP/1"), "{said:?}");
    }
}

/// The clock stands still until everything waits, and then jumps.
#[tokio::test(start_paused = true)]
async fn a_preface_that_does_not_end_is_not_waited_for() {
    let rig = Rig::empty(ProxySettings {
        timeouts: Timeouts {
            head: Duration::from_secs(3),
            ..Timeouts::default()
        },
        ..ProxySettings::default()
    });
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(&PREFACE[..20]).await.unwrap();
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
}

#[tokio::test]
async fn resets_without_end_end_the_connection() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut raw = Raw::connect(rig.address).await;
    let fields = block(&PSEUDO);
    let mut stream = 1;
    while stream < 200_001 {
        let begun = raw.send(HEADERS, END_HEADERS, stream, &fields).await;
        if !begun || !raw.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await {
            break;
        }
        stream += 2;
    }
    assert!(stream < 200_001, "all of them were taken");
    let mut last = None;
    while let Some(frame) = raw.frame().await {
        last = Some(frame);
    }
    // ENHANCE_YOUR_CALM, unless the reset of the connection took it along.
    let calm = last.is_none_or(|frame| frame.kind != GOAWAY || frame.payload[7] == 11);
    assert!(calm);
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let rig = Rig::empty(ProxySettings::default());
    let mut raw = Raw::connect(rig.address).await;
    raw.send(HEADERS, END_STREAM, 1, &block(&PSEUDO)).await;
    let more = block(&[("x-a", &"b".repeat(100))]).repeat(100);
    let mut taken = 0;
    while taken < 100 * 1024 * 1024 && raw.send(CONTINUATION, 0, 1, &more).await {
        taken += more.len();
    }
    assert!(taken < 100 * 1024 * 1024, "{taken} bytes were taken");
}

/// Calls that end in every bad way, on both sides.
#[tokio::test]
async fn nothing_is_left_of_calls_that_ended_badly() {
    let together = Arc::new(Barrier::new(64));
    let provider = provider::start(move |mut call| {
        let together = Arc::clone(&together);
        async move {
            match call.path() {
                "/v1/together" => {
                    together.wait().await;
                    call.answer("ok");
                }
                "/v1/reset" => call.respond.send_reset(Reason::INTERNAL_ERROR),
                "/v1/late" => {
                    let mut down = call.begin(Response::new(()));
                    let _ = call.body.data().await;
                    down.send_reset(Reason::CANCEL);
                }
                "/v1/early" => call.answer("enough"),
                "/v1/silent" => {
                    let _ = call.whole().await;
                    let _ = poll_fn(|cx| call.respond.poll_reset(cx)).await;
                }
                other => panic!("{other}"),
            }
        }
    })
    .await;
    let rig = Rig::empty(ProxySettings {
        // Less than all of them, more than there are at one time.
        max_connections: 100,
        ..ProxySettings::default()
    });
    rig.apply([("api", ready(route(&provider)))]);
    for round in 0..20 {
        let mut caller = Caller::connect(rig.address).await;
        let mut open = Vec::new();
        for path in ["reset", "late", "early", "silent"] {
            let post = request("POST", &format!("/api/{path}"));
            let (response, mut up) = caller.begin(post).await;
            let _ = up.send_data("some".into(), false);
            match (path, round % 3) {
                ("silent", 0) => up.send_reset(Reason::CANCEL),
                ("silent", _) | (_, 0) => open.push((response, up)),
                (_, 1) => drop((response, up)),
                _ => drop(answer(response).await),
            }
        }
        // With what is open.
        caller.connection.abort();
    }
    let metrics = rig.handle.metrics();
    soon(async {
        while !metrics
            .render()
            .contains("\ncredence_client_connections 0\n")
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut calls = JoinSet::new();
    let mut caller = Caller::connect(rig.address).await;
    for _ in 0..64 {
        let get = request("GET", "/api/together");
        let (response, _) = caller.send.send_request(get, true).unwrap();
        calls.spawn(async { answer(response).await.unwrap().status() });
    }
    assert_eq!(calls.join_all().await, [200; 64]);
    // All its streams were free.
    assert_eq!(provider.connections(), 1);
}
