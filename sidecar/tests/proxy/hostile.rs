//! Callers and providers who mean harm, or are merely broken.

use std::time::Duration;

use credence_core::bundle::OnConflict;
use credence_sidecar::{ProxySettings, Timeouts};
use tokio::task::JoinSet;

use crate::provider::{Provider, field};
use crate::rig::{KEY, Rig, placed, ready, route};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A generator whose sequence is the same in every run.
struct Dice(u64);

impl Dice {
    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        from[usize::try_from(self.0 >> 33).unwrap() % from.len()]
    }
}

fn count(head: &str, name: &str) -> usize {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .count()
}

/// Whatever the caller sends: either nothing reaches the provider, or one
/// request with our credential, our host and one framing.
#[tokio::test]
async fn no_head_makes_more_or_less_of_a_request_than_one() {
    const METHODS: [&str; 6] = ["GET", "POST", "get", "CONNECT", "G\tT", "TRACE"];
    const TARGETS: [&str; 14] = [
        "/api/a",
        "/api/a",
        "/api/a",
        "/api?b=c",
        "/api//evil.example/",
        "//evil.example/api",
        "http://localhost/api/x",
        "http://evil.example/api/x",
        "https://localhost/api",
        "/api/../api/a",
        "/api/%2E%2e/x",
        "/api\\x",
        "/api/a HTTP/1.1\r\nHost: evil.example\r\nX:",
        "*",
    ];
    const VERSIONS: [&str; 5] = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2"];
    const FIELDS: [&str; 30] = [
        "Accept: a\r\n",
        "X: y\r\n",
        "Content-Length: 0\r\n",
        "content-length: 00\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: 0,0\r\n",
        "Content-Length:\r\n",
        "Content-Length : 0\r\n",
        "Content_Length: 9\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding:\tgzip\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Host: localhost\r\n",
        "Host: evil.example\r\n",
        "Host:localhost@evil.example\r\n",
        "Connection: Host, Authorization, Content-Length, Via\r\n",
        "Connection: keep-alive, X\r\n",
        "Authorization: Bearer mine\r\n",
        "AUTHORIZATION: Bearer mine\r\n",
        "X: y\r\n Authorization: folded\r\n",
        "X: y\rAuthorization: bare\r\n",
        "X: y\nAuthorization: bare\r\n",
        "X: y\0\r\n",
        "\r\n",
        "TE: trailers\r\n",
        "Proxy-Connection: keep-alive\r\n",
        "X-Forwarded-Host: evil.example\r\n",
        "Keep-Alive: 1\r\n",
        "Upgrade: h2c\r\n",
    ];
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut dice = Dice(1);
    let (mut passed, mut seen) = (0, 0);
    for _ in 0..800 {
        let mut request = format!(
            "{} {} {}\r\n",
            dice.pick(&METHODS),
            dice.pick(&TARGETS),
            dice.pick(&VERSIONS)
        );
        if *dice.pick(&[&true, &true, &true, &false]) {
            request.push_str("Host: localhost:2733\r\n");
        }
        for _ in 0..*dice.pick(&[&0, &1, &2, &4]) {
            request.push_str(dice.pick(&FIELDS));
        }
        request.push_str("\r\n");
        let mut caller = rig.caller().await;
        caller.send(&request).await;
        let answer = caller.answer().await;
        let heads = provider.heads();
        let new = &heads[seen..];
        seen = heads.len();
        if answer.slug().is_some() {
            assert!(new.is_empty(), "{request:?} reached the provider: {new:?}");
            continue;
        }
        passed += 1;
        let [head] = new else {
            panic!("{request:?} became {new:?}");
        };
        let line = head.lines().next().unwrap();
        assert!(
            line.contains(" /v1") && line.ends_with(" HTTP/1.1"),
            "{request:?}: {line}"
        );
        assert_eq!(
            field(head, "authorization"),
            Some(KEY),
            "{request:?}: {head}"
        );
        assert_eq!(count(head, "authorization"), 1, "{request:?}: {head}");
        assert_eq!(
            field(head, "host"),
            Some(&*provider.authority()),
            "{request:?}: {head}"
        );
        assert_eq!(count(head, "host"), 1, "{request:?}: {head}");
        let framings = count(head, "content-length") + count(head, "transfer-encoding");
        assert!(framings <= 1, "{request:?}: {head}");
        for name in [
            "connection",
            "te",
            "keep-alive",
            "proxy-connection",
            "upgrade",
            "x-forwarded-host",
        ] {
            assert_eq!(count(head, name), 0, "{request:?}: {head}");
        }
    }
    assert!(
        passed > 30,
        "the pieces should make good requests too: {passed}"
    );
}

/// A request within a request's body is a body.
#[tokio::test]
async fn what_a_body_holds_is_never_a_request() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let inner = match field(&head, "content-length") {
                Some(length) => peer.bytes(length.parse().unwrap()).await.len(),
                None => peer.until("0\r\n\r\n").await.len(),
            };
            assert!(inner > 40);
            peer.send(OK).await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let inner = "GET /api/inner HTTP/1.1\r\nHost: localhost\r\n\r\n";
    caller
        .send(format!(
            "POST /api/outer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{inner}",
            inner.len()
        ))
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    caller
        .send(format!(
            "POST /api/outer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{inner}\r\n0\r\n\r\n",
            inner.len()
        ))
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    let heads = provider.heads();
    assert_eq!(heads.len(), 2);
    assert!(heads.iter().all(|head| head.starts_with("POST /v1/outer ")));
}

/// A head of which only the beginning came with the request before it has no
/// more time than any other.
#[tokio::test]
async fn the_beginning_of_a_pipelined_head_has_to_hurry_too() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::empty(ProxySettings {
        timeouts: Timeouts {
            head: Duration::from_millis(100),
            ..Timeouts::default()
        },
        ..ProxySettings::default()
    });
    rig.apply([("api", ready(route(&provider)))]);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/ HT")
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    assert_eq!(caller.answer().await.slug(), Some("head-timeout"));
}

/// What cannot be read in one way is not passed on, and its connection is not
/// used again.
#[tokio::test]
async fn an_answer_that_can_be_read_two_ways_is_refused() {
    let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(129));
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\r\n Credence-Error: folded\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: bare\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 99 Odd\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        &large,
        &many,
    ] {
        let script = answer.to_owned();
        let provider = Provider::start(move |mut peer| {
            let script = script.clone();
            async move {
                while peer.head().await.is_some() {
                    peer.send(&script).await;
                }
            }
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = rig.caller().await;
        for attempts in 1..=2 {
            let got = caller.get("/api/").await;
            let start = answer.get(..80).unwrap_or(answer);
            assert_eq!(got.status(), 502, "{start:?}");
            assert_eq!(got.slug(), Some("upstream-unreachable"), "{start:?}");
            assert_eq!(provider.connections(), attempts, "{start:?}");
        }
    }
}

/// An answer whose body breaks is cut, and never ended as if it were whole.
#[tokio::test]
async fn an_answer_whose_chunks_are_broken_is_cut() {
    for body in [
        "5\r\nhello\r\n-1\r\n\r\n",
        "5\r\nhello\r\n10000000000000000\r\nx",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello\r\n0\r\nSet-Cookie : a\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
    ] {
        let provider = Provider::start(move |mut peer| async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            peer.send(body).await;
            peer.ended().await;
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = rig.caller().await;
        caller
            .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        match caller.rest().await {
            Err(_) => {}
            Ok(got) => {
                let got = String::from_utf8(got).unwrap();
                assert!(!got.ends_with("0\r\n\r\n"), "{body:?} became {got:?}");
            }
        }
    }
}

/// A body where there is none is not taken for the next answer.
#[tokio::test]
async fn a_body_after_an_answer_that_has_none_is_thrown_away_with_its_connection() {
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n"),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 38\r\n\r\n",
        ),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let provider = Provider::start(move |mut peer| async move {
            while peer.head().await.is_some() {
                let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
                peer.send([head, evil].concat()).await;
            }
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = rig.caller().await;
        for attempts in 1..=3 {
            caller
                .send(format!(
                    "{method} /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
                ))
                .await;
            let got = caller.head().await;
            assert_eq!(got[..12], head[..12]);
            assert_eq!(provider.connections(), attempts, "{head}");
        }
    }
}

/// A provider that redirects within itself often repeats the query. The key
/// in it must not come to the caller by that way.
#[tokio::test]
async fn a_redirect_does_not_carry_the_key_of_the_query_to_the_caller() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let host = field(&head, "host").unwrap().to_owned();
            let target = head.split(' ').nth(1).unwrap();
            let (path, query) = target.split_once('?').unwrap();
            let to = match path {
                "/v1/own" => format!("https://{host}/v1/own/?{query}#part"),
                "/v1/path" => format!("/v1/path/?{query}"),
                "/v1/relative" => format!("relative/?{query}"),
                "/v1/outside" => format!("/v2?{query}"),
                _ => format!("https://elsewhere.example/?{query}"),
            };
            peer.send(format!(
                "HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut with_query = route(&provider);
    with_query.query = vec![placed("api_key", "k/1", OnConflict::Replace)];
    rig.apply([("api", ready(with_query))]);
    let mut caller = rig.caller().await;
    let authority = provider.authority();
    for (call, location) in [
        (
            "/api/own?a=%2F",
            "http://localhost/api/own/?a=%2F#part".to_owned(),
        ),
        ("/api/own", "http://localhost/api/own/#part".to_owned()),
        ("/api/path?a", "/api/path/?a".to_owned()),
        ("/api/relative?a", "relative/?a".to_owned()),
        ("/api/outside?a", format!("https://{authority}/v2?a")),
        ("/api/away?a", "https://elsewhere.example/?a".to_owned()),
    ] {
        let answer = caller.get(call).await;
        assert_eq!(answer.field("location"), Some(&*location), "{call}");
    }
}

#[tokio::test]
async fn heads_that_arrive_in_pieces_have_a_limit_together() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let piece = format!(
        "GET /api/ HTTP/1.1\r\nHost: localhost\r\nX: {}",
        "x".repeat(40_000)
    );
    let mut waiting = JoinSet::new();
    // Each of them holds 64 KiB.
    for _ in 0..130 {
        let mut caller = rig.caller().await;
        caller.send(&piece).await;
        waiting.spawn(async move { caller.answer().await });
    }
    for _ in 0..2 {
        let answer = waiting.join_next().await.unwrap().unwrap();
        assert_eq!((answer.status(), answer.slug()), (503, Some("overloaded")));
    }
    // One that arrives at once needs none of it.
    assert_eq!(rig.caller().await.get("/api/").await.text(), "ok");
    assert_eq!(provider.heads().len(), 1);
    let refused = r#"{collection="",method="other",code_class="5xx",source="sidecar"} 2"#;
    assert!(rig.handle.metrics().render().contains(refused));
}
