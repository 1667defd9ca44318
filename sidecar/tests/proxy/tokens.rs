//! Providers that refuse tokens.

mod again;
mod signs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use credence_core::Secret;
use credence_core::bundle::{OnConflict, Placed, Route, Token, TokenState, Tokens, Withheld};
use credence_sidecar::{Handle, ProxySettings};
use http::Response;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::http2;
use crate::http2::caller::request;
use crate::provider::{Peer, Provider, field};
use crate::rig::{Rig, changed, varying};

/// Less than a refused call waits for another token.
const SOON: Duration = Duration::from_secs(3);

/// A provider to which only this token is good, and that says so to the others
/// with this head.
async fn accepting(token: &'static str, refusal: &'static str) -> Provider {
    Provider::start(move |peer| accept(peer, token, refusal)).await
}

async fn accept(mut peer: Peer, token: &str, refusal: &str) {
    while let Some(head) = peer.head().await {
        let body = whole_body(&mut peer, &head).await;
        if is_good(&head, token) {
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            peer.send([head.as_bytes(), &body].concat()).await;
        } else {
            peer.send(refused(refusal)).await;
        }
    }
}

async fn whole_body(peer: &mut Peer, head: &str) -> Vec<u8> {
    match field(head, "content-length") {
        Some(length) => peer.bytes(length.parse().unwrap()).await,
        None if field(head, "transfer-encoding").is_some() => {
            peer.until("0\r\n\r\n").await.into_bytes()
        }
        None => Vec::new(),
    }
}

fn is_good(head: &str, token: &str) -> bool {
    field(head, "authorization") == Some(&format!("Bearer {token}"))
}

fn refused(refusal: &str) -> String {
    let body = "no such token";
    let length = body.len();
    format!("HTTP/1.1 {refusal}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A proxy whose collection `api` sends a token.
fn rig(provider: &Provider, token: &str, generation: u64) -> Rig {
    placing(provider, token, generation, |route, token| {
        route.headers = vec![token];
    })
}

/// The same, with the token in another place.
fn placing(
    provider: &Provider,
    token: &str,
    generation: u64,
    place: impl FnOnce(&mut Route, Placed),
) -> Rig {
    let rig = Rig::empty(ProxySettings::default());
    let entry = changed(provider, |route| {
        let pieces = json!([{"text": "Bearer "}, {"token": ""}]);
        let placed = Placed {
            private: true,
            on_conflict: OnConflict::Replace,
            ..varying("Authorization", &pieces)
        };
        route.headers.clear();
        place(route, placed);
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

/// Gives `t8` as soon as it hears that the token of generation 7 was refused,
/// and no other after that; counts how often it heard of one.
fn renewing(handle: &Handle) -> Arc<AtomicUsize> {
    let times = Arc::<AtomicUsize>::default();
    let (handle, counted) = (handle.clone(), Arc::clone(&times));
    let mut refusals = handle.refusals();
    tokio::spawn(async move {
        loop {
            refusals.changed().await;
            if let Some(generation) = refusals.tokens().into_values().next() {
                counted.fetch_add(1, Ordering::SeqCst);
                if generation == 7 {
                    give(&handle, "t8", 8);
                }
            }
        }
    });
    times
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

const HELLO: &str = "POST /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";

/// Where an app may send a token of its own, that one is the app's to mind.
#[tokio::test]
async fn what_an_api_says_of_a_callers_own_token_is_no_word_about_ours() {
    type List = fn(&mut Route) -> &mut Vec<Placed>;
    let json = "Content-Type: application/json\r\nContent-Length: ";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
    let cases: [(List, &str, String, String); 5] = [
        (
            |route| &mut route.headers,
            "GET /api/a",
            "token: own\r\n\r\n".to_owned(),
            "\r\n".to_owned(),
        ),
        (
            |route| &mut route.query,
            "GET /api/a?token=own",
            "\r\n".to_owned(),
            String::new(),
        ),
        (
            |route| &mut route.cookies,
            "GET /api/a",
            "Cookie: a=b; token=own\r\n\r\n".to_owned(),
            "\r\n".to_owned(),
        ),
        (
            |route| &mut route.body,
            "POST /api/a",
            format!("{json}15\r\n\r\n{{\"token\":\"own\"}}"),
            format!("{json}2\r\n\r\n{{}}"),
        ),
        (
            |route| &mut route.body,
            "POST /api/a",
            format!("{form}9\r\n\r\ntoken=own"),
            format!("{form}3\r\n\r\na=b"),
        ),
    ];
    for (list, line, with_his_own, with_ours) in cases {
        let provider = accepting("none", "401 Unauthorized").await;
        let rig = placing(&provider, "t7", 7, |route, _| {
            list(route).push(Placed {
                private: true,
                on_conflict: OnConflict::IfAbsent,
                ..varying("token", &json!([{"token": ""}]))
            });
        });
        let told = renewing(&rig.handle);
        let mut caller = rig.caller().await;
        let send = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: localhost\r\n{rest}");
        caller.send(send(line, &with_his_own)).await;
        assert_eq!(caller.answer().await.status(), 401);
        assert_eq!(provider.heads().len(), 1, "{line}");
        assert_eq!(told.load(Ordering::SeqCst), 0, "{line}");
        let (line, rest) = match with_ours.is_empty() {
            true => ("GET /api/a", "\r\n"),
            false => (line, &*with_ours),
        };
        caller.send(send(line, rest)).await;
        assert_eq!(caller.answer().await.status(), 401);
        assert_eq!(provider.heads().len(), 3, "ours was renewed: {line}");
    }
}
