//! What the operator sends to verify a credential is what a caller's call would
//! become here.

use std::collections::BTreeSet;

use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route, Value};
use credence_core::call::{Call, SafeMethod};
use credence_core::sigv4::{self, Payload, Signing, SigningKey};
use credence_core::{Environment, Secret};
use credence_net::Egress;

use super::*;
use crate::http1::FieldStorage;
use crate::standing::Board;
use crate::table::Compiler;

const MOMENT: Moment = Moment {
    unix_seconds: 7,
    random: [3; 16],
};

fn placed(name: &str, value: &str, on_conflict: OnConflict) -> Placed {
    Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: true,
        on_conflict,
    }
}

fn varying(name: &str) -> Placed {
    let pieces = r#"[{"variable": "uuid"}, {"text": "/"}, {"variable": "nowUnix"}]"#;
    Placed {
        value: Value::Varying(serde_json::from_str(pieces).unwrap()),
        ..placed(name, "", OnConflict::Replace)
    }
}

fn plain() -> Route {
    Route::to("https://api.test:8443/v1".parse().unwrap())
}

/// Everything that a route can set on a call without a body.
fn rich() -> Route {
    Route {
        path: Some(Secret::new("/bot12:a%2Fb")),
        headers: vec![
            placed("Authorization", "Bearer k\u{e9}", OnConflict::Replace),
            placed("X-Team", "t", OnConflict::IfAbsent),
            placed("X-Version", "1", OnConflict::Reject),
            varying("X-Id"),
        ],
        query: vec![
            placed("api key", "k/1 &", OnConflict::Replace),
            placed("version", "2", OnConflict::IfAbsent),
            varying("at"),
        ],
        cookies: vec![
            placed("sid", "s", OnConflict::Replace),
            placed("b", "2", OnConflict::IfAbsent),
            varying("c"),
        ],
        ..plain()
    }
}

fn signed(payload: Payload) -> Route {
    let key = |day| (day, SigningKey::derive("s3cret", day, "eu-central-1", "s3"));
    let days = sigv4::days(Timestamp::now());
    Route {
        signing: Some(Signing {
            region: "eu-central-1".to_owned(),
            service: "s3".to_owned(),
            access_key_id: Secret::new("AKIDEXAMPLE"),
            session_token: Some(Secret::new("s3ssion")),
            payload,
            keys: days.into_iter().map(key).collect(),
        }),
        ..plain()
    }
}

/// First line and fields of a head; what depends on the second in which it was
/// signed is cut off.
fn lines<'a>(head: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let timeless = |line: &str| match line.split_once(": ") {
        Some(("X-Amz-Date", _)) => "X-Amz-Date".to_owned(),
        Some(("Authorization", value)) => match value.split_once(", Signature=") {
            Some((before, _)) => format!("Authorization: {before}"),
            None => line.to_owned(),
        },
        _ => line.to_owned(),
    };
    head.map(timeless).collect()
}

fn by_a_sidecar(route: Route, target: &str) -> BTreeSet<String> {
    let mut compiler = Compiler::new(Egress::default(), 2, Arc::default(), Board::default());
    let bundle = Bundle {
        revision: String::new(),
        environment: Environment::Live,
        collections: [("api".parse().unwrap(), Entry::Ready(Arc::new(route)))].into(),
        tokens: [].into(),
    };
    let (table, _) = compiler.compile(bundle, None);
    let destination = Arc::clone(table.find("api").unwrap());
    let agent = concat!("credence/", env!("CARGO_PKG_VERSION"));
    let head = format!(
        "GET /api{target} HTTP/1.1\r\nHost: localhost:2733\r\nAccept: */*\r\nUser-Agent: {agent}\r\n\r\n"
    );
    let mut storage = FieldStorage::new();
    let head = RequestHead::parse(head.as_bytes(), &mut storage).unwrap();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let moment = LazyCell::<Moment>::new(|| MOMENT);
    let applied = Authorized::apply(destination, &head, path, query, None, moment, Vec::new());
    let Ok(Applied::Whole(authorized)) = applied else {
        panic!("{applied:?}");
    };
    let wire = String::from_utf8(authorized.into_wire()).unwrap();
    lines(wire.trim_end().split("\r\n"))
}

fn by_the_operator(route: &Route, target: &str) -> BTreeSet<String> {
    let asked = target.parse().unwrap();
    let call = Call::of(route, SafeMethod::Get, &asked, &MOMENT, Timestamp::now()).unwrap();
    let first = format!("GET {} HTTP/1.1", call.target.expose());
    let host = format!("Host: {}", call.authority);
    let headers = call.headers.iter();
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.expose()));
    let all: Vec<_> = [first, host].into_iter().chain(headers).collect();
    lines(all.iter().map(String::as_str))
}

#[test]
fn a_verification_sends_what_a_sidecar_would_send() {
    let quiet = Route {
        forwarding: credence_core::bundle::Forwarding {
            via: false,
            ..rich().forwarding
        },
        ..rich()
    };
    let routes = [
        plain(),
        rich(),
        quiet,
        signed(Payload::Signed),
        signed(Payload::Unsigned),
    ];
    for route in routes {
        for target in [
            "",
            "/",
            "/models?limit=1&api%20key=x&version=9",
            "/a%2Fb//c?",
        ] {
            assert_eq!(
                by_the_operator(&route, target),
                by_a_sidecar(route.clone(), target),
                "{route:?} {target}"
            );
        }
    }
}
