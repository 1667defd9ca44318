use serde::Deserialize;

use super::*;

const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    normalize: bool,
    sign_body: bool,
    token: Option<String>,
    request: String,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
}

/// A request as the suite writes it: not quite as HTTP does.
struct Request {
    method: String,
    path: String,
    query: Option<String>,
    fields: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\n\n")
            .unwrap_or_else(|| (text.trim_end(), ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap();
        let (method, rest) = line.split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines {
            match (line.strip_prefix(' '), line.split_once(':')) {
                (Some(more), _) => fields.last_mut().unwrap().1 += &format!(" {more}"),
                (None, Some((name, value))) => fields.push((name.to_owned(), value.to_owned())),
                (None, None) => panic!("{line}"),
            }
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            fields,
            body: body.to_owned(),
        }
    }
}

fn key() -> SigningKey {
    let day = "2015-08-30".parse().unwrap();
    SigningKey::derive(SECRET_ACCESS_KEY, day, "us-east-1", "service")
}

/// The suite signs every field, and does not sign tokens where it says so, so
/// that it is held against the steps and not against the whole.
#[test]
fn the_aws_suite_is_signed_as_aws_signs_it() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("suite/v4.json")).unwrap();
    assert_eq!(cases.len(), 38);
    for case in cases {
        let name = &case.name;
        let request = Request::parse(&case.request);
        let payload = Content::Signed(request.body.as_bytes()).hash();
        let mut fields: Vec<(&str, &[u8])> = request
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        fields.push((DATE, b"20150830T123600Z"));
        if let Some(token) = &case.token {
            fields.push((SECURITY_TOKEN, token.as_bytes()));
        }
        if case.sign_body {
            fields.push((CONTENT, payload.as_bytes()));
        }
        let head = Head {
            method: &request.method,
            path: &request.path,
            query: request.query.as_deref(),
            fields: &fields,
        };
        let none = std::iter::empty();
        let canonical = Canonical::of(&head, none, &payload, !case.normalize);
        let mut text = Vec::new();
        canonical.write(|piece| text.extend_from_slice(piece));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, case.canonical_request, "{name}");
        let scope = "20150830/us-east-1/service/aws4_request";
        let to_sign = string_to_sign(&canonical, "20150830T123600Z", scope);
        assert_eq!(to_sign, case.string_to_sign, "{name}");
        assert_eq!(key().sign(&to_sign), case.signature, "{name}");
    }
}

fn signing(service: &str) -> Signing {
    Signing {
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
        access_key_id: Secret::new("AKIDEXAMPLE"),
        session_token: None,
        payload: Payload::Signed,
        keys: BTreeMap::from([("2015-08-30".parse().unwrap(), key())]),
    }
}

fn now() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().unwrap()
}

fn get<'a>(path: &'a str, query: Option<&'a str>) -> Head<'a> {
    Head {
        method: "GET",
        path,
        query,
        fields: &[("Host", b"example.amazonaws.com")],
    }
}

fn signed(signing: &Signing, head: &Head<'_>, content: Content<'_>) -> Vec<(String, String)> {
    let fields = signing.sign(head, content, now()).unwrap();
    let shown = fields.into_iter();
    shown
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect()
}

#[test]
fn a_whole_call_gets_its_date_and_its_authorization() {
    let fields = signed(&signing("service"), &get("/", None), Content::Signed(b""));
    let authorization = "AWS4-HMAC-SHA256 \
        Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
        SignedHeaders=host;x-amz-date, \
        Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let expected = [
        ("X-Amz-Date", "20150830T123600Z"),
        ("Authorization", authorization),
    ];
    assert_eq!(
        fields,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_session_token_is_added_and_signed() {
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let temporary = Signing {
        session_token: Some(Secret::new(token)),
        ..signing("service")
    };
    let fields = signed(&temporary, &get("/", None), Content::Signed(b""));
    assert_eq!(fields[1], (SECURITY_TOKEN.to_owned(), token.to_owned()));
    let signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8";
    assert!(fields[2].1.ends_with(signature), "{}", fields[2].1);
}

#[test]
fn s3_is_told_what_is_said_about_the_body() {
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (service, content, expected) in [
        ("s3", Content::Signed(b""), Some(hash)),
        ("s3", Content::Unsigned, Some("UNSIGNED-PAYLOAD")),
        (
            "s3express",
            Content::UnsignedWithTrailer,
            Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ),
        ("sts", Content::Signed(b""), None),
        ("sts", Content::Unsigned, Some("UNSIGNED-PAYLOAD")),
    ] {
        let fields = signed(&signing(service), &get("/", None), content);
        let told = fields.iter().find(|(name, _)| name == CONTENT);
        let told = told.map(|(_, value)| value.as_str());
        assert_eq!(told, expected, "{service}");
        let names = &fields.last().unwrap().1;
        assert_eq!(names.contains("x-amz-content-sha256"), expected.is_some());
    }
}

fn first_lines(path: &str, query: Option<&str>, is_s3: bool) -> String {
    let canonical = Canonical::of(&get(path, query), std::iter::empty(), "", is_s3);
    let mut text = Vec::new();
    canonical.write(|piece| text.extend_from_slice(piece));
    let text = String::from_utf8(text).unwrap();
    text.lines().skip(1).take(2).collect::<Vec<_>>().join("?")
}

#[test]
fn what_is_escaped_is_escaped_again_but_not_for_s3() {
    for (path, s3, others) in [
        ("/a%20b", "/a%20b", "/a%2520b"),
        ("/a+b", "/a%2Bb", "/a%2Bb"),
        ("/a%2Bb", "/a%2Bb", "/a%252Bb"),
        ("/%e1%88%b4", "/%E1%88%B4", "/%25e1%2588%25b4"),
        ("/a:1/(b)", "/a%3A1/%28b%29", "/a%3A1/%28b%29"),
        ("//a//", "//a//", "/a/"),
        ("/a%2Fb", "/a/b", "/a%252Fb"),
        (
            "/model/x-v2%3A0/invoke",
            "/model/x-v2%3A0/invoke",
            "/model/x-v2%253A0/invoke",
        ),
    ] {
        assert_eq!(first_lines(path, None, true), format!("{s3}?"), "{path}");
        assert_eq!(
            first_lines(path, None, false),
            format!("{others}?"),
            "{path}"
        );
    }
}

#[test]
fn a_query_is_signed_however_it_is_written() {
    for (query, canonical) in [
        ("b=1&a=2", "a=2&b=1"),
        ("a=2&a=1", "a=1&a=2"),
        ("list-type=2&prefix=a%20b", "list-type=2&prefix=a%20b"),
        ("prefix=a+b", "prefix=a%20b"),
        ("prefix=a%2bb", "prefix=a%2Bb"),
        ("uploads", "uploads="),
        ("a=b=c", "a=b%3Dc"),
        ("a=/:@", "a=%2F%3A%40"),
        ("&&a=1&", "a=1"),
        ("", ""),
    ] {
        let lines = first_lines("/", Some(query), true);
        assert_eq!(lines, format!("/?{canonical}"), "{query}");
    }
}

#[test]
fn without_the_key_of_the_day_nothing_is_signed() {
    for other in ["2015-08-29T23:59:59Z", "2015-08-31T00:00:00Z"] {
        let at = other.parse().unwrap();
        let signed = signing("s3").sign(&get("/", None), Content::Unsigned, at);
        assert_eq!(signed.unwrap_err().0.to_string(), other[..10]);
    }
}

#[test]
fn only_what_a_service_acts_on_is_signed() {
    for (name, expected) in [
        ("Host", true),
        ("content-TYPE", true),
        ("X-Amz-Target", true),
        ("x-amz-meta-a", true),
        ("X-Amzn-Trace-Id", false),
        ("X-Am", false),
        ("Content-Length", false),
        ("User-Agent", false),
        ("Via", false),
        ("Expect", false),
        ("X-Forwarded-For", false),
    ] {
        assert_eq!(is_signed(name), expected, "{name}");
    }
}

#[test]
fn the_next_days_keys_are_by_the_same_credentials() {
    let of = |secret: &str, days: [&str; 2]| Signing {
        keys: days
            .map(|day| {
                let day = day.parse().unwrap();
                (day, SigningKey::derive(secret, day, "us-east-1", "s3"))
            })
            .into(),
        ..signing("s3")
    };
    let (first, second, third, fourth) = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04");
    let today = of("secret", [first, second]);
    assert!(today.is_by_the_same(&of("secret", [second, third])));
    assert!(!today.is_by_the_same(&of("other", [second, third])));
    assert!(!today.is_by_the_same(&of("secret", [third, fourth])));
    let temporary = Signing {
        session_token: Some(Secret::new("t")),
        ..today.clone()
    };
    assert!(!today.is_by_the_same(&temporary));
}

#[test]
fn debug_shows_neither_keys_nor_tokens() {
    let signing = Signing {
        session_token: Some(Secret::new("the-token")),
        ..signing("s3")
    };
    let shown = format!("{signing:?} {:?}", signing.keys);
    for secret in ["the-token", "AKIDEXAMPLE", "[", "wJal"] {
        let shown = shown.replace("days: [2015-08-30]", "");
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_key_has_as_many_bytes_as_a_hash() {
    assert!(SigningKey::of_bytes(key().expose()) == Some(key()));
    assert!(SigningKey::of_bytes(&key().expose()[1..]).is_none());
    assert!(SigningKey::of_bytes(&[0; 33]).is_none());
}
