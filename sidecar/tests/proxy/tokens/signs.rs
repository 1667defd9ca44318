//! Collections that say which answers refuse a token.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use credence_core::bundle::{BodySign, Refusal, Retry, Sign};
use tokio::sync::Notify;

use super::{HELLO, accepting, give, is_good, placing, renewing, told};
use crate::provider::{Provider, field};
use crate::rig::Rig;

fn refusal(signs: Vec<Sign>, retry: Retry) -> Refusal {
    Refusal { signs, retry }
}

fn sign(status: u16, body: Option<(&str, &str)>) -> Sign {
    Sign {
        status,
        body: body.map(|(path, equals)| BodySign {
            path: path.parse().unwrap(),
            equals: equals.to_owned(),
        }),
    }
}

/// A proxy whose collection has its own idea of what refuses a token.
fn refusing(provider: &Provider, refusal: Refusal) -> Rig {
    placing(provider, "t7", 7, |route, token| {
        route.headers = vec![token];
        route.refusal = refusal;
    })
}

#[tokio::test]
async fn another_status_can_refuse_a_token_and_then_only_what_is_safe_is_made_again() {
    let get = "GET /api/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (request, retry, status) in [
        (get, Retry::Safe, 200),
        (HELLO, Retry::Safe, 403),
        (HELLO, Retry::Always, 200),
        (get, Retry::Never, 403),
    ] {
        let provider = accepting("t8", "403 Forbidden").await;
        let rig = refusing(&provider, refusal(vec![sign(403, None)], retry));
        let told = renewing(&rig.handle);
        let mut caller = rig.caller().await;
        caller.send(request).await;
        let answer = caller.answer().await;
        assert_eq!(answer.status(), status, "{request} {retry:?}");
        if status == 403 {
            assert_eq!(answer.text(), "no such token");
        }
        assert_eq!(caller.get("/api/b").await.status(), 200, "it was renewed");
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_does_not_refuse_a_token_here_is_passed_on() {
    let provider = accepting("t8", "401 Unauthorized").await;
    for signs in [vec![sign(403, None)], vec![]] {
        let rig = refusing(&provider, refusal(signs, Retry::Always));
        let told = renewing(&rig.handle);
        assert_eq!(rig.caller().await.get("/api/a").await.status(), 401);
        assert_eq!(told.load(Ordering::SeqCst), 0);
    }
}

const CODE: &str = r#"{"success": false, "errors": [{"code": "601"}]}"#;

#[tokio::test]
async fn a_body_can_refuse_a_token_and_is_passed_on_as_it_comes() {
    let gate = Arc::new(Notify::new());
    let go_on = Arc::clone(&gate);
    let provider = Provider::start(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            while let Some(head) = peer.head().await {
                assert_eq!(field(&head, "accept-encoding"), Some("identity"));
                assert_eq!(head.matches("ncoding").count(), 1, "{head}");
                if is_good(&head, "t8") {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                        .await;
                    continue;
                }
                let (first, second) = CODE.split_at(20);
                let length = CODE.len();
                peer.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{first}"
                ))
                .await;
                gate.notified().await;
                peer.send(second).await;
            }
        }
    })
    .await;
    let signs = vec![sign(401, None), sign(200, Some(("errors.0.code", "601")))];
    let rig = refusing(&provider, refusal(signs, Retry::Safe));
    let mut refusals = rig.handle.refusals();
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/a HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n\r\n")
        .await;
    assert!(caller.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(caller.bytes(20).await, CODE.as_bytes()[..20]);
    assert_eq!(told(&rig.handle), None, "it is not over");
    go_on.notify_one();
    assert_eq!(caller.bytes(CODE.len() - 20).await, CODE.as_bytes()[20..]);
    refusals.changed().await;
    assert_eq!(told(&rig.handle), Some(7));
    give(&rig.handle, "t8", 8);
    assert_eq!(caller.get("/api/a").await.text(), "{}");
    assert_eq!(provider.heads().len(), 2, "nothing was made again");
}

#[tokio::test]
async fn a_long_body_is_not_looked_at() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            let body = format!("{}{}", " ".repeat(64 * 1024), CODE);
            let length = body.len();
            peer.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"))
                .await;
        }
    })
    .await;
    let signs = vec![sign(200, Some(("errors.0.code", "601")))];
    let rig = refusing(&provider, refusal(signs, Retry::Safe));
    let answer = rig.caller().await.get("/api/a").await;
    assert!(answer.text().ends_with(CODE));
    assert_eq!(told(&rig.handle), None);
}
