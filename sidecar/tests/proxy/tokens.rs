//! Providers that refuse tokens.

use std::collections::BTreeMap;

use credence_core::Secret;
use credence_core::bundle::{OnConflict, Placed, Token, TokenState, Tokens};
use credence_sidecar::{Handle, ProxySettings};
use serde_json::json;

use crate::provider::{Peer, Provider, field};
use crate::rig::{Rig, changed, varying};

/// A provider to which only this token is good, and that says so to the others
/// with this head.
async fn accepting(token: &'static str, refusal: &'static str) -> Provider {
    Provider::start(move |peer| accept(peer, token, refusal)).await
}

async fn accept(mut peer: Peer, token: &str, refusal: &str) {
    while let Some(head) = peer.head().await {
        let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        let body = peer.bytes(length).await;
        let shown = field(&head, "authorization");
        if shown == Some(&format!("Bearer {token}")) {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            peer.send([head.as_bytes(), &body].concat()).await;
        } else {
            let body = "no such token";
            let length = body.len();
            peer.send(format!(
                "HTTP/1.1 {refusal}\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        }
    }
}

/// A proxy whose collection `api` sends a token.
fn rig(provider: &Provider, token: &str, generation: u64) -> Rig {
    let rig = Rig::empty(ProxySettings::default());
    let entry = changed(provider, |route| {
        let pieces = json!([{"text": "Bearer "}, {"token": ""}]);
        route.headers = vec![Placed {
            private: true,
            on_conflict: OnConflict::Replace,
            ..varying("Authorization", &pieces)
        }];
    });
    rig.apply([("api", entry)]);
    give(&rig.handle, token, generation);
    rig
}

fn give(handle: &Handle, token: &str, generation: u64) {
    let token = Token::new(Secret::new(token), generation);
    let tokens = Tokens::from([("api".parse().unwrap(), TokenState::Held(token))]);
    assert_eq!(handle.apply_tokens(tokens), BTreeMap::new());
}

fn told(handle: &Handle) -> Option<u64> {
    handle.refusals().tokens().into_values().next()
}

#[tokio::test]
async fn a_refused_token_is_told_by_its_generation_until_there_is_another() {
    let provider = accepting("t2", "401 Unauthorized").await;
    let rig = rig(&provider, "t1", 7);
    let mut caller = rig.caller().await;
    let answer = caller.get("/api/a").await;
    assert_eq!((answer.status(), answer.text()), (401, "no such token"));
    assert_eq!(told(&rig.handle), Some(7));
    give(&rig.handle, "t2", 8);
    assert_eq!(told(&rig.handle), None);
    assert_eq!(caller.get("/api/a").await.status(), 200);
    assert_eq!(told(&rig.handle), None);
}

#[tokio::test]
async fn a_token_that_may_not_do_this_is_not_refused() {
    for refusal in [
        "401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\"",
        "403 Forbidden\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\"",
        "403 Forbidden",
    ] {
        let provider = accepting("t2", refusal).await;
        let rig = rig(&provider, "t1", 7);
        let answer = rig.caller().await.get("/api/a").await;
        assert_eq!(answer.text(), "no such token");
        assert_eq!(told(&rig.handle), None, "{refusal}");
    }
}
