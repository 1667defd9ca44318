//! Endpoints that do what real ones have done.

use tokio::net::TcpListener;

use super::endpoint::Then;
use super::*;

async fn failing(exchange: &Exchange, then: Then) -> ExchangeError {
    let endpoint = Endpoint::that(then).await;
    let error = asked(exchange, &order(&endpoint.url("/")))
        .await
        .unwrap_err();
    assert_eq!(endpoint.heard().await.len(), 1, "it was tried again");
    error
}

fn is_doubtful(error: ExchangeError) -> bool {
    matches!(Unanswered::from(error), Unanswered::Unknown(_))
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_has_not_acted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = asked(&exchange(), &order(&url)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::NotSent(NotSent::Dial(_))));
    assert!(!is_doubtful(error));
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_doubt() {
    let error = failing(&exchange(), Then::Reset(vec![])).await;
    assert!(matches!(
        error,
        ExchangeError::OutcomeUnknown(OutcomeUnknown::Broken(_))
    ));
    assert!(is_doubtful(error));
}

#[tokio::test]
async fn a_reset_within_the_answer_leaves_doubt() {
    let cut = ANSWER.as_bytes()[..ANSWER.len() - 3].to_vec();
    let error = failing(&exchange(), Then::Reset(cut)).await;
    assert!(matches!(
        error,
        ExchangeError::OutcomeUnknown(OutcomeUnknown::Broken(_))
    ));
}

#[tokio::test]
async fn an_answer_that_is_no_http_leaves_doubt() {
    let error = failing(&exchange(), Then::Write(b"SSH-2.0-x\r\n\r\n".to_vec())).await;
    assert!(is_doubtful(error));
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_given_up() {
    let error = failing(&impatient(), Then::Write(vec![])).await;
    assert_eq!(
        error.to_string(),
        "the token endpoint gave no whole answer within 0.2 s"
    );
    assert!(is_doubtful(error));
}

#[tokio::test]
async fn an_endpoint_that_does_not_finish_a_handshake_has_not_acted() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = order(&format!("https://{}/", endpoint.authority()));
    let error = asked(&impatient(), &order).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no connection to the token endpoint within 0.2 s"
    );
    assert!(!is_doubtful(error));
    assert_eq!(endpoint.heard().await, [""; 0]);
}

/// Whoever asks knows what came of it before others take it for lost.
#[test]
fn an_exchange_is_short() {
    let limits = Limits::default();
    let seconds = (limits.connect.as_secs(), limits.total.as_secs());
    assert_eq!(seconds, (10, 30));
    let lost = credence_core::token::decide::UNDER_WAY.unsigned_abs();
    assert!(limits.total < lost);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_given_up() {
    let cut = ANSWER.as_bytes()[..ANSWER.len() - 3].to_vec();
    let error = failing(&impatient(), Then::Write(cut)).await;
    assert!(matches!(
        error,
        ExchangeError::OutcomeUnknown(OutcomeUnknown::TimedOut(_))
    ));
}

#[tokio::test]
async fn a_body_without_end_is_not_kept() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
    let error = failing(&exchange(), Then::Repeat(head, chunk)).await;
    assert_eq!(
        error.to_string(),
        "the token endpoint's answer has more than 262144 bytes"
    );
    assert!(is_doubtful(error));
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_the_limit_and_no_larger() {
    for (length, taken) in [(256 * 1024, true), (256 * 1024 + 1, false)] {
        let mut text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        text.extend(std::iter::repeat_n(b'x', length));
        let endpoint = Endpoint::that(Then::Write(text)).await;
        let answer = asked(&exchange(), &order(&endpoint.url("/"))).await;
        assert_eq!(answer.is_ok(), taken, "{length}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let line = b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".to_vec();
    let error = failing(&exchange(), Then::Repeat(head, line)).await;
    assert!(matches!(
        error,
        ExchangeError::OutcomeUnknown(OutcomeUnknown::Broken(_))
    ));
}

/// RFC 9700 §4.12.
#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Endpoint::answering(ANSWER).await;
    for status in [301, 302, 303, 307, 308] {
        let url = elsewhere.url("/");
        let text =
            format!("HTTP/1.1 {status} Moved\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n");
        let error = failing(&exchange(), Then::Write(text.into_bytes())).await;
        assert!(matches!(error, ExchangeError::Redirected { status: found } if found == status));
        assert!(!error.to_string().contains(&url), "{error}");
        assert!(!is_doubtful(error));
    }
    assert_eq!(elsewhere.heard().await, [""; 0]);
}

#[tokio::test]
async fn no_error_quotes_what_an_endpoint_said() {
    let text = b"HTTP/1.1 sk_live_1 sk_live_1\r\nsk_live_1\r\n\r\nsk_live_1".to_vec();
    let error = failing(&exchange(), Then::Write(text)).await;
    let mut shown = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        shown.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(!shown.contains("sk_live_1"), "{shown}");
}
