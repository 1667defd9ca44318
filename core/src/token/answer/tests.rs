use std::time::Duration;

use super::*;
use crate::token::{Capture, ExpiresKind};

/// What answers are read with: one builder for all of them.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) shape: ResponseShape,
    lifetime: Lifetime,
}

impl Reader {
    pub(super) fn token_at(mut self, path: &str) -> Self {
        self.shape.access_token = path.parse().unwrap();
        self
    }

    pub(super) fn capturing(mut self, name: &str, from: &str) -> Self {
        self.shape.capture.push(Capture {
            name: name.to_owned(),
            from: from.parse().unwrap(),
        });
        self
    }

    pub(super) fn success_when(mut self, path: &str, equals: &str) -> Self {
        self.shape.success = Some(Success {
            path: path.parse().unwrap(),
            equals: equals.to_owned(),
        });
        self
    }

    pub(super) fn read(&self, raw: &RawAnswer) -> Result<Answer, AnswerError> {
        Answer::read(
            raw,
            &Reading {
                shape: &self.shape,
                lifetime: &self.lifetime,
                renewal: Renewal::Anew,
                round_trip: RoundTrip {
                    sent: at("2026-01-01T00:00:00Z"),
                    received: at("2026-01-01T00:00:01Z"),
                },
            },
        )
    }

    fn problem(&self, raw: &RawAnswer) -> AnswerProblem {
        self.read(raw).unwrap_err().problem
    }

    fn token(&self, body: &str) -> String {
        let answer = self.read(&ok(body)).unwrap();
        answer.access_token.expose().to_owned()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn ok(body: &str) -> RawAnswer {
    with_status(200, body)
}

fn with_status(status: u16, body: &str) -> RawAnswer {
    RawAnswer {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec().into(),
    }
}

fn with_header(mut raw: RawAnswer, name: &str, value: &str) -> RawAnswer {
    let value = value.as_bytes().to_vec();
    raw.headers.push((name.to_owned(), value.into()));
    raw
}

/// RFC 6749 §5.1, its example.
#[test]
fn the_example_of_rfc_6749_is_read() {
    let answer = Reader::default()
        .read(&ok(r#"{
           "access_token":"2YotnFZFEjr1zCsicMWpAA",
           "token_type":"example",
           "expires_in":3600,
           "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA",
           "example_parameter":"example_value"
         }"#))
        .unwrap();
    let expected = Answer {
        access_token: Secret::new("2YotnFZFEjr1zCsicMWpAA"),
        expires_at: Some(at("2026-01-01T01:00:00Z")),
        refresh_token: Some(Secret::new("tGzv3JOkF0XG5Qx2TlKWIA")),
        captured: BTreeMap::new(),
        base_url: None,
        scope: None,
    };
    assert_eq!(answer, expected);
}

/// n8n issue 33018: JSON as `text/plain` was refused after the refresh token
/// had been replaced. golang/oauth2 reads `text/plain` as a form.
#[test]
fn the_content_type_decides_nothing() {
    for content_type in [
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "image/png",
    ] {
        let json = with_header(ok(r#"{"access_token": "a"}"#), "content-type", content_type);
        let form = with_header(ok("access_token=a&scope=&x"), "content-type", content_type);
        for raw in [json, form] {
            let answer = Reader::default().read(&raw).unwrap();
            assert_eq!(answer.access_token.expose(), "a", "{content_type}");
        }
    }
}

#[test]
fn byte_order_marks_and_white_space_are_no_part_of_the_answer() {
    let reader = Reader::default();
    assert_eq!(reader.token("\u{feff}{\"access_token\": \"a\"}"), "a");
    assert_eq!(reader.token("\r\n\t {\"access_token\": \" a\\n\"} \n"), "a");
    assert_eq!(
        Reader::default().token_at("").token("\u{feff} a.b.c\r\n"),
        "a.b.c"
    );
}

#[test]
fn the_whole_body_can_be_the_token() {
    let reader = Reader::default().token_at("");
    assert_eq!(reader.token("eyJ.eyJ.sig"), "eyJ.eyJ.sig");
    assert_eq!(reader.token("\"quoted\\u002b\""), "quoted+");
    assert_eq!(reader.token("a=b&c"), "a=b&c");
    // An object is not a token, and may be an error.
    assert_eq!(
        reader.problem(&ok(r#"{"error": "invalid_client"}"#)),
        AnswerProblem::Refused {
            status: 200,
            code: ErrorCode::InvalidClient
        }
    );
    let missing = AnswerProblem::Missing {
        path: String::new(),
    };
    assert_eq!(reader.problem(&ok(r#"{"token": "a"}"#)), missing);
}

#[test]
fn every_status_of_success_is_one() {
    for status in [200, 201, 202] {
        let raw = with_status(status, r#"{"access_token": "a"}"#);
        assert!(Reader::default().read(&raw).is_ok(), "{status}");
    }
    for status in [100, 400, 401, 500, 503] {
        let raw = with_status(status, r#"{"access_token": "a"}"#);
        let expected = AnswerProblem::Status { status };
        assert_eq!(Reader::default().problem(&raw), expected);
    }
}

/// A redirect that was followed would have taken the credentials along.
#[test]
fn a_redirect_is_no_success_whatever_it_holds() {
    for status in [301, 302, 303, 307, 308] {
        let raw = with_status(status, r#"{"access_token": "a"}"#);
        let expected = AnswerProblem::Redirected { status };
        assert_eq!(Reader::default().problem(&raw), expected);
    }
}

/// GitHub Apps: status 201, another name, an expiry of RFC 3339.
#[test]
fn an_answer_of_github_is_read() {
    let mut reader = Reader::default().token_at("token");
    reader.shape.expires = "expires_at".parse().unwrap();
    let body = r#"{"token": "ghs_1", "expires_at": "2026-01-01T01:00:00Z"}"#;
    let answer = reader.read(&with_status(201, body)).unwrap();
    assert_eq!(answer.expires_at, Some(at("2026-01-01T01:00:00Z")));
}

/// Tableau nests, names and counts in its own way.
#[test]
fn an_answer_of_tableau_is_read() {
    let mut reader = Reader::default()
        .token_at("credentials.token")
        .capturing("site", "credentials.site.id");
    reader.shape.expires = "credentials.estimatedTimeToExpiration".parse().unwrap();
    reader.shape.expires_kind = ExpiresKind::DaysHoursMinutes;
    let body = r#"{"credentials": {"site": {"id": "s1"}, "token": "t", "estimatedTimeToExpiration": "0:02:30"}}"#;
    let answer = reader.read(&ok(body)).unwrap();
    assert_eq!(answer.expires_at, Some(at("2026-01-01T02:30:00Z")));
    assert_eq!(answer.captured["site"].expose(), "s1");
}

#[test]
fn an_expiry_in_a_form_is_a_text_that_is_read_all_the_same() {
    let answer = Reader::default()
        .read(&ok("access_token=a&expires_in=60&refresh_token=r"))
        .unwrap();
    assert_eq!(answer.expires_at, Some(at("2026-01-01T00:01:00Z")));
    assert_eq!(answer.refresh_token, Some(Secret::new("r")));
}

#[test]
fn an_error_is_one_also_with_200_and_beside_a_token() {
    for body in [
        r#"{"error": "invalid_grant", "access_token": "a"}"#,
        r#"{"error": "invalid_grant", "error_description": "expired"}"#,
        "error=invalid_grant&access_token=a",
    ] {
        for status in [200, 400, 401] {
            let expected = AnswerProblem::Refused {
                status,
                code: ErrorCode::InvalidGrant,
            };
            let raw = with_status(status, body);
            assert_eq!(Reader::default().problem(&raw), expected, "{body}");
        }
    }
    // What is there and says nothing is no error.
    let body = r#"{"error": null, "access_token": "a"}"#;
    assert_eq!(Reader::default().token(body), "a");
}

#[test]
fn an_error_of_the_providers_own_is_not_repeated() {
    for body in [
        r#"{"error": "secret s3cr3t is wrong", "error_description": "s3cr3t"}"#,
        r#"{"error": {"message": "s3cr3t"}}"#,
        r#"{"message": "s3cr3t"}"#,
        "<html>s3cr3t</html>",
        "s3cr3t",
    ] {
        for status in [200, 400, 500] {
            let error = Reader::default().read(&with_status(status, body));
            let shown = format!("{0:?} {0}", error.unwrap_err());
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}

/// Slack answers `ok: false`, Coros a `result` that is not `0000`.
#[test]
fn the_field_that_tells_of_success_is_compared_as_text() {
    for (path, equals, body) in [
        ("ok", "true", r#"{"ok": true, "access_token": "a"}"#),
        (
            "result",
            "0000",
            r#"{"result": "0000", "access_token": "a"}"#,
        ),
        ("code", "0", r#"{"code": 0, "access_token": "a"}"#),
        ("error", "0", r#"{"error": "0", "access_token": "a"}"#),
        ("ok", "yes", "ok=yes&access_token=a"),
    ] {
        let reader = Reader::default().success_when(path, equals);
        assert_eq!(reader.token(body), "a", "{body}");
    }
    for (path, equals, body) in [
        ("ok", "true", r#"{"ok": false, "access_token": "a"}"#),
        ("ok", "true", r#"{"access_token": "a"}"#),
        ("ok", "true", r#"{"ok": null, "access_token": "a"}"#),
        ("ok", "true", r#"{"ok": {}, "access_token": "a"}"#),
        ("result", "0000", r#"{"result": 0, "access_token": "a"}"#),
    ] {
        let reader = Reader::default().success_when(path, equals);
        let expected = AnswerProblem::NotSuccess {
            path: path.to_owned(),
        };
        assert_eq!(reader.problem(&ok(body)), expected, "{body}");
    }
}

/// envoy issue 42009: an empty 200 stopped everything for good.
#[test]
fn a_success_without_a_token_passes_with_time() {
    let missing = AnswerProblem::Missing {
        path: "access_token".to_owned(),
    };
    for (body, expected) in [
        ("", AnswerProblem::Empty { status: 200 }),
        (" \n", AnswerProblem::Empty { status: 200 }),
        (
            "<!DOCTYPE html><title>Log in</title>",
            AnswerProblem::Markup,
        ),
        ("<?xml version=\"1.0\"?><r/>", AnswerProblem::Markup),
        ("{\"access_token\": \"a\"", AnswerProblem::Unreadable),
        ("{}", AnswerProblem::Empty { status: 200 }),
        ("[]", AnswerProblem::Empty { status: 200 }),
        (r#"{"access_token": ""}"#, missing.clone()),
        (r#"{"access_token": " "}"#, missing.clone()),
        (r#"{"access_token": null}"#, missing.clone()),
        (r#"{"access_token": ["a"]}"#, missing.clone()),
        ("nonsense", missing),
    ] {
        let found = Reader::default().problem(&ok(body));
        assert_eq!(found, expected, "{body}");
        assert_eq!(found.remedy(), super::super::Remedy::Wait, "{body}");
        assert!(found.leaves_doubt(), "{body}");
    }
}

#[test]
fn a_bearer_token_has_many_names_and_a_proof_of_possession_is_refused() {
    let typed = |name: &str| ok(&format!(r#"{{"access_token": "a", "token_type": {name}}}"#));
    for name in [
        "\"Bearer\"",
        "\"bearer\"",
        "\"BEARER\"",
        "\"BearerToken\"",
        "\"bot\"",
        "\"N_A\"",
        "null",
        "\"\"",
    ] {
        assert!(Reader::default().read(&typed(name)).is_ok(), "{name}");
    }
    for name in ["\"DPoP\"", "\"dpop\"", "\"mac\"", "\" MAC \""] {
        let found = Reader::default().problem(&typed(name));
        assert_eq!(found, AnswerProblem::TokenType, "{name}");
    }
}

#[test]
fn fields_are_captured_from_body_header_and_cookie() {
    let reader = Reader::default()
        .capturing("instance", "instance.url")
        .capturing("org", "org")
        .capturing("subject", "header:X-Subject-Token")
        .capturing("session", "cookie:B1SESSION")
        .capturing("absent", "absent")
        .capturing("empty", "empty");
    let raw = ok(
        r#"{"access_token": "a", "instance": {"url": "https://x.test"}, "org": 17, "empty": ""}"#,
    );
    let raw = with_header(raw, "x-subject-token", "subject");
    let raw = with_header(raw, "set-cookie", "B1SESSION=s; HttpOnly");
    let captured = reader.read(&raw).unwrap().captured;
    let shown: Vec<_> = captured
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let expected = [
        ("instance", "https://x.test"),
        ("org", "17"),
        ("session", "s"),
        ("subject", "subject"),
    ];
    assert_eq!(shown, expected);
}

/// Mailchimp, Salesforce and Zoho say in the answer where the API is.
#[test]
fn the_answer_says_where_the_api_is() {
    let mut reader = Reader::default();
    reader.shape.base_url = Some("instance_url".parse().unwrap());
    let body = r#"{"access_token": "a", "instance_url": "https://x.my.salesforce.com"}"#;
    let answer = reader.read(&ok(body)).unwrap();
    let expected = "https://x.my.salesforce.com";
    assert_eq!(answer.base_url.as_deref(), Some(expected));
}

#[test]
fn what_no_head_can_hold_is_refused() {
    let reader = Reader::default().capturing("c", "c");
    let control = |path: &str| AnswerProblem::ControlCharacter {
        path: path.to_owned(),
    };
    let body = r#"{"access_token": "a\r\nX-Evil: 1"}"#;
    assert_eq!(reader.problem(&ok(body)), control("access_token"));
    let body = r#"{"access_token": "a", "c": "a\u0000"}"#;
    assert_eq!(reader.problem(&ok(body)), control("c"));
    let body = format!(r#"{{"access_token": "{}"}}"#, "a".repeat(LONGEST + 1));
    let too_long = AnswerProblem::TooLong {
        path: "access_token".to_owned(),
        limit: LONGEST,
    };
    assert_eq!(reader.problem(&ok(&body)), too_long);
}

#[test]
fn a_refresh_token_is_saved_from_an_answer_that_is_of_no_other_use() {
    let shape = ResponseShape::default();
    let salvaged = |raw: &RawAnswer| {
        salvaged_refresh_token(raw, &shape).map(|token| token.expose().to_owned())
    };
    let new = Some("new".to_owned());
    assert_eq!(salvaged(&ok(r#"{"refresh_token": "new"}"#)), new);
    let odd = r#"{"refresh_token": "new", "access_token": "a\n", "error": "odd"}"#;
    assert_eq!(salvaged(&ok(odd)), new);
    assert_eq!(salvaged(&ok("refresh_token=new")), new);
    assert_eq!(
        salvaged(&with_status(400, r#"{"refresh_token": "new"}"#)),
        None
    );
    assert_eq!(salvaged(&ok("")), None);
    assert_eq!(salvaged(&ok("{")), None);
}

#[test]
fn an_error_says_when_to_ask_again() {
    let raw = with_header(with_status(429, "slow down"), "retry-after", "17");
    let error = Reader::default().read(&raw).unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(17)));
}

#[test]
fn scopes_that_were_not_granted_are_named() {
    let asked: Vec<String> = ["read", "write", "offline_access"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(missing_scopes(&asked, "write read"), Vec::<&str>::new());
    assert_eq!(missing_scopes(&asked, "read,admin"), ["write"]);
    assert_eq!(missing_scopes(&asked, "Read"), ["read", "write"]);
    let granted = |body: &str| Reader::default().read(&ok(body)).unwrap().scope;
    let list = r#"{"access_token": "a", "scope": ["read", "write"]}"#;
    assert_eq!(granted(list).as_deref(), Some("read write"));
    let text = r#"{"access_token": "a", "scope": "read"}"#;
    assert_eq!(granted(text).as_deref(), Some("read"));
    assert_eq!(granted(r#"{"access_token": "a", "scope": ""}"#), None);
}
