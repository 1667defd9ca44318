//! Keys that AWS does not take.

use std::time::Duration;

use credence_core::reception::Said;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::{OK, s3};
use crate::provider::{Peer, Provider};
use crate::rig::Rig;

/// A provider that gives these answers, and the last one from then on.
async fn answering(answers: Vec<String>) -> Provider {
    Provider::start(move |mut peer: Peer| {
        let answers = answers.clone();
        async move {
            let last = answers.last().cloned();
            let mut answers = answers.into_iter().chain(last.into_iter().cycle());
            while peer.head().await.is_some() {
                peer.send(answers.next().unwrap()).await;
            }
        }
    })
    .await
}

fn answer(status: u16, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn xml(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>")
}

/// What is told of the key once so many calls on one connection were answered:
/// nothing is, if nothing was before the last of them began.
async fn told(answers: Vec<String>) -> Option<Said> {
    let calls = answers.len();
    let provider = answering(answers).await;
    let rig = Rig::whose(&provider, s3);
    let mut caller = rig.caller().await;
    for _ in 0..=calls {
        caller.get("/api/a").await;
    }
    rig.handle.refusals().all().into_values().next()
}

fn named(status: u16, worked: bool) -> Option<Said> {
    Some(Said {
        status: Some(status),
        worked,
        generation: None,
        named: true,
    })
}

#[tokio::test]
async fn a_key_that_is_not_taken_is_told_from_a_call_that_is_not_allowed() {
    let code = "X-Amzn-ErrorType: UnrecognizedClientException:http://x/\r\n";
    for (answer, expected) in [
        (
            answer(403, "", &xml("InvalidAccessKeyId")),
            named(403, false),
        ),
        (
            answer(403, "", &xml("SignatureDoesNotMatch")),
            named(403, false),
        ),
        (answer(400, code, "{}"), named(400, false)),
        (
            answer(400, "", r#"{"__type":"a#ExpiredTokenException"}"#),
            named(400, false),
        ),
        (answer(403, "", &xml("AccessDenied")), None),
        (answer(403, "", "InvalidAccessKeyId"), None),
        (answer(404, "", &xml("InvalidAccessKeyId")), None),
    ] {
        assert_eq!(told(vec![answer.clone()]).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_key_that_has_worked_is_not_the_cause_of_a_bad_signature_and_can_end() {
    let mismatch = answer(403, "", &xml("SignatureDoesNotMatch"));
    assert_eq!(told(vec![OK.to_owned(), mismatch]).await, None);
    let ended = answer(400, "", &xml("ExpiredToken"));
    assert_eq!(told(vec![OK.to_owned(), ended]).await, named(400, true));
}

#[tokio::test]
async fn a_signature_that_came_too_late_says_nothing_about_its_key() {
    for hours in [2, 24 * 7] {
        let date = Timestamp::now() + SignedDuration::from_hours(hours);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&date)
            .unwrap();
        let late = answer(
            403,
            &format!("Date: {date}\r\n"),
            &xml("SignatureDoesNotMatch"),
        );
        assert_eq!(told(vec![late, OK.to_owned()]).await, None, "{hours}");
    }
}

/// The answer goes on while it is looked at.
#[tokio::test]
async fn an_answer_that_is_looked_at_is_passed_on_as_it_comes() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            peer.send("HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<Error\r\n")
                .await;
            peer.until("more").await;
            let rest = "><Code>InvalidAccessKeyId</Code></Error>";
            peer.send(format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()))
                .await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, s3);
    let mut refusals = rig.handle.refusals();
    let mut caller = rig.caller().await;
    caller
        .send("PUT /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
        .await;
    assert!(caller.head().await.starts_with("HTTP/1.1 403 "));
    assert!(caller.bytes(11).await.ends_with(b"<Error\r\n"));
    caller.send("more").await;
    let heard = timeout(Duration::from_secs(10), refusals.changed()).await;
    assert!(heard.is_ok());
    assert_eq!(refusals.all().into_values().next(), named(403, false));
}
