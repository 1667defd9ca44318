//! Calls that are signed for AWS, at a provider that checks the signature of
//! what has arrived.

mod refused;

use credence_core::Secret;
use credence_core::bundle::Route;
use credence_core::sigv4::{self, Content, Head, Payload, Signing, SigningKey};
use jiff::{SignedDuration, Timestamp};

use crate::http2;
use crate::provider::{Provider, field};
use crate::rig::{Rig, changed};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const REGION: &str = "eu-central-1";

fn signing(service: &str, payload: Payload, now: Timestamp) -> Signing {
    let key = |day| (day, SigningKey::derive("secret", day, REGION, service));
    Signing {
        region: REGION.to_owned(),
        service: service.to_owned(),
        access_key_id: Secret::new("AKIDEXAMPLE"),
        session_token: Some(Secret::new("the-session-token")),
        payload,
        keys: sigv4::days(now).map(key).into(),
    }
}

fn s3(route: &mut Route) {
    route.headers.clear();
    route.signing = Some(signing("s3", Payload::Unsigned, Timestamp::now()));
}

fn sts(route: &mut Route) {
    route.headers.clear();
    route.signing = Some(signing("sts", Payload::Signed, Timestamp::now()));
}

/// When a request was signed, which is checked like AWS does: by what has
/// arrived alone.
fn checked(head: &str, body: &[u8], signing: &Signing) -> Timestamp {
    let mut lines = head.lines();
    let mut line = lines.next().unwrap().split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let (host, target) = match target.strip_prefix("https://") {
        Some(rest) => {
            let (host, _) = rest.split_once('/').unwrap();
            (Some(host), &rest[host.len()..])
        }
        None => (None, target),
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let said: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    for name in sigv4::FIELDS {
        let count = said.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let optional = name == "X-Amz-Content-Sha256" && signing.service != "s3";
        assert_eq!(count.count(), usize::from(!optional), "{name}: {head}");
    }
    let authorization = field(head, "authorization").unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    let (names, _) = names.split_once(',').unwrap();
    let names: Vec<&str> = names.split(';').collect();
    let added = |name: &str| sigv4::FIELDS.iter().any(|f| f.eq_ignore_ascii_case(name));
    let fields = said.iter().copied().chain(host.map(|host| ("host", host)));
    let fields: Vec<(&str, &[u8])> = fields
        .filter(|(name, _)| names.contains(&&*name.to_ascii_lowercase()) && !added(name))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let content = match field(head, "x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => Content::Unsigned,
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => Content::UnsignedWithTrailer,
        _ => Content::Signed(body),
    };
    let date = field(head, "x-amz-date").unwrap();
    let at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).unwrap();
    let at = jiff::tz::TimeZone::UTC.to_timestamp(at.to_datetime().unwrap());
    let at = at.unwrap();
    let head = Head {
        method,
        path,
        query,
        fields: &fields,
    };
    let signed = signing.sign(&head, content, at).unwrap();
    let (_, expected) = signed.last().unwrap();
    assert_eq!(authorization, expected.as_str());
    at
}

fn is_now(at: Timestamp) -> bool {
    at.duration_until(Timestamp::now()).abs() < SignedDuration::from_mins(1)
}

const TARGETS: [&str; 8] = [
    "/api",
    "/api/",
    "/api/a%20b/c+d/%E1%88%B4//e",
    "/api/bucket/key?list-type=2&prefix=a+b&prefix=%2F",
    "/api/?uploads",
    "/api/x?b=1&a=%7e~&&c==",
    "/api/model/claude-v2:1/invoke",
    "/api/x?",
];

#[tokio::test]
async fn what_is_sent_is_what_is_signed() {
    for change in [s3, sts] {
        let provider = Provider::answering(OK).await;
        let rig = Rig::whose(&provider, change);
        let mut caller = rig.caller().await;
        let now = Timestamp::now();
        for target in TARGETS {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Amz-Meta-A:  b  c \r\nx-amz-meta-a: d\r\n\
                 Content-Type: text/plain\r\nUser-Agent: t\r\n\r\n"
            );
            caller.send(request).await;
            assert_eq!(caller.answer().await.status(), 200, "{target}");
            let head = provider.heads().pop().unwrap();
            let service = field(&head, "authorization").unwrap().contains("/s3/");
            let signing = match service {
                true => signing("s3", Payload::Unsigned, now),
                false => signing("sts", Payload::Signed, now),
            };
            assert!(is_now(checked(&head, b"", &signing)), "{head}");
            let rest = target.strip_prefix("/api").unwrap();
            let (line, _) = head.split_once("\r\n").unwrap();
            assert_eq!(line, format!("GET /v1{rest} HTTP/1.1"));
            let signed = field(&head, "authorization").unwrap();
            assert!(signed.contains("=content-type;host;x-amz-"), "{signed}");
            assert!(signed.contains(";x-amz-meta-a;"), "{signed}");
            assert!(!signed.contains("user-agent"), "{signed}");
        }
    }
}

#[tokio::test]
async fn what_is_sent_by_http2_is_what_is_signed() {
    for change in [s3, sts] {
        let provider = http2::provider::start(|mut call| async move {
            let (body, _) = call.whole().await.unwrap();
            call.answer(if body == b"x=1" { "x=1" } else { "" });
        })
        .await;
        let rig = Rig::whose(&provider, change);
        let mut caller = rig.caller().await;
        let now = Timestamp::now();
        for target in TARGETS {
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: T\r\nContent-Length: 3\r\n\r\nx=1"
            );
            caller.send(request).await;
            assert_eq!(caller.answer().await.text(), "x=1", "{target}");
            let head = provider.heads().pop().unwrap();
            let signing = match field(&head, "x-amz-content-sha256") {
                Some(_) => signing("s3", Payload::Unsigned, now),
                None => signing("sts", Payload::Signed, now),
            };
            assert!(is_now(checked(&head, b"x=1", &signing)), "{head}");
        }
    }
}

#[tokio::test]
async fn the_callers_own_signature_is_left_out() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, s3);
    let mut caller = rig.caller().await;
    caller
        .send(
            "PUT /api/a HTTP/1.1\r\nHost: localhost\r\nauthorization: AWS4-HMAC-SHA256 dummy\r\n\
             X-Amz-Date: 20150830T123600Z\r\nX_Amz_Date: 20150830T123600Z\r\nX-AMZ-SECURITY-TOKEN: theirs\r\n\
             x-amz-content-sha256: e3b0c442\r\nContent-Length: 4\r\nExpect: x\r\n\r\nbody",
        )
        .await;
    assert_eq!(caller.answer().await.status(), 200);
    let head = provider.head();
    let signing = signing("s3", Payload::Unsigned, Timestamp::now());
    assert!(is_now(checked(&head, b"body", &signing)), "{head}");
    for theirs in ["dummy", "20150830", "theirs", "e3b0c442"] {
        assert!(!head.contains(theirs), "{head}");
    }
    assert_eq!(
        field(&head, "x-amz-security-token"),
        Some("the-session-token")
    );
}

#[tokio::test]
async fn a_body_that_is_signed_is_kept_until_it_is_whole() {
    let provider = Provider::echoing().await;
    let rig = Rig::whose(&provider, sts);
    let mut caller = rig.caller().await;
    let now = Timestamp::now();
    for (fields, sent) in [
        ("Content-Length: 9", "Action=Xy"),
        (
            "Transfer-Encoding: chunked",
            "3\r\nAct\r\n6\r\nion=Xy\r\n0\r\n\r\n",
        ),
        ("Content-Length: 9\r\nExpect: 100-continue", "Action=Xy"),
    ] {
        let request =
            format!("POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-MD5: x\r\n{fields}\r\n\r\n");
        caller.send(request).await;
        if fields.contains("Expect") {
            assert_eq!(caller.answer().await.status(), 100);
        }
        caller.send(sent).await;
        let answer = caller.answer().await;
        assert_eq!((answer.status(), answer.text()), (200, "Action=Xy"));
        let head = provider.heads().pop().unwrap();
        let signing = signing("sts", Payload::Signed, now);
        assert!(is_now(checked(&head, b"Action=Xy", &signing)), "{head}");
        assert_eq!(field(&head, "content-length"), Some("9"));
        assert_eq!(
            field(&head, "content-md5"),
            Some("x"),
            "the body is as it was"
        );
        assert_eq!(field(&head, "transfer-encoding"), None);
        assert_eq!(field(&head, "expect"), None);
    }
    let length = 1024 * 1024 + 1;
    let head = format!("PUT /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    caller.send(head).await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (413, Some("body-too-large"))
    );
    assert_eq!(provider.heads().len(), 3);
}

#[tokio::test]
async fn a_body_that_is_not_signed_is_streamed() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            let end = match field(&head, "transfer-encoding") {
                Some(_) => "first\r\n",
                None => "first",
            };
            peer.until(end).await;
            // The rest is sent only after this.
            peer.send("HTTP/1.1 102 Processing\r\n\r\n").await;
            peer.until("last").await;
            if field(&head, "transfer-encoding").is_some() {
                peer.until("0\r\n\r\n").await;
            }
            peer.send(OK).await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, s3);
    let mut caller = rig.caller().await;
    let signing = signing("s3", Payload::Unsigned, Timestamp::now());
    let length = 2 * 1024 * 1024;
    let filling = "x".repeat(length - 9);
    for (fields, first, rest) in [
        (
            format!("Content-Length: {length}"),
            "first",
            format!("{filling}last"),
        ),
        (
            "Transfer-Encoding: chunked".to_owned(),
            "5\r\nfirst\r\n",
            "4\r\nlast\r\n0\r\n\r\n".to_owned(),
        ),
    ] {
        caller
            .send(format!(
                "PUT /api/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{fields}\r\n\r\n"
            ))
            .await;
        assert_eq!(caller.answer().await.status(), 100);
        caller.send(first).await;
        assert_eq!(caller.answer().await.status(), 102);
        caller.send(rest).await;
        assert_eq!(caller.answer().await.status(), 200);
        let head = provider.heads().pop().unwrap();
        assert!(is_now(checked(&head, b"", &signing)), "{head}");
        assert_eq!(field(&head, "expect"), Some("100-continue"));
    }
}

#[tokio::test]
async fn chunks_of_s3s_own_are_passed_on_where_they_need_no_signature() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, s3);
    let mut caller = rig.caller().await;
    let put = |content: &str| {
        format!(
            "PUT /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: aws-chunked\r\n\
             X-Amz-Trailer: x-amz-checksum-crc32\r\nX-Amz-Content-Sha256: {content}\r\nContent-Length: 3\r\n\r\nabc"
        )
    };
    caller.send(put("STREAMING-UNSIGNED-PAYLOAD-TRAILER")).await;
    assert_eq!(caller.answer().await.status(), 200);
    let head = provider.head();
    let signing = signing("s3", Payload::Unsigned, Timestamp::now());
    assert!(is_now(checked(&head, b"", &signing)), "{head}");
    let told = field(&head, "x-amz-content-sha256");
    assert_eq!(told, Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));

    caller.send(put("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")).await;
    let answer = caller.answer().await;
    assert_eq!((answer.status(), answer.slug()), (400, Some("bad-request")));
    assert!(answer.text().contains("aws-chunked"), "{}", answer.text());
    assert_eq!(provider.heads().len(), 1);
}

#[tokio::test]
async fn without_a_key_for_today_no_call_is_made() {
    let provider = Provider::answering(OK).await;
    let long_ago = Timestamp::now() - SignedDuration::from_hours(72);
    let rig = Rig::whose(&provider, |route| {
        route.headers.clear();
        route.signing = Some(signing("s3", Payload::Unsigned, long_ago));
    });
    let mut caller = rig.caller().await;
    let answer = caller.get("/api/a").await;
    let slug = Some("token-unavailable");
    assert_eq!((answer.status(), answer.slug()), (503, slug));
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert!(!answer.text().contains("AKID"), "{}", answer.text());
    let index = caller.get("/").await;
    assert!(index.text().contains("token-unavailable"), "{index:?}");
    assert_eq!(provider.connections(), 0);
    // The next day's keys have come.
    rig.apply([("api", changed(&provider, s3))]);
    assert_eq!(caller.get("/api/a").await.status(), 200);
}

#[tokio::test]
async fn a_target_that_http2_would_change_after_the_signature_is_refused() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, s3);
    let mut caller = rig.caller().await;
    let answer = caller.get("/api/a<b").await;
    assert_eq!((answer.status(), answer.slug()), (400, Some("bad-request")));
    assert_eq!(provider.connections(), 0);
}

/// Refuses every call, with a clock of its own.
async fn refusing(hours: i64, age: &'static str) -> Provider {
    Provider::start(move |mut peer| async move {
        while peer.head().await.is_some() {
            let date = Timestamp::now() + SignedDuration::from_hours(hours);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&date)
                .unwrap();
            peer.send(format!(
                "HTTP/1.1 403 Forbidden\r\nDate: {date}\r\n{age}Content-Length: 0\r\n\r\n"
            ))
            .await;
        }
    })
    .await
}

async fn signed_at(provider: &Provider, rig: &Rig) -> SignedDuration {
    let mut caller = rig.caller().await;
    let now = Timestamp::now();
    assert_eq!(caller.get("/api/a").await.status(), 403);
    let head = provider.heads().pop().unwrap();
    let at = checked(&head, b"", &signing("s3", Payload::Unsigned, now));
    now.duration_until(at)
}

#[tokio::test]
async fn calls_are_signed_by_the_clock_of_a_provider_that_refuses_ours() {
    let minute = SignedDuration::from_mins(1);
    for hours in [2, -2] {
        let provider = refusing(hours, "").await;
        let rig = Rig::whose(&provider, s3);
        assert!(signed_at(&provider, &rig).await.abs() < minute);
        let apart = SignedDuration::from_hours(hours);
        assert!((signed_at(&provider, &rig).await - apart).abs() < minute);
        // It is known for the next day's keys, too.
        let renewed = changed(&provider, |route| {
            s3(route);
            route.sidecar_port = Some(0);
        });
        rig.apply([("api", renewed)]);
        assert!((signed_at(&provider, &rig).await - apart).abs() < minute);
    }
}

#[tokio::test]
async fn a_clock_of_other_days_and_the_date_of_an_old_answer_change_nothing() {
    let minute = SignedDuration::from_mins(1);
    for (hours, age) in [(24 * 7, ""), (-24 * 7, ""), (2, "Age: 7200\r\n")] {
        let provider = refusing(hours, age).await;
        let rig = Rig::whose(&provider, s3);
        for _ in 0..2 {
            assert!(signed_at(&provider, &rig).await.abs() < minute, "{hours}");
        }
    }
}

#[tokio::test]
async fn no_answer_tells_the_session_token() {
    let provider = Provider::answering(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://other.test/?t=the-session-token\r\n\
         Content-Length: 0\r\n\r\n",
    )
    .await;
    let rig = Rig::whose(&provider, s3);
    let answer = rig.caller().await.get("/api/a").await;
    assert_eq!((answer.status(), answer.field("location")), (307, None));
}

#[tokio::test]
async fn what_no_signature_can_hold_refuses_the_collection() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    for spoil in [
        |signing: &mut Signing| signing.region = "a/b".to_owned(),
        |signing: &mut Signing| signing.service = "s3\r\nX: y".to_owned(),
        |signing: &mut Signing| signing.access_key_id = Secret::new("a\r\nX: y"),
        |signing: &mut Signing| signing.session_token = Some(Secret::new("a b")),
    ] {
        let spoiled = changed(&provider, |route| {
            s3(route);
            spoil(route.signing.as_mut().unwrap());
        });
        let refused = rig.apply([("api", spoiled)]);
        assert_eq!(
            refused["api"],
            "what calls are signed with holds what no signature can"
        );
        let answer = rig.caller().await.get("/api/a").await;
        assert_eq!(answer.slug(), Some("unsupported"));
    }
}
