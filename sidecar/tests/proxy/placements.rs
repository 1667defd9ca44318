//! Where a collection's values are put, besides headers and query.

use credence_core::Secret;
use credence_core::bundle::{Forwarding, OnConflict, Placed};
use serde_json::json;

use crate::provider::{Provider, field};
use crate::rig::{Rig, placed, varying};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Sends the fields with a GET; the head that the provider got.
async fn sent(rig: &Rig, provider: &Provider, target: &str, fields: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    let mut caller = rig.caller().await;
    caller.send(request).await;
    assert_eq!(caller.answer().await.status(), 200);
    provider.heads().pop().unwrap()
}

#[tokio::test]
async fn a_key_in_the_path_stands_before_the_callers() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, |route| {
        route.path = Some(Secret::new("/bot12:aB"));
    });
    for (target, expected) in [
        ("/api/sendMessage?a=%20b", "/v1/bot12:aB/sendMessage?a=%20b"),
        ("/api/", "/v1/bot12:aB/"),
        ("/api", "/v1/bot12:aB"),
        ("/api//x%2Fy", "/v1/bot12:aB//x%2Fy"),
    ] {
        let head = sent(&rig, &provider, target, "").await;
        assert!(
            head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_key_in_the_path_is_never_shown_to_the_caller() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let host = field(&head, "host").unwrap().to_owned();
            let location = field(&head, "x-location").unwrap().replace("HOST", &host);
            peer.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Location: {location}\r\n\
                 Link: <{location}>; rel=next\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, |route| {
        route.path = Some(Secret::new("/bot12:aB"));
    });
    let mut caller = rig.caller().await;
    for (location, expected) in [
        (
            "https://HOST/v1/bot12:aB/next",
            Some("http://localhost/api/next"),
        ),
        ("/v1/bot12:aB/next?x", Some("/api/next?x")),
        ("/v1/bot12:aB", Some("/api")),
        ("/v1/bot12%3aaB/next", None),
        ("https://HOST/file/bot12:aB/next", None),
        ("https://elsewhere.test/?from=%2Fv1%2Fbot12%3AaB", None),
        ("/v1/bot12:aB/next?from=/bot12:aB", None),
        ("next", Some("next")),
        ("https://elsewhere.test/", Some("https://elsewhere.test/")),
    ] {
        caller
            .send(format!(
                "GET /api/ HTTP/1.1\r\nHost: localhost\r\nX-Location: {location}\r\n\r\n"
            ))
            .await;
        let answer = caller.answer().await;
        assert_eq!(answer.field("location"), expected, "{location}");
        assert!(!answer.head.contains("aB"), "{}", answer.head);
    }
}

#[tokio::test]
async fn a_cookie_is_put_beside_the_callers() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, |route| {
        route.cookies = vec![placed("sid", "k1", OnConflict::Replace)];
    });
    for (fields, expected) in [
        ("", vec!["Cookie: sid=k1"]),
        (
            "cookie: a=1; sid=mine; $b=2\r\n",
            vec!["cookie: sid=k1; a=1; $b=2"],
        ),
        ("Cookie: sid=mine\r\n", vec!["Cookie: sid=k1"]),
        (
            "Cookie: a=1\r\nX: y\r\nCookie: sid=mine\r\nCookie: sid=mine;b\r\n",
            vec!["Cookie: sid=k1; a=1", "Cookie: b"],
        ),
        (
            "Connection: cookie\r\nCookie: a=1\r\n",
            vec!["Cookie: sid=k1"],
        ),
    ] {
        let head = sent(&rig, &provider, "/api/", fields).await;
        let is_cookie = |line: &&str| line.to_ascii_lowercase().starts_with("cookie:");
        let cookies: Vec<_> = head.lines().filter(is_cookie).collect();
        assert_eq!(cookies, expected, "{fields:?}");
    }
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_is_not_shown_to_the_caller() {
    let provider = Provider::answering(
        "HTTP/1.1 200 OK\r\nSet-Cookie: sid=k1; Path=/\r\nSet-Cookie: other=2\r\n\
         Link: <https://b.test/v1/x?page=2&key=k2>; rel=\"next\", </v1/x?%6bey=k2#a>; rel=last\r\n\
         Content-Location: /v1/x?key=k2&a=1\r\nRefresh: 0; url=/v1/x?a&key=k2\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\nLocation: /v1/x?key=k2\r\nX-End: 1\r\n\r\n",
    )
    .await;
    let rig = Rig::whose(&provider, |route| {
        route.cookies = vec![placed("sid", "k1", OnConflict::Replace)];
        route.query = vec![placed("key", "k2", OnConflict::Replace)];
    });
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    let answer = String::from_utf8(caller.rest().await.unwrap()).unwrap();
    assert!(answer.contains("\r\nX-End: 1\r\n"), "{answer}");
    for line in [
        "Set-Cookie: other=2",
        "Link: <https://b.test/v1/x?page=2>; rel=\"next\", </v1/x#a>; rel=last",
        "Content-Location: /v1/x?a=1",
        "Refresh: 0; url=/v1/x?a",
    ] {
        assert!(
            answer.contains(&format!("\r\n{line}\r\n")),
            "{line}: {answer}"
        );
    }
    assert!(!answer.contains("k1") && !answer.contains("k2"), "{answer}");
}

#[tokio::test]
async fn a_key_within_another_reference_is_not_shown_to_the_caller() {
    let provider = Provider::answering(
        "HTTP/1.1 302 Found\r\nLocation: /login?next=%2Fv1%2Fx%3Fv%3Dversion-1%26key%3Dk2\r\n\
         Link: </login?next=%2Fv1%2Fx%3Ftoken%3Dsk-test-1>; rel=next\r\n\
         Content-Location: /login?next=%2Fv1%2Fx%3Fv%3Dversion-1\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let rig = Rig::whose(&provider, |route| {
        let version = placed("v", "version-1", OnConflict::Replace);
        route.query = vec![
            placed("key", "k2", OnConflict::Replace),
            Placed {
                private: false,
                ..version
            },
        ];
    });
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let answer = caller.answer().await;
    assert_eq!(answer.status(), 302);
    assert_eq!(
        (answer.field("location"), answer.field("link")),
        (None, None)
    );
    assert_eq!(
        answer.field("content-location"),
        Some("/login?next=%2Fv1%2Fx%3Fv%3Dversion-1")
    );
}

#[tokio::test]
async fn a_cookie_or_a_parameter_that_the_collection_reserves_is_refused() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, |route| {
        route.cookies = vec![placed("sid", "k1", OnConflict::Reject)];
        route.query = vec![placed("key", "k1", OnConflict::Reject)];
    });
    let mut caller = rig.caller().await;
    for (target, fields) in [("/api/", "Cookie: a=1; sid=2\r\n"), ("/api/?k%65y=2", "")] {
        caller
            .send(format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
            ))
            .await;
        let answer = caller.answer().await;
        assert_eq!(
            (answer.status(), answer.slug()),
            (400, Some("conflicting-header"))
        );
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn one_call_has_one_moment_wherever_it_is_written() {
    let provider = Provider::answering(OK).await;
    let uuid = json!([{"text": "u-"}, {"variable": "uuid"}]);
    let rig = Rig::whose(&provider, |route| {
        route.headers.push(varying("X-Request-Id", &uuid));
        route.query = vec![varying("id", &uuid)];
        route.cookies = vec![varying("id", &uuid)];
    });
    let mut seen = Vec::new();
    for _ in 0..2 {
        let head = sent(&rig, &provider, "/api/a?id=mine", "X-Request-ID: mine\r\n").await;
        let id = field(&head, "x-request-id").unwrap().to_owned();
        assert_eq!(id.len(), "u-".len() + 36, "{id}");
        assert!(
            head.starts_with(&format!("GET /v1/a?id={id} HTTP/1.1\r\n")),
            "{head}"
        );
        assert_eq!(field(&head, "cookie"), Some(&*format!("id={id}")));
        assert!(!head.contains("mine"), "{head}");
        seen.push(id);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn what_is_forwarded_beside_the_credential_can_be_switched() {
    let provider = Provider::start(|mut peer| async move {
        while peer.head().await.is_some() {
            peer.send("HTTP/1.1 302 Found\r\nLocation: /v1/next\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, |route| {
        route.forwarding = Forwarding {
            via: false,
            forwarded: true,
            rewrite_location: false,
        };
    });
    let mut caller = rig.caller().await;
    caller
        .send(
            "GET /api/ HTTP/1.1\r\nHost: localhost\r\nForwarded: for=a\r\nX-Forwarded-For: b\r\n\
             X-Forwarded-Proto: c\r\nConnection: X-Forwarded-Proto\r\n\r\n",
        )
        .await;
    let answer = caller.answer().await;
    let location = format!("https://{}/v1/next", provider.authority());
    assert_eq!(answer.field("location"), Some(&*location));
    let head = provider.head();
    assert_eq!(field(&head, "via"), None);
    assert_eq!(field(&head, "forwarded"), Some("for=a"));
    assert_eq!(field(&head, "x-forwarded-for"), Some("b"));
    assert_eq!(field(&head, "x-forwarded-proto"), None);
}
