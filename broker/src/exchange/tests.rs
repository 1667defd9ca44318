//! Against servers on loopback that behave, and ones that do not.

mod accounts;
mod endpoint;
mod misbehaving;
mod secured;
mod signed;
mod steps;

use std::sync::Arc;

use credence_core::collection::{FieldFormat, FieldValue, RequestMethod};
use credence_core::template::{LateText, LateVariable};
use credence_core::token::{Content, Renewal, Signers, Terms, TokenRequest};

use super::*;
use credence_core::Secret;
use endpoint::Endpoint;

fn order(url: &str) -> Order {
    let field = |name: &str, value: LateText| (name.to_owned(), FieldValue::Text(value));
    let known = |text: &str| LateText::known(&Secret::new(text));
    let request = |fields| TokenRequest {
        url: known(url),
        url_allow: Vec::new(),
        method: RequestMethod::Post,
        headers: vec![("X-Client".to_owned(), known("shop \u{e9}"))],
        content: Content::Fields(FieldFormat::Form, fields),
    };
    Order {
        method: "oauth2ClientCredentials",
        terms: Terms::new([0; 32], [0; 32], [0; 32], Renewal::Anew),
        steps: Vec::new(),
        request: Some(request(vec![field(
            "grant_type",
            known("client_credentials"),
        )])),
        signers: Signers::default(),
        subject: None,
        refresh: Some(request(vec![
            field("grant_type", known("refresh_token")),
            field("refresh_token", LateText::of(LateVariable::RefreshToken)),
        ])),
        trust: None,
        client_certificate: None,
        allow_private_networks: true,
        allow_insecure_http: true,
    }
}

fn exchange() -> Exchange {
    through(PrivateNetworks::AsOrdered)
}

fn through(private_networks: PrivateNetworks) -> Exchange {
    Exchange::new(Egress::default(), private_networks)
}

fn now() -> Timestamp {
    "2026-11-21T20:00:00Z".parse().unwrap()
}

/// One that waits no longer than a test may.
fn impatient() -> Exchange {
    Exchange {
        limits: Limits {
            total: Duration::from_millis(200),
            ..Limits::default()
        },
        ..exchange()
    }
}

async fn asked(exchange: &Exchange, order: &Order) -> Result<RawAnswer, ExchangeError> {
    exchange.send(order, Asking::Anew, now()).await
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\n\
                      Set-Cookie: b=2\r\nContent-Length: 22\r\n\r\n{\"access_token\":\"t0k\"}";

#[tokio::test]
async fn a_request_goes_out_as_it_was_made_and_the_answer_comes_as_it_was_sent() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = order(&endpoint.url("/oauth/token?tenant=1"));
    let answer = asked(&exchange(), &order).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.as_slice(), b"{\"access_token\":\"t0k\"}");
    assert_eq!(answer.cookie("b"), Some("2"));
    assert_eq!(
        endpoint.heard().await,
        [format!(
            "POST /oauth/token?tenant=1 HTTP/1.1\r\nHost: {}\r\nX-Client: shop \u{e9}\r\n\
             Accept: application/json\r\nUser-Agent: credence/{}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n\
             grant_type=client_credentials",
            endpoint.authority(),
            env!("CARGO_PKG_VERSION"),
        )]
    );
}

#[tokio::test]
async fn a_refresh_sends_the_refresh_token_that_is_given() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = order(&endpoint.url("/"));
    let token = Secret::new("r3fresh&1");
    let sent = exchange()
        .send(&order, Asking::Refresh(&token), now())
        .await;
    assert_eq!(sent.unwrap().status, 200);
    let heard = endpoint.heard().await.join("");
    let body = heard.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(body, "grant_type=refresh_token&refresh_token=r3fresh%261");
}

#[tokio::test]
async fn what_needs_a_refresh_token_is_not_sent_without_one() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let mut order = order(&endpoint.url("/"));
    order.request = order.refresh.take();
    let error = asked(&exchange(), &order).await.unwrap_err();
    assert!(matches!(error, ExchangeError::NotSent(NotSent::Message(_))));
    assert_eq!(endpoint.heard().await, [""; 0]);
}

#[tokio::test]
async fn every_status_but_a_redirect_is_an_answer() {
    for status in [201, 204, 400, 401, 429, 500, 503] {
        let text = format!("HTTP/1.1 {status} X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
        let endpoint = Endpoint::answering(&text).await;
        let answer = asked(&exchange(), &order(&endpoint.url("/")))
            .await
            .unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
}

#[tokio::test]
async fn interim_answers_are_waited_out() {
    let text = format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{ANSWER}");
    let endpoint = Endpoint::answering(&text).await;
    let answer = asked(&exchange(), &order(&endpoint.url("/")))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.header("link")), (200, None));
}

#[tokio::test]
async fn without_a_body_there_is_no_content_type() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let mut order = order(&endpoint.url("/t"));
    order.request.as_mut().unwrap().method = RequestMethod::Get;
    asked(&exchange(), &order).await.unwrap();
    let heard = endpoint.heard().await.join("");
    assert!(heard.starts_with("GET /t?grant_type=client_credentials HTTP/1.1\r\n"));
    for absent in ["Content-Type", "Content-Length", "Transfer-Encoding"] {
        assert!(!heard.contains(absent), "{heard}");
    }
}

#[tokio::test]
async fn a_collection_cannot_aim_at_the_neighbours_of_this_process() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = order(&endpoint.url("/"));
    let guarded = through(PrivateNetworks::Only(Arc::default()));
    let refused = asked(&guarded, &order).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the token endpoint cannot be reached: its address is loopback, which needs allowPrivateNetworks"
    );
    let unasked = Order {
        allow_private_networks: false,
        ..order
    };
    let refused = asked(&exchange(), &unasked).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::NotSent(NotSent::Dial(_))));
    assert_eq!(endpoint.heard().await, [""; 0]);
}

#[tokio::test]
async fn plain_http_is_spoken_only_where_the_collection_allows_it() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = Order {
        allow_insecure_http: false,
        ..order(&endpoint.url("/"))
    };
    let refused = asked(&exchange(), &order).await.unwrap_err();
    assert!(matches!(
        refused,
        ExchangeError::NotSent(NotSent::Message(_))
    ));
    assert_eq!(endpoint.heard().await, [""; 0]);
}

#[tokio::test]
async fn each_request_has_a_moment_of_its_own() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let mut order = order(&endpoint.url("/"));
    let uuid = LateVariable::Call(credence_core::template::CallVariable::Uuid);
    order.request.as_mut().unwrap().headers = vec![("X-Id".to_owned(), LateText::of(uuid))];
    for _ in 0..2 {
        asked(&exchange(), &order).await.unwrap();
    }
    let heard = endpoint.heard().await;
    let id = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("X-Id"));
        line.unwrap().to_owned()
    };
    assert_ne!(id(&heard[0]), id(&heard[1]));
}
