use std::sync::Arc;

use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route};
use credence_core::{CollectionName, Environment, Secret};

use credence_net::Egress;

use super::*;
use crate::http1::FieldStorage;
use crate::standing::Board;
use crate::table::Compiler;

fn destination() -> Arc<Destination> {
    let name: CollectionName = "openai".parse().unwrap();
    let placed = |name: &str, value: &str, private| Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private,
        on_conflict: OnConflict::Replace,
    };
    let route = Route {
        headers: vec![placed("Authorization", "Bearer sk_live_1", true)],
        query: vec![
            placed("api_key", "key", true),
            placed("api-version", "2026-11-21", false),
        ],
        ..Route::to("https://api.test/v1".parse().unwrap())
    };
    let bundle = Bundle {
        revision: String::new(),
        environment: Environment::Live,
        collections: [(name, Entry::Ready(Arc::new(route)))].into(),
        tokens: [].into(),
    };
    let (table, _) =
        Compiler::new(Egress::default(), 0, Arc::default(), Board::default()).compile(bundle, None);
    Arc::clone(table.find("openai").unwrap())
}

fn passed(head: &str, version: Version) -> (String, Passing) {
    passed_by(&Entrance::Main, Some(b"localhost:2733"), head, version)
}

fn passed_by(
    entrance: &Entrance,
    host: Option<&[u8]>,
    head: &str,
    version: Version,
) -> (String, Passing) {
    let mut storage = FieldStorage::new();
    let head = ResponseHead::parse(head.as_bytes(), false, &mut storage).unwrap();
    let caller = Caller {
        version,
        entrance,
        host,
        close: false,
        switching: false,
    };
    let mut out = Vec::new();
    let passing = write(&head, &caller, &destination(), &mut out);
    (String::from_utf8(out).unwrap(), passing)
}

#[test]
fn an_answer_keeps_its_fields_but_those_of_the_connection() {
    let (head, passing) = passed(
        "HTTP/1.1 200 Fine\r\nserver: X\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: keep-alive, X-Hop\r\n\
         X-Hop: 1\r\nKeep-Alive: timeout=5\r\nCredence-Error: fake\r\nTransfer-Encoding: chunked\r\nX-Bin: \u{e9}\r\n\r\n",
        Version::Http11,
    );
    assert_eq!(
        head,
        "HTTP/1.1 200 Fine\r\nserver: X\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: chunked\r\nX-Bin: \u{e9}\r\n\r\n"
    );
    assert_eq!(
        passing,
        Passing {
            chunked: true,
            close: false
        }
    );
}

#[test]
fn http_10_gets_the_end_of_the_connection_for_chunks() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n";
    let (head, passing) = passed(chunked, Version::Http10);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    assert_eq!(
        passing,
        Passing {
            chunked: false,
            close: true
        }
    );
    let (head, passing) = passed(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        Version::Http10,
    );
    assert!(head.ends_with("\r\nConnection: keep-alive\r\n\r\n"));
    assert!(!passing.close);
}

#[test]
fn a_body_until_close_closes_the_callers_connection() {
    let (head, passing) = passed("HTTP/1.1 200 OK\r\n\r\n", Version::Http11);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    assert!(passing.close && !passing.chunked);
}

#[test]
fn answers_without_body_carry_no_framing() {
    let (head, _) = passed(
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        Version::Http11,
    );
    assert_eq!(head, "HTTP/1.1 204 No Content\r\n\r\n");
    let (head, _) = passed(
        "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
        Version::Http11,
    );
    assert_eq!(head, "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn a_redirect_to_another_collection_is_left_out() {
    for location in ["../stripe/x", "http://localhost:2733/stripe/x"] {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\n\r\n");
        let (head, _) = passed(&head, Version::Http11);
        assert!(!head.contains("stripe"), "{head}");
    }
}

#[test]
fn a_reference_within_a_reference_does_not_tell_the_key() {
    for (reference, kept) in [
        ("/login?next=%2Fv1%2Fx%3Fapi_key%3Dkey", false),
        ("/v1/login?next=%2Fv1%2Fx%3Fapi_key%3Dkey", false),
        ("/login?next=%2Fa%3Fb%3D%252Fv1%253Fapi_key%253Dkey", false),
        ("https://b.test/#access_token=sk_live_1", false),
        ("https://b.test/login?api_key=key&a", true),
        (
            "https://b.test/?next=%2Fv1%3Fapi-version%3D2026-11-21",
            true,
        ),
    ] {
        let (head, _) = passed(
            &format!(
                "HTTP/1.1 302 Found\r\nLocation: {reference}\r\nContent-Location: {reference}\r\n\
                 Link: <{reference}>; rel=next\r\nRefresh: 0; url={reference}\r\n\r\n"
            ),
            Version::Http11,
        );
        for name in ["Location: ", "Content-Location: ", "Link: ", "Refresh: "] {
            let found = head.lines().any(|line| line.starts_with(name));
            assert_eq!(found, kept, "{name}{reference}");
        }
        assert!(!head.contains("key"), "{head}");
    }
}

#[test]
fn a_redirect_does_not_lead_from_a_port_of_its_own_to_another_one() {
    let own = Entrance::Own("openai".parse().unwrap());
    let astray = "/v1//localhost:2733/stripe/x";
    for (host, location, expected) in [
        (Some("localhost:4000"), "/v1/a", Some("/a")),
        (
            Some("localhost:4000"),
            astray,
            Some("http://localhost:4000//localhost:2733/stripe/x"),
        ),
        (None, astray, None),
    ] {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\n\r\n");
        let host = host.map(str::as_bytes);
        let (head, _) = passed_by(&own, host, &head, Version::Http11);
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "));
        assert_eq!(line, expected, "{location}");
    }
}

#[test]
fn redirects_within_the_api_lead_to_the_sidecar() {
    for (location, expected) in [
        (
            "https://api.test/v1/a?b#c",
            "http://localhost:2733/openai/a?b#c",
        ),
        ("HTTPS://API.test:443/v1", "http://localhost:2733/openai"),
        ("//api.test/v1/a", "http://localhost:2733/openai/a"),
        ("/v1/a", "/openai/a"),
        ("/v1?a", "/openai?a"),
        ("/login", "https://api.test/login"),
        ("/", "https://api.test/"),
        ("/v10/a", "https://api.test/v10/a"),
        ("https://api.test/login", "https://api.test/login"),
        (
            "https://api.test.evil.test/v1/a",
            "https://api.test.evil.test/v1/a",
        ),
        ("https://api.test:8443/v1/a", "https://api.test:8443/v1/a"),
        ("http://api.test/v1/a", "http://api.test/v1/a"),
        ("next", "next"),
        ("?page=2", "?page=2"),
        ("/v1/../stripe/x", "https://api.test/v1/../stripe/x"),
        (
            "https://api.test/v1/%2e%2e/stripe",
            "https://api.test/v1/%2e%2e/stripe",
        ),
    ] {
        let (head, _) = passed(
            &format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\n\r\n"),
            Version::Http11,
        );
        let line = head.lines().nth(1).unwrap();
        assert_eq!(line, format!("location: {expected}"), "{location}");
    }
}
