//! Each refusal by its name, and nothing of it at the provider.

use std::time::Duration;

use credence_core::bundle::{Entry, Unavailable};
use credence_sidecar::{ProxySettings, Timeouts};
use tokio::net::TcpListener;

use crate::provider::Provider;
use crate::rig::{Rig, ready, route, unavailable};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Sends one request; the status and slug of the answer.
async fn refusal(rig: &Rig, request: &str) -> (u16, String) {
    let mut caller = rig.caller().await;
    caller.send(request).await;
    let answer = caller.answer().await;
    let slug = answer.slug().unwrap_or_default().to_owned();
    let members: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(members["type"], format!("urn:credence:error:{slug}"));
    assert_eq!(members["status"], answer.status());
    for member in ["title", "detail", "code"] {
        assert!(members[member].is_string(), "{member}");
    }
    (answer.status(), slug)
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_refused_by_name_and_reaches_nobody() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut broken = route(&provider);
    broken.trust = Some("no certificate".into());
    let refused = rig.apply([
        ("api", ready(route(&provider))),
        ("broken", ready(broken)),
        ("later", Entry::Unsupported("feature token".to_owned())),
        ("pending", unavailable(Unavailable::NotReady)),
        ("poor", unavailable(Unavailable::CredentialsMissing)),
    ]);
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["broken", "later"]);
    let local = "Host: localhost:2733\r\n";
    for (request, status, slug) in [
        (
            format!("GET /nobody/x HTTP/1.1\r\n{local}\r\n"),
            404,
            "unknown-collection",
        ),
        (
            format!("GET //api/x HTTP/1.1\r\n{local}\r\n"),
            404,
            "unknown-collection",
        ),
        (
            format!("GET /poor/x HTTP/1.1\r\n{local}\r\n"),
            503,
            "credentials-missing",
        ),
        (
            format!("GET /pending/x HTTP/1.1\r\n{local}\r\n"),
            503,
            "not-ready",
        ),
        (
            format!("GET /later/x HTTP/1.1\r\n{local}\r\n"),
            503,
            "unsupported",
        ),
        (
            format!("GET /broken/x HTTP/1.1\r\n{local}\r\n"),
            503,
            "unsupported",
        ),
        (
            format!("GET /api/../x HTTP/1.1\r\n{local}\r\n"),
            400,
            "bad-request",
        ),
        (
            format!("GET /api/%2e%2e/x HTTP/1.1\r\n{local}\r\n"),
            400,
            "bad-request",
        ),
        (
            format!("OPTIONS * HTTP/1.1\r\n{local}\r\n"),
            400,
            "bad-request",
        ),
        (
            format!("CONNECT api:443 HTTP/1.1\r\n{local}\r\n"),
            405,
            "method-not-allowed",
        ),
        (
            format!("TRACE /api/ HTTP/1.1\r\n{local}\r\n"),
            405,
            "method-not-allowed",
        ),
        (
            format!("TRACK /api/ HTTP/1.1\r\n{local}\r\n"),
            405,
            "method-not-allowed",
        ),
        (
            format!("POST / HTTP/1.1\r\n{local}\r\n"),
            405,
            "method-not-allowed",
        ),
        (
            "GET /api/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_owned(),
            421,
            "forbidden-host",
        ),
        (
            format!("GET http://api.example.com/ HTTP/1.1\r\n{local}\r\n"),
            421,
            "forbidden-host",
        ),
        (
            format!("GET /api/ HTTP/1.1\r\n{local}Origin: https://evil.example\r\n\r\n"),
            403,
            "forbidden-origin",
        ),
        (
            format!("GET /api/ HTTP/1.1\r\n{local}Sec-Fetch-Site: cross-site\r\n\r\n"),
            403,
            "forbidden-origin",
        ),
        (
            format!(
                "POST /api/ HTTP/1.1\r\n{local}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            ),
            501,
            "not-implemented",
        ),
        (
            format!("POST /api/ HTTP/1.1\r\n{local}Transfer-Encoding: gzip, chunked\r\n\r\n"),
            501,
            "not-implemented",
        ),
        (
            "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            501,
            "not-implemented",
        ),
        (
            format!(
                "POST /api/ HTTP/1.1\r\n{local}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            400,
            "bad-request",
        ),
        (
            format!(
                "POST /api/ HTTP/1.1\r\n{local}Content-Length: 1\r\nContent-Length: 1\r\n\r\na"
            ),
            400,
            "bad-request",
        ),
        (
            format!("GET /api/ HTTP/1.1\r\n{local}{local}\r\n"),
            400,
            "bad-request",
        ),
        ("GET /api/ HTTP/1.1\r\n\r\n".to_owned(), 400, "bad-request"),
        (
            format!("GET /api/ HTTP/1.1\n{local}\r\n"),
            400,
            "bad-request",
        ),
        (
            format!("GET /api/ HTTP/1.1\r\n{local}A: b\r\n c\r\n\r\n"),
            400,
            "bad-request",
        ),
        (
            format!("GET /api/ HTTP/1.1\r\n{local}A : b\r\n\r\n"),
            400,
            "bad-request",
        ),
        (
            format!(
                "GET /api/ HTTP/1.1\r\n{local}{}\r\n",
                "A: b\r\n".repeat(128)
            ),
            431,
            "head-too-large",
        ),
        (
            format!(
                "GET /api/ HTTP/1.1\r\n{local}A: {}\r\n\r\n",
                "b".repeat(65_536)
            ),
            431,
            "head-too-large",
        ),
    ] {
        let shown: String = request.chars().take(80).collect();
        assert_eq!(
            refusal(&rig, &request).await,
            (status, slug.to_owned()),
            "{shown}"
        );
    }
    assert_eq!(provider.heads(), [""; 0]);
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_method_that_is_refused_is_told_which_are_not() {
    let rig = Rig::empty(ProxySettings::default());
    rig.apply([]);
    let mut caller = rig.caller().await;
    for (request, allow) in [
        ("DELETE /", "GET, HEAD"),
        (
            "TRACE /api/",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
    ] {
        caller
            .send(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        let answer = caller.answer().await;
        assert_eq!((answer.status(), answer.field("allow")), (405, Some(allow)));
    }
}

#[tokio::test]
async fn a_body_that_is_badly_chunked_is_refused() {
    let provider = Provider::start(|mut peer| async move {
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let request =
        "POST /api/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(
        refusal(&rig, request).await,
        (400, "bad-request".to_owned())
    );
}

#[tokio::test]
async fn before_the_first_bundle_nothing_is_ready() {
    let rig = Rig::empty(ProxySettings::default());
    assert!(!rig.handle.bundle_applied());
    let mut caller = rig.caller().await;
    for target in ["/api/x", "/"] {
        let answer = caller.get(target).await;
        assert_eq!((answer.status(), answer.slug()), (503, Some("not-ready")));
        assert_eq!(answer.field("retry-after"), Some("1"));
    }
    rig.apply([]);
    assert!(rig.handle.bundle_applied());
    assert_eq!(
        caller.get("/api/x").await.slug(),
        Some("unknown-collection")
    );
}

#[tokio::test]
async fn a_refusal_without_a_body_to_skip_keeps_the_connection() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    assert_eq!(caller.get("/nobody").await.status(), 404);
    caller
        .send("HEAD /nobody HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(caller.head().await.starts_with("HTTP/1.1 404 "));
    assert_eq!(caller.get("/api/").await.text(), "ok");
    caller
        .send("POST /nobody HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /")
        .await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.status(), answer.field("connection")),
        (404, Some("close"))
    );
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_told_from_one_that_cannot_be_trusted() {
    let provider = Provider::answering(OK).await;
    let stranger = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut unreachable = route(&provider);
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    unreachable.base_url = format!("https://{closed}").parse().unwrap();
    let mut forbidden = route(&provider);
    forbidden.allow_private_networks = false;
    let mut untrusted = route(&provider);
    untrusted.trust = Some(stranger.roots().into());
    rig.apply([
        ("unreachable", ready(unreachable)),
        ("forbidden", ready(forbidden)),
        ("untrusted", ready(untrusted)),
    ]);
    for (collection, slug) in [
        ("unreachable", "upstream-unreachable"),
        ("forbidden", "upstream-unreachable"),
        ("untrusted", "upstream-tls"),
    ] {
        let request = format!("GET /{collection}/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(
            refusal(&rig, &request).await,
            (502, slug.to_owned()),
            "{collection}"
        );
    }
    assert_eq!(provider.heads(), [""; 0]);
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_passed_on() {
    for nonsense in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        let provider = Provider::answering(nonsense).await;
        let rig = Rig::with(&provider);
        let request = "GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let expected = (502, "upstream-unreachable".to_owned());
        assert_eq!(refusal(&rig, request).await, expected, "{nonsense:?}");
    }
}

/// The clock stands still until everything waits, and then jumps.
#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_times_out() {
    let rig = Rig::empty(ProxySettings::default());
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    let answer = caller.head().await;
    assert!(
        answer.contains("\r\nCredence-Error: head-timeout\r\n"),
        "{answer}"
    );
}

/// The same clock.
#[tokio::test(start_paused = true)]
async fn silence_between_requests_is_closed_without_a_word() {
    let rig = Rig::empty(ProxySettings {
        timeouts: Timeouts {
            // Shorter than a test waits, by the same clock.
            idle: Duration::from_secs(3),
            ..Timeouts::default()
        },
        ..ProxySettings::default()
    });
    let mut caller = rig.caller().await;
    assert_eq!(caller.get("/").await.status(), 503);
    // An empty line behind a body is no request that has begun.
    caller.send("\r\n").await;
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn an_api_that_does_not_answer_times_out() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::whose(&provider, |route| {
        route.timeouts.first_byte = Duration::from_millis(50);
    });
    let request = "GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(
        refusal(&rig, request).await,
        (504, "upstream-timeout".to_owned())
    );
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let rig = Rig::empty(ProxySettings {
        max_connections: 1,
        ..ProxySettings::default()
    });
    let mut first = rig.caller().await;
    assert_eq!(first.get("/").await.slug(), Some("not-ready"));
    let mut second = rig.caller().await;
    let answer = second.answer().await;
    assert_eq!((answer.status(), answer.slug()), (503, Some("overloaded")));
    assert_eq!(first.get("/").await.slug(), Some("not-ready"));
}
