//! Requests before the one for a token.

use credence_core::token::{Capture, CaptureFrom, Failure, TokenStep};

use super::endpoint::Then;
use super::*;

const SESSION: &str =
    "HTTP/1.1 200 OK\r\nSet-Cookie: sid=s3ss; Path=/\r\nContent-Length: 0\r\n\r\n";

fn step(name: &str, url: LateText, capture: &[(&str, &str)]) -> TokenStep {
    TokenStep {
        name: name.to_owned(),
        request: TokenRequest {
            url,
            url_allow: Vec::new(),
            method: RequestMethod::Get,
            headers: vec![],
            content: Content::Fields(FieldFormat::Form, vec![]),
        },
        capture: (capture.iter())
            .map(|(name, from)| Capture {
                name: (*name).to_owned(),
                from: from.parse::<CaptureFrom>().unwrap(),
            })
            .collect(),
        success: None,
    }
}

fn of_step(step: &str, field: &str) -> LateText {
    LateText::of(LateVariable::Step {
        step: step.into(),
        field: field.into(),
    })
}

fn known(text: &str) -> LateText {
    LateText::known(&Secret::new(text))
}

/// An order whose request says what its steps have answered.
fn ordered(endpoint: &Endpoint, first: &Endpoint) -> Order {
    let mut order = order(&endpoint.url("/token"));
    order.steps = vec![
        step(
            "login",
            known(&first.url("/login")),
            &[("session", "cookie:sid")],
        ),
        step("site", known(&first.url("/site")), &[("id", "site.id")]),
    ];
    order.steps[1].request.headers = vec![("X-Session".to_owned(), of_step("login", "session"))];
    let request = order.request.as_mut().unwrap();
    request.headers = vec![("X-Site".to_owned(), of_step("site", "id"))];
    order
}

fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn each_request_says_what_those_before_it_were_answered() {
    let answers = [SESSION, &answer(r#"{"site": {"id": 7}}"#)];
    let writes = answers.map(|text| Then::Write(text.as_bytes().to_vec()));
    let first = Endpoint::in_turn(writes.to_vec()).await;
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = ordered(&endpoint, &first);
    assert_eq!(asked(&exchange(), &order).await.unwrap().status, 200);
    let [login, site] = first.heard().await.try_into().unwrap();
    assert!(login.starts_with("GET /login HTTP/1.1\r\n"), "{login}");
    assert!(site.contains("X-Session: s3ss\r\n"), "{site}");
    let token = endpoint.heard().await.join("");
    assert!(token.contains("X-Site: 7\r\n"), "{token}");
}

#[tokio::test]
async fn a_refresh_that_says_nothing_of_the_steps_does_without_them() {
    let first = Endpoint::answering(SESSION).await;
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = ordered(&endpoint, &first);
    let token = Secret::new("r");
    let sent = exchange()
        .send(&order, Asking::Refresh(&token), now())
        .await;
    assert_eq!(sent.unwrap().status, 200);
    assert_eq!(first.heard().await, [""; 0]);
}

/// The grant was shown to nobody, so that no refresh token is in doubt.
#[tokio::test]
async fn a_step_that_fails_is_named_and_nothing_is_asked_after_it() {
    let refused = "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n";
    let without = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let write = |text: &str| Then::Write(text.as_bytes().to_vec());
    for (then, said) in [
        (
            write(refused),
            "step login: the token endpoint answered 401",
        ),
        (
            write(without),
            "step login: the token endpoint's answer has no text at \"cookie:sid\"",
        ),
        (
            Then::Reset(vec![]),
            "step login: the token endpoint gave no whole answer",
        ),
    ] {
        let first = Endpoint::that(then).await;
        let endpoint = Endpoint::answering(ANSWER).await;
        let error = asked(&exchange(), &ordered(&endpoint, &first))
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        let failure = Failure::from(Unanswered::from(error));
        assert!(!failure.leaves_doubt(), "{failure}");
        assert_eq!(endpoint.heard().await, [""; 0]);
    }
}

#[tokio::test]
async fn an_answer_leads_only_to_hosts_that_are_allowed() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let first =
        Endpoint::answering(&answer(&format!(r#"{{"at": "{}"}}"#, endpoint.url("/t")))).await;
    let mut order = order(&endpoint.url("/"));
    order.steps = vec![step("a", known(&first.url("/")), &[("url", "at")])];
    let request = order.request.as_mut().unwrap();
    request.url = of_step("a", "url");
    let open = Order {
        request: Some(request.clone()),
        ..order.clone()
    };
    order.request.as_mut().unwrap().url_allow = vec!["*.example.com".parse().unwrap()];
    let said = asked(&exchange(), &order).await.unwrap_err().to_string();
    assert_eq!(
        said,
        "an earlier answer leads to a host that urlAllow does not name"
    );
    assert_eq!(endpoint.heard().await, [""; 0]);
    // Without the list it would have gone there: a manifest must have one.
    assert_eq!(asked(&exchange(), &open).await.unwrap().status, 200);
}
