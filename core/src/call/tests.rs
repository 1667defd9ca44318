use std::collections::BTreeMap;

use super::*;
use crate::bundle::{Forwarding, OnConflict, Token};
use crate::sigv4::{Signing, SigningKey, days};

const NOW: &str = "2026-11-21T20:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn route() -> Route {
    Route::to("https://api.test:8443/v1".parse().unwrap())
}

fn placed(name: &str, value: &str) -> Placed {
    Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: true,
        on_conflict: OnConflict::Replace,
    }
}

fn varying(name: &str, pieces: &str) -> Placed {
    Placed {
        value: Value::Varying(serde_json::from_str(pieces).unwrap()),
        ..placed(name, "")
    }
}

fn called(route: &Route, target: &str) -> Result<Call, NoCall> {
    let moment = Moment {
        unix_seconds: 7,
        random: [0; 16],
    };
    Call::of(
        route,
        SafeMethod::Get,
        &target.parse().unwrap(),
        &moment,
        now(),
    )
}

fn target(route: &Route, target: &str) -> String {
    called(route, target).unwrap().target.expose().to_owned()
}

fn header(call: &Call, name: &str) -> Vec<String> {
    let named = call.headers.iter().filter(|(set, _)| set == name);
    named.map(|(_, value)| value.expose().to_owned()).collect()
}

#[test]
fn the_path_is_joined_to_the_base_url_as_a_callers_is() {
    let plain = Route::to("https://api.test".parse().unwrap());
    let with_key = Route {
        path: Some(Secret::new("/bot12:a%2Fb")),
        ..route()
    };
    for (route, asked, expected) in [
        (route(), "/models?limit=1", "/v1/models?limit=1"),
        (route(), "", "/v1"),
        (route(), "/", "/v1/"),
        (plain.clone(), "", "/"),
        (plain, "/a", "/a"),
        (with_key, "/me", "/v1/bot12:a%2Fb/me"),
    ] {
        assert_eq!(target(&route, asked), expected);
    }
    assert_eq!(called(&route(), "").unwrap().authority, "api.test:8443");
}

#[test]
fn what_the_collection_sets_in_the_query_is_there_once() {
    let mut route = route();
    route.query = vec![
        placed("key", "k/1"),
        varying("at", r#"[{"variable": "nowUnix"}]"#),
    ];
    assert_eq!(target(&route, "/a?key=x&b=2"), "/v1/a?b=2&at=7&key=k%2F1");
    route.query[0].on_conflict = OnConflict::Reject;
    let refused = called(&route, "/a?key=x").unwrap_err();
    assert_eq!(refused, NoCall::Conflict("key".to_owned()));
}

#[test]
fn headers_and_cookies_are_those_of_the_collection_and_the_usual_ones() {
    let mut route = route();
    route.headers = vec![
        placed("Authorization", "Bearer k"),
        placed("accept", "text/x"),
    ];
    route.cookies = vec![placed("sid", "s"), placed("b", "2")];
    let call = called(&route, "/a").unwrap();
    assert_eq!(header(&call, "Authorization"), ["Bearer k"]);
    assert_eq!(header(&call, "accept"), ["text/x"]);
    assert_eq!(header(&call, "Accept"), [""; 0]);
    assert_eq!(header(&call, "Cookie"), ["sid=s; b=2"]);
    assert_eq!(header(&call, "Via"), ["1.1 credence"]);
    let agent = format!("credence/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(&call, "User-Agent"), [agent]);
    route.forwarding = Forwarding {
        via: false,
        ..Forwarding::default()
    };
    assert_eq!(header(&called(&route, "/a").unwrap(), "Via"), [""; 0]);
}

#[test]
fn without_its_credential_no_call_is_made() {
    let mut with_body = route();
    with_body.body = vec![placed("token", "k")];
    assert_eq!(called(&with_body, "").unwrap_err(), NoCall::Body);
    let mut on_token = route();
    let pieces = r#"[{"text": "Bearer "}, {"token": ""}]"#;
    on_token.headers = vec![varying("Authorization", pieces)];
    assert_eq!(called(&on_token, "").unwrap_err(), NoCall::NoToken);
    let token = Token {
        base_url: Some("https://eu.test/v2".parse().unwrap()),
        ..Token::new(Secret::new("t0k"), 1)
    };
    let call = called(&on_token.bind(&token).unwrap(), "/a").unwrap();
    assert_eq!(header(&call, "Authorization"), ["Bearer t0k"]);
    assert_eq!(
        (call.authority.as_str(), call.target.expose()),
        ("eu.test", "/v2/a")
    );
}

fn signed(payload: Payload, from: Timestamp) -> Route {
    let key = |day| (day, SigningKey::derive("s3cret", day, "eu-central-1", "s3"));
    Route {
        signing: Some(Signing {
            region: "eu-central-1".to_owned(),
            service: "s3".to_owned(),
            access_key_id: Secret::new("AKIDEXAMPLE"),
            session_token: Some(Secret::new("s3ssion")),
            payload,
            keys: days(from).into_iter().map(key).collect::<BTreeMap<_, _>>(),
        }),
        ..route()
    }
}

#[test]
fn a_signature_covers_what_is_sent_and_says_that_there_is_no_body() {
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (payload, hash) in [
        (Payload::Signed, NOTHING),
        (Payload::Unsigned, "UNSIGNED-PAYLOAD"),
    ] {
        let call = called(&signed(payload, now()), "/bucket?list-type=2").unwrap();
        assert_eq!(header(&call, "X-Amz-Content-Sha256"), [hash]);
        assert_eq!(header(&call, "X-Amz-Security-Token"), ["s3ssion"]);
        let authorization = &header(&call, "Authorization")[0];
        let covered = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
        assert!(authorization.contains(covered), "{authorization}");
    }
    let old = signed(Payload::Signed, Timestamp::UNIX_EPOCH);
    assert!(matches!(called(&old, "").unwrap_err(), NoCall::NoKey(_)));
}

#[test]
fn debug_shows_the_method_and_the_host() {
    let mut route = route();
    route.path = Some(Secret::new("/sk_live_1"));
    route.headers = vec![placed("Authorization", "sk_live_2")];
    let call = called(&route, "/models").unwrap();
    assert_eq!(format!("{call:?}"), "GET api.test:8443/…");
}
