//! Connections used more than once, and what may never happen on them.

use crate::provider::Provider;
use crate::rig::Rig;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn both_connections_are_kept_for_the_next_request() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    for _ in 0..5 {
        assert_eq!(caller.get("/api/").await.text(), "ok");
    }
    assert_eq!(rig.caller().await.get("/api/").await.text(), "ok");
    assert_eq!((provider.connections(), provider.heads().len()), (1, 6));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}",
                path.len()
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    caller
        .send(
            [
                request("/api/a"),
                request("/nobody"),
                "\r\n".to_owned(),
                request("/api/b"),
            ]
            .concat(),
        )
        .await;
    assert_eq!(caller.answer().await.text(), "/v1/a");
    assert_eq!(caller.answer().await.status(), 404);
    assert_eq!(caller.answer().await.text(), "/v1/b");
}

#[tokio::test]
async fn a_request_that_arrives_byte_by_byte_is_one_request() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            let body = peer.until("0\r\n\r\n").await;
            let letters: String = body.chars().filter(char::is_ascii_lowercase).collect();
            assert_eq!(letters, "abc");
            peer.send(OK).await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let request = "POST /api/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for byte in request.as_bytes() {
        caller.send([*byte]).await;
    }
    assert_eq!(caller.answer().await.text(), "ok");
    assert_eq!(provider.heads().len(), 1);
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_in_order() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            peer.send(match head.split(' ').next().unwrap() {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
                "PUT" => "HTTP/1.1 304 Same\r\nContent-Length: 100\r\n\r\n",
                "DELETE" => "HTTP/1.1 204 Gone\r\n\r\n",
                _ => OK,
            })
            .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    for method in ["HEAD", "PUT", "DELETE"] {
        caller
            .send(format!(
                "{method} /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ))
            .await;
        let head = caller.head().await;
        assert_eq!(
            head.contains("Content-Length: 100"),
            method != "DELETE",
            "{head}"
        );
    }
    assert_eq!(caller.get("/api/").await.text(), "ok");
    assert_eq!(provider.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_provider_closed_is_not_used_again() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    for _ in 0..3 {
        let answer = caller.get("/api/").await;
        assert_eq!((answer.text(), answer.field("connection")), ("ok", None));
    }
    assert_eq!(provider.connections(), 3);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_not_the_next_answer() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            peer.send([OK, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"].concat())
                .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    for _ in 0..5 {
        assert_eq!(caller.get("/api/").await.text(), "ok");
    }
    assert_eq!(provider.connections(), 5);
}

/// Answers once, then closes as soon as the next request comes: what a
/// provider does that has just given up waiting.
async fn closing_provider() -> Provider {
    Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send(OK).await;
        peer.head().await;
    })
    .await
}

#[tokio::test]
async fn a_connection_that_dies_under_an_idempotent_request_costs_nothing() {
    let provider = closing_provider().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    for _ in 0..2 {
        assert_eq!(caller.get("/api/").await.text(), "ok");
    }
    caller
        .send("PUT /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nsmall")
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    assert_eq!(provider.connections(), 3);
}

#[tokio::test]
async fn a_request_that_may_have_been_acted_on_is_not_sent_twice() {
    let provider = closing_provider().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    assert_eq!(caller.get("/api/").await.text(), "ok");
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (502, Some("upstream-unreachable"))
    );
    assert_eq!(provider.heads().len(), 2);
}

#[tokio::test]
async fn a_new_connection_that_dies_is_not_tried_again() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("/api/").await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (502, Some("upstream-unreachable"))
    );
    assert_eq!(provider.connections(), 1);
}
