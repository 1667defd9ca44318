//! Credentials in the body, for which the sidecar keeps it.

use std::sync::Arc;

use credence_core::bundle::OnConflict;
use tokio::sync::{Semaphore, mpsc};

use crate::caller::{Answer, Caller};
use crate::provider::{Provider, field};
use crate::rig::{Rig, placed};

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn rig(provider: &Provider, on_conflict: OnConflict) -> Rig {
    Rig::whose(provider, |route| {
        route.headers.clear();
        route.body = vec![placed("api_key", "k/1", on_conflict)];
    })
}

fn post(fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /api/ HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}

async fn answer(caller: &mut Caller, request: &str) -> Answer {
    caller.send(request).await;
    caller.answer().await
}

#[tokio::test]
async fn a_member_is_set_and_the_length_is_the_new_one() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let mut caller = rig.caller().await;
    for (fields, body, expected) in [
        (JSON, r#"{"a": 1}"#, r#"{"a": 1,"api_key":"k/1"}"#),
        (
            JSON,
            r#"{"api_key":0, "api_key":1}"#,
            r#"{"api_key":"k/1"}"#,
        ),
        (
            "content-type: application/merge-patch+json; charset=utf-8\r\n",
            "{}",
            r#"{"api_key":"k/1"}"#,
        ),
        (FORM, "a=1&api%5Fkey=mine", "a=1&api_key=k%2F1"),
        (FORM, "", "api_key=k%2F1"),
    ] {
        let answer = answer(&mut caller, &post(fields, body)).await;
        assert_eq!((answer.status(), answer.text()), (200, expected), "{body}");
        let head = provider.heads().pop().unwrap();
        assert_eq!(
            field(&head, "content-length"),
            Some(&*expected.len().to_string())
        );
        assert_eq!(
            head.to_ascii_lowercase().matches("content-length").count(),
            1
        );
    }
    // The caller's connection and the provider's have served all of them.
    assert_eq!(provider.connections(), 1);
}

#[tokio::test]
async fn a_chunked_body_gets_a_length_and_loses_what_is_no_longer_true() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let mut caller = rig.caller().await;
    caller
        .send(format!(
            "POST /api/ HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\
             Content-MD5: x\r\nDigest: y\r\nX-Stays: z\r\n\r\n3\r\n{{\"a\r\n"
        ))
        .await;
    caller.send("4\r\n\":1}\r\n0\r\nX-Sum: 1\r\n\r\n").await;
    assert_eq!(caller.answer().await.text(), r#"{"a":1,"api_key":"k/1"}"#);
    let head = provider.head();
    for gone in ["transfer-encoding", "trailer", "content-md5", "digest"] {
        assert_eq!(field(&head, gone), None, "{head}");
    }
    assert_eq!(field(&head, "content-length"), Some("23"));
    assert_eq!(field(&head, "x-stays"), Some("z"));
}

#[tokio::test]
async fn one_who_waits_to_send_the_body_is_told_to_go_on() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let mut caller = rig.caller().await;
    caller
        .send(format!(
            "POST /api/ HTTP/1.1\r\nHost: localhost\r\n{JSON}Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
        ))
        .await;
    assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(
        answer(&mut caller, "{}").await.text(),
        r#"{"api_key":"k/1"}"#
    );
    assert_eq!(field(&provider.head(), "expect"), None);
}

#[tokio::test]
async fn a_body_in_which_nothing_can_be_set_reaches_nobody() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let no_body = "POST /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    for (request, why) in [
        (no_body, "has no body"),
        (post("", "{}"), "has no Content-Type"),
        (
            post("Content-Type: text/plain\r\n", "a"),
            "neither JSON nor",
        ),
        (
            post(&format!("{JSON}Content-Encoding: gzip\r\n"), "x"),
            "has a Content-Encoding",
        ),
        (post(JSON, "{"), "not valid JSON"),
        (post(JSON, "[]"), "not an object"),
        (post(JSON, ""), "not valid JSON"),
    ] {
        let mut caller = rig.caller().await;
        let answer = answer(&mut caller, &request).await;
        assert_eq!((answer.status(), answer.slug()), (400, Some("bad-request")));
        assert!(answer.text().contains(why), "{}", answer.text());
        assert!(answer.text().contains(r#""collection":"api""#));
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_member_that_the_collection_reserves_is_refused() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Reject);
    for request in [post(JSON, r#"{"api_key":1}"#), post(FORM, "api_key")] {
        let mut caller = rig.caller().await;
        let answer = answer(&mut caller, &request).await;
        let refused = (400, Some("conflicting-header"));
        assert_eq!((answer.status(), answer.slug()), refused);
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_refused() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let head = format!("POST /api/ HTTP/1.1\r\nHost: localhost\r\n{JSON}");
    let mut caller = rig.caller().await;
    let declared = format!("{head}Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
    let first = answer(&mut caller, &declared).await;
    assert_eq!(
        (first.status(), first.slug()),
        (413, Some("body-too-large"))
    );
    let mut caller = rig.caller().await;
    caller
        .send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        caller.send_some(chunk.as_bytes()).await;
    }
    let second = caller.answer().await;
    assert_eq!(
        (second.status(), second.slug()),
        (413, Some("body-too-large"))
    );
    assert_eq!(second.field("connection"), Some("close"));
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_sent() {
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024 - 8));
    assert_eq!(body.len(), 1024 * 1024);
    let mut caller = rig.caller().await;
    let answer = answer(&mut caller, &post(JSON, &body)).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().ends_with(r#"x","api_key":"k/1"}"#));
}

#[tokio::test]
async fn all_bodies_together_have_a_limit() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(0));
    let answers = Arc::clone(&permits);
    let provider = Provider::start(move |mut peer| {
        let (arrived, answers) = (arrived.clone(), Arc::clone(&answers));
        async move {
            let head = peer.head().await.unwrap();
            arrived.send(()).unwrap();
            answers.acquire().await.unwrap().forget();
            let length = field(&head, "content-length").unwrap().parse().unwrap();
            peer.bytes(length).await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let rig = rig(&provider, OnConflict::Replace);
    // What is announced and does not come takes nothing.
    let announced = format!(
        "POST /api/ HTTP/1.1\r\nHost: localhost\r\n{JSON}Expect: 100-continue\r\nContent-Length: 1048576\r\n\r\n"
    );
    let mut silent = Vec::new();
    for _ in 0..17 {
        let mut caller = rig.caller().await;
        caller.send(&announced).await;
        assert!(caller.head().await.starts_with("HTTP/1.1 100 "));
        silent.push(caller);
    }
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024 - 8));
    let whole = post(&format!("Connection: close\r\n{JSON}"), &body);
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut caller = rig.caller().await;
        caller.send(&whole).await;
        arrivals.recv().await.unwrap();
        held.push(caller);
    }
    let mut caller = rig.caller().await;
    let refused = answer(&mut caller, &post(JSON, "{}")).await;
    assert_eq!(
        (refused.status(), refused.slug()),
        (503, Some("overloaded"))
    );
    assert_eq!(refused.field("retry-after"), Some("1"));
    // They have their answers, and their memory is free for the next.
    permits.add_permits(17);
    for mut caller in held {
        assert_eq!(caller.answer().await.status(), 200);
        assert!(caller.is_closed().await);
    }
    let mut caller = rig.caller().await;
    let next = answer(&mut caller, &post(JSON, "{}")).await;
    assert_eq!(next.status(), 200);
}

#[tokio::test]
async fn a_caller_of_http_2_is_served_alike() {
    use crate::http2::caller::{Caller, request, with};
    let provider = Provider::echoing().await;
    let rig = rig(&provider, OnConflict::Replace);
    let mut caller = Caller::connect(rig.address).await;
    let json = [("content-type", "application/json")];
    let posted = caller.post(with(request("POST", "/api/"), &json), "{}");
    assert_eq!(posted.await.unwrap().text(), r#"{"api_key":"k/1"}"#);
    let expecting = [json[0], ("expect", "100-continue"), ("content-length", "2")];
    let posted = caller.post(with(request("POST", "/api/"), &expecting), "{}");
    assert_eq!(posted.await.unwrap().text(), r#"{"api_key":"k/1"}"#);
    let posted = caller.post(with(request("POST", "/api/"), &json), "[]");
    assert_eq!(posted.await.unwrap().slug(), Some("bad-request"));
    assert_eq!(provider.heads().len(), 2);
}

#[tokio::test]
async fn a_provider_of_http_2_gets_the_whole_body() {
    let provider = crate::http2::provider::start(|mut call| async move {
        let (body, _) = call.whole().await.unwrap();
        let length = call.parts.headers["content-length"].to_str().unwrap();
        assert_eq!(length, body.len().to_string());
        let mut stream = call.begin(http::Response::new(()));
        stream.send_data(body.into(), true).unwrap();
    })
    .await;
    let rig = rig(&provider, OnConflict::Replace);
    let mut caller = rig.caller().await;
    for (fields, body, expected) in [
        (JSON, r#"{"api_key":0,"a":1}"#, r#"{"api_key":"k/1","a":1}"#),
        (FORM, "api_key=mine&a=1", "a=1&api_key=k%2F1"),
    ] {
        let answer = answer(&mut caller, &post(fields, body)).await;
        assert_eq!((answer.status(), answer.text()), (200, expected));
    }
    assert_eq!(provider.connections(), 1);
}
