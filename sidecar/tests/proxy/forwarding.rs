//! What reaches the provider, and what comes back.

use credence_core::bundle::OnConflict;

use crate::provider::Provider;
use crate::rig::{KEY, Rig, placed, ready, route};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_call_goes_to_the_base_url_with_the_credential_on_it() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("/api/models?limit=1").await;
    assert_eq!((answer.status(), answer.text()), (200, "ok"));
    assert_eq!(
        provider.head(),
        format!(
            "GET /v1/models?limit=1 HTTP/1.1\r\nHost: {}\r\nVia: 1.1 credence\r\nAuthorization: {KEY}\r\n\r\n",
            provider.authority()
        )
    );
}

#[tokio::test]
async fn names_order_and_bytes_of_the_callers_fields_are_kept() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let mut request =
        b"GET /api/a%2Fb//;c?x=%20&&y HTTP/1.1\r\nx-LOWER: 1\r\nHOST: localhost\r\nX-Bin: "
            .to_vec();
    request.extend([0xe9, 0xff]);
    request.extend(b"\r\nAccept: a\r\nAccept: b\r\n\r\n");
    caller.send(request).await;
    assert_eq!(caller.answer().await.status(), 200);
    let head = provider.head();
    assert!(
        head.starts_with("GET /v1/a%2Fb//;c?x=%20&&y HTTP/1.1\r\n"),
        "{head}"
    );
    let fields = format!(
        "x-LOWER: 1\r\nHOST: {}\r\nX-Bin: \u{e9}\u{ff}\r\nAccept: a\r\nAccept: b\r\n",
        provider.authority()
    );
    assert!(head.contains(&fields), "{head}");
}

#[tokio::test]
async fn the_callers_own_credentials_are_removed_in_every_case_and_copy() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(
            "GET /api/ HTTP/1.1\r\nHost: localhost\r\nauthorization: a\r\nAUTHORIZATION: b\r\nAuthorization: c\r\n\r\n",
        )
        .await;
    assert_eq!(caller.answer().await.status(), 200);
    let head = provider.head();
    let copies: Vec<_> = head
        .lines()
        .filter(|line| line.to_ascii_lowercase().starts_with("authorization"))
        .collect();
    assert_eq!(copies, [format!("Authorization: {KEY}")]);
}

#[tokio::test]
async fn what_concerns_the_callers_connection_stays_there() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(
            "GET /api/ HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, X-Hop, Authorization\r\nX-Hop: 1\r\n\
             Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: y\r\n\
             Forwarded: for=a\r\nX-Forwarded-For: b\r\nx-forwarded-host: c\r\nX-Stays: 1\r\n\r\n",
        )
        .await;
    assert_eq!(caller.answer().await.status(), 200);
    assert_eq!(
        provider.head(),
        format!(
            "GET /v1/ HTTP/1.1\r\nHost: {}\r\nX-Stays: 1\r\nVia: 1.1 credence\r\nAuthorization: {KEY}\r\n\r\n",
            provider.authority()
        )
    );
}

#[tokio::test]
async fn a_key_in_the_query_is_appended_and_the_callers_is_cut_out() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut with_query = route(&provider);
    with_query.headers.clear();
    with_query.query = vec![placed("api_key", "k/1", OnConflict::Replace)];
    rig.apply([("api", ready(with_query))]);
    let mut caller = rig.caller().await;
    for (sent, expected) in [
        ("/api/a", "/v1/a?api_key=k%2F1"),
        ("/api/a?b=1&api_key=x&c", "/v1/a?b=1&c&api_key=k%2F1"),
        ("/api/a?api%5Fkey=x", "/v1/a?api_key=k%2F1"),
    ] {
        assert_eq!(caller.get(sent).await.status(), 200);
        let head = provider.heads().pop().unwrap();
        assert!(head.starts_with(&format!("GET {expected} ")), "{head}");
    }
}

#[tokio::test]
async fn the_callers_own_value_wins_or_is_refused_where_the_collection_says_so() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut both = route(&provider);
    both.headers
        .push(placed("X-Version", "1", OnConflict::IfAbsent));
    both.headers.push(placed("X-Team", "t", OnConflict::Reject));
    rig.apply([("api", ready(both))]);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\nx-version: 2\r\n\r\n")
        .await;
    assert_eq!(caller.answer().await.status(), 200);
    let head = provider.head();
    assert!(
        head.contains("\r\nx-version: 2\r\n") && !head.contains("X-Version: 1"),
        "{head}"
    );
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\nX-TEAM: u\r\n\r\n")
        .await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (400, Some("conflicting-header"))
    );
    assert_eq!(provider.heads().len(), 1);
}

#[tokio::test]
async fn redirects_come_back_and_lead_to_the_proxy() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let host = crate::provider::field(&head, "host").unwrap().to_owned();
            let location = format!("https://{host}/v1/other");
            peer.send(format!(
                "HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("/api/one").await;
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.field("location"), Some("http://localhost/api/other"));
    assert_eq!(provider.heads().len(), 1);
}

#[tokio::test]
async fn an_answer_cannot_pass_for_one_of_the_proxys() {
    let provider = Provider::answering(
        "HTTP/1.1 503 No\r\nCredence-Error: not-ready\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("/api/").await;
    assert_eq!(
        (answer.status(), answer.field("credence-error")),
        (503, None)
    );
}

#[tokio::test]
async fn the_absolute_form_is_a_path_on_this_machine() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("http://localhost:2733/api/a").await;
    assert_eq!(answer.status(), 200);
    assert!(provider.head().starts_with("GET /v1/a HTTP/1.1\r\n"));
}

#[tokio::test]
async fn http_10_callers_are_served() {
    let provider = Provider::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    )
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.send("GET /api/ HTTP/1.0\r\n\r\n").await;
    let answer = caller.answer().await;
    assert_eq!(answer.field("transfer-encoding"), None);
    assert_eq!(
        (answer.field("connection"), answer.text()),
        (Some("close"), "ok")
    );
}

#[tokio::test]
async fn the_index_lists_what_may_be_called() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let index: serde_json::Value = serde_json::from_slice(&caller.get("/").await.body).unwrap();
    assert_eq!(
        index,
        serde_json::json!({"collections": [
            {"name": "api", "environment": "development", "state": "ready", "url": "http://localhost/api"}
        ]})
    );
    caller
        .send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let head = caller.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(caller.get("/api/").await.text(), "ok");
}
