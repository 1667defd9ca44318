//! Connections that go on in another protocol.

use std::time::{Duration, Instant};

use crate::provider::{Provider, field};
use crate::rig::{KEY, Rig};

const HANDSHAKE: &str = "GET /api/socket HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, upgrade\r\n\
                         upgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: xyz\r\n\r\n";

/// Switches, says `hello`, and then repeats what it hears until that ends.
async fn echo() -> Provider {
    Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send([SWITCH, "hello"].concat()).await;
        loop {
            let bytes = peer.some().await;
            if bytes.is_empty() {
                peer.send("bye").await;
                return peer.close().await;
            }
            peer.send(bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_websocket_gets_the_credential_in_its_handshake_and_then_carries_bytes() {
    let provider = echo().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    let head = caller.head().await;
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    assert_eq!(field(&head, "connection"), Some("Upgrade"));
    assert_eq!(field(&head, "sec-websocket-accept"), Some("xyz"));
    assert_eq!(caller.bytes(5).await, b"hello");
    let sent = provider.head();
    assert!(sent.starts_with("GET /v1/socket HTTP/1.1\r\n"));
    assert_eq!(field(&sent, "authorization"), Some(KEY));
    assert_eq!(field(&sent, "connection"), Some("Upgrade"));
    assert_eq!(field(&sent, "upgrade"), Some("WebSocket"));
    assert_eq!(field(&sent, "sec-websocket-key"), Some("abc"));
    let frame = [0x81, 0, 0xff, 0x0a];
    for _ in 0..3 {
        caller.send(frame).await;
        assert_eq!(caller.bytes(4).await, frame);
    }
    // The provider hears the end of one direction, and answers in the other.
    caller.end_sending().await;
    assert_eq!(caller.rest().await.unwrap(), b"bye");
    let counted = r#"{collection="api",method="GET",code_class="1xx",source="upstream"} 1"#;
    assert!(rig.handle.metrics().render().contains(counted));
}

#[tokio::test]
async fn what_was_sent_right_behind_the_handshake_is_passed_on() {
    let provider = echo().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send([HANDSHAKE, "early"].concat()).await;
    caller.head().await;
    assert_eq!(caller.bytes(10).await, b"helloearly");
}

#[tokio::test]
async fn an_upgrade_has_a_connection_of_http_11_of_its_own() {
    let provider = Provider::accept(&[b"h2", b"http/1.1"], |stream, heads| async move {
        let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(chosen.as_deref(), Some(&b"http/1.1"[..]));
        let mut peer = crate::provider::Peer::new(stream, heads);
        peer.head().await;
        peer.send(SWITCH).await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    assert!(caller.head().await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test]
async fn an_answer_that_does_not_switch_is_an_ordinary_one() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            peer.send("HTTP/1.1 403 No\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno")
                .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    let answer = caller.answer().await;
    assert_eq!((answer.status(), answer.text()), (403, "no"));
    assert_eq!(answer.field("upgrade"), None);
    assert_eq!(caller.get("/api/").await.status(), 403);
}

#[tokio::test]
async fn a_switch_to_what_nobody_asked_for_is_no_answer() {
    for switch in [
        SWITCH.replace("websocket", "h2c"),
        SWITCH.replace("Connection: Upgrade\r\n", ""),
    ] {
        let provider = Provider::start(move |mut peer| {
            let switch = switch.clone();
            async move {
                peer.head().await;
                peer.send(switch).await;
                peer.ended().await;
            }
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = rig.caller().await;
        caller.send(HANDSHAKE).await;
        assert_eq!(caller.answer().await.slug(), Some("upstream-unreachable"));
    }
}

#[tokio::test]
async fn an_upgrade_that_is_no_get_reaches_nobody() {
    let provider = echo().await;
    let rig = Rig::with(&provider);
    for request in [
        HANDSHAKE.replace("GET", "POST"),
        HANDSHAKE.replace(
            "upgrade: WebSocket\r\n",
            "upgrade: WebSocket\r\nContent-Length: 1\r\n",
        ),
    ] {
        let mut caller = rig.caller().await;
        caller.send(request).await;
        let answer = caller.answer().await;
        assert_eq!(
            (answer.status(), answer.slug()),
            (501, Some("not-implemented"))
        );
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_tunnel_that_is_silent_for_too_long_is_cut() {
    let provider = echo().await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.idle = Duration::from_millis(200);
    });
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    caller.head().await;
    assert_eq!(caller.bytes(5).await, b"hello");
    let error = caller.rest().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_tunnel_of_a_withdrawn_collection_ends_after_five_seconds() {
    let provider = echo().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    caller.head().await;
    caller.bytes(5).await;
    rig.apply([]);
    let began = Instant::now();
    caller.send("x").await;
    assert_eq!(caller.bytes(1).await, b"x");
    caller.rest().await.unwrap_err();
    assert!(
        began.elapsed() > Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_tunnel() {
    let provider = echo().await;
    let mut rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send(HANDSHAKE).await;
    caller.head().await;
    caller.bytes(5).await;
    let began = Instant::now();
    rig.shut_down();
    rig.running.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(caller.rest().await.is_err());
}
