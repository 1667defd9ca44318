//! Each refusal by its name, over HTTP/2 as over HTTP/1.1.

use std::time::Duration;

use credence_core::bundle::{Entry, OnConflict, Unavailable};
use credence_sidecar::ProxySettings;
use http::Request;

use super::caller::{Answer, Caller, request, with};
use super::provider;
use crate::rig::{Rig, placed, ready, route, unavailable};

async fn refused(caller: &mut Caller, request: Request<()>) -> (u16, String) {
    let answer: Answer = caller.call(request).await.unwrap();
    let slug = answer.slug().unwrap_or_default().to_owned();
    let members: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(members["type"], format!("urn:credence:error:{slug}"));
    assert_eq!(members["status"], answer.status());
    assert_eq!(answer.field("connection"), None);
    (answer.status(), slug)
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_refused_by_name_and_reaches_nobody() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut strict = route(&provider);
    strict.headers = vec![placed("X-Team", "ours", OnConflict::Reject)];
    rig.apply([
        ("api", ready(route(&provider))),
        ("strict", ready(strict)),
        ("later", Entry::Unsupported("feature token".to_owned())),
        ("pending", unavailable(Unavailable::NotReady)),
        ("poor", unavailable(Unavailable::CredentialsMissing)),
    ]);
    let mut caller = Caller::connect(rig.address).await;
    let get = |target| request("GET", target);
    let to = |uri: &str| Request::get(uri).body(()).unwrap();
    let huge = "b".repeat(66_000);
    let mut many = get("/api/");
    for at in 0..128 {
        let name = http::HeaderName::try_from(format!("x-{at}")).unwrap();
        many.headers_mut().insert(name, "a".parse().unwrap());
    }
    for (request, status, slug) in [
        (get("/nobody/x"), 404, "unknown-collection"),
        (get("//api/x"), 404, "unknown-collection"),
        (get("/poor/x"), 503, "credentials-missing"),
        (get("/pending/x"), 503, "not-ready"),
        (get("/later/x"), 503, "unsupported"),
        (get("/api/../x"), 400, "bad-request"),
        (get("/api/%2e%2e/x"), 400, "bad-request"),
        (request("TRACE", "/api/"), 405, "method-not-allowed"),
        (request("TRACK", "/api/"), 405, "method-not-allowed"),
        (request("DELETE", "/"), 405, "method-not-allowed"),
        (
            Request::connect("localhost:2733").body(()).unwrap(),
            405,
            "method-not-allowed",
        ),
        (to("http://api.example.com/api/"), 421, "forbidden-host"),
        (to("http://me@localhost/api/"), 421, "forbidden-host"),
        (to("ftp://localhost/api/"), 400, "bad-request"),
        (
            with(get("/api/"), &[("host", "api.example.com")]),
            400,
            "bad-request",
        ),
        (
            with(
                get("/api/"),
                &[("host", "localhost"), ("host", "localhost")],
            ),
            400,
            "bad-request",
        ),
        (
            with(get("/api/"), &[("origin", "https://evil.example")]),
            403,
            "forbidden-origin",
        ),
        (
            with(get("/api/"), &[("sec-fetch-site", "cross-site")]),
            403,
            "forbidden-origin",
        ),
        (
            with(
                get("/api/"),
                &[("content-length", "0"), ("content-length", "0")],
            ),
            400,
            "bad-request",
        ),
        (with(get("/api/"), &[("x-a", &huge)]), 431, "head-too-large"),
        (many, 431, "head-too-large"),
        (
            with(get("/strict/"), &[("x-team", "mine")]),
            400,
            "conflicting-header",
        ),
    ] {
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = refused(&mut caller, request).await;
        assert_eq!(answer, (status, slug.to_owned()), "{shown}");
    }
    assert_eq!(provider.heads(), [""; 0]);
    assert_eq!(provider.connections(), 0);
    // All of it on one connection, which still serves.
    assert_eq!(caller.get("/api/").await.status(), 200);
}

/// A head beyond the limit of the protocol itself is answered by it.
#[tokio::test]
async fn a_head_of_any_size_is_refused() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let huge = "b".repeat(200_000);
    let get = with(request("GET", "/api/"), &[("x-a", &huge)]);
    match caller.call(get).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away(), "{error}"),
    }
    assert_eq!(provider.heads(), [""; 0]);
}

#[tokio::test]
async fn a_refused_upload_is_not_read() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    for _ in 0..3 {
        let post = request("POST", "/nobody/");
        let answer = caller.post(post, "a body").await.unwrap();
        assert_eq!(answer.slug(), Some("unknown-collection"));
    }
    let answer = caller.call(request("HEAD", "/nobody/")).await.unwrap();
    assert_eq!((answer.status(), answer.text()), (404, ""));
    assert_ne!(answer.field("content-length"), Some("0"));
}

#[tokio::test]
async fn one_call_too_many_is_told_so() {
    let provider = provider::start(|mut call| async move {
        if call.whole().await.is_ok() {
            call.answer("ok");
        }
    })
    .await;
    let rig = Rig::empty(ProxySettings {
        // The connection, and one call.
        max_connections: 2,
        ..ProxySettings::default()
    });
    rig.apply([("api", ready(route(&provider)))]);
    let mut caller = Caller::connect(rig.address).await;
    let (response, mut up) = caller.begin(request("POST", "/api/")).await;
    let second = caller.get("/api/").await;
    assert_eq!((second.status(), second.slug()), (503, Some("overloaded")));
    up.send_data("".into(), true).unwrap();
    let first = super::caller::answer(response).await.unwrap();
    assert_eq!(first.text(), "ok");
}

#[tokio::test]
async fn an_api_that_does_not_answer_times_out() {
    let provider = provider::start(|mut call| async move {
        // Until the other side gives up.
        let _ = std::future::poll_fn(|cx| call.respond.poll_reset(cx)).await;
    })
    .await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = Duration::from_millis(50);
    });
    let mut caller = Caller::connect(rig.address).await;
    let answer = refused(&mut caller, request("GET", "/api/")).await;
    assert_eq!(answer, (504, "upstream-timeout".to_owned()));
}

#[tokio::test]
async fn the_index_and_redirects_lead_to_the_callers_own_authority() {
    let provider = provider::start(|mut call| async move {
        let authority = call.parts.uri.authority().unwrap().clone();
        let answer = http::Response::builder()
            .status(307)
            .header("location", format!("https://{authority}/v1/other"));
        let answer = answer.body(()).unwrap();
        call.respond.send_response(answer, true).unwrap();
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let index = caller.get("/").await;
    assert_eq!(index.status(), 200);
    assert!(index.text().contains("\"url\":\"http://localhost/api\""));
    let answer = caller.get("/api/one").await;
    assert_eq!(answer.field("location"), Some("http://localhost/api/other"));
}
