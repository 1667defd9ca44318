use std::time::Duration;

use super::*;
use crate::Secret;
use crate::bundle::{
    BodySign, ClientCertificate, Forwarding, OnConflict, Placed, Refusal, Retry, Route, Sign,
    Timeouts, Token, TokenState, Value,
};
use crate::sigv4::{Payload, Signing, SigningKey};

fn route() -> Route {
    let placed = |name: &str, value: &str| Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: true,
        on_conflict: OnConflict::IfAbsent,
    };
    Route {
        path: Some(Secret::new("/bot1")),
        headers: vec![placed("Authorization", "Bearer \"k\"")],
        query: vec![
            placed("key", "k"),
            Placed {
                name: "at".to_owned(),
                value: Value::Varying(serde_json::from_str(r#"[{"variable":"nowUnix"}]"#).unwrap()),
                private: false,
                on_conflict: OnConflict::Replace,
            },
        ],
        cookies: vec![placed("session", "s")],
        body: vec![placed("api_key", "b")],
        signing: Some(Signing {
            region: "eu-central-1".to_owned(),
            service: "s3".to_owned(),
            access_key_id: Secret::new("AKID"),
            session_token: Some(Secret::new("t")),
            payload: Payload::Unsigned,
            keys: [(
                "2026-11-21".parse().unwrap(),
                SigningKey::of_bytes(&[7; 32]).unwrap(),
            )]
            .into(),
        }),
        trust: Some("PEM".into()),
        client_certificate: Some(Arc::new(ClientCertificate {
            chain: "CHAIN".into(),
            key: Secret::new("KEY\n"),
        })),
        allow_private_networks: true,
        forwarding: Forwarding {
            via: false,
            forwarded: true,
            rewrite_location: false,
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(2),
            idle: Duration::from_secs(3),
        },
        refusal: Refusal {
            signs: vec![
                Sign {
                    status: 403,
                    body: None,
                },
                Sign {
                    status: 200,
                    body: Some(BodySign {
                        path: "errors.0.code".parse().unwrap(),
                        equals: "601".to_owned(),
                    }),
                },
            ],
            retry: Retry::Never,
        },
        sidecar_port: Some(9001),
        ..Route::to("http://api.test/v1".parse().unwrap())
    }
}

fn bundle() -> Bundle {
    let entries = [
        ("openai", Entry::Ready(Arc::new(route()))),
        (
            "plain",
            Entry::Ready(Arc::new(Route::to("https://api.test".parse().unwrap()))),
        ),
        (
            "stripe",
            Entry::Unavailable(Unavailable::CredentialsMissing),
        ),
        ("github", Entry::Unavailable(Unavailable::NotReady)),
    ];
    Bundle {
        revision: "r1".to_owned(),
        environment: Environment::Live,
        collections: entries
            .into_iter()
            .map(|(name, entry)| (name.parse().unwrap(), entry))
            .collect(),
        tokens: tokens(),
    }
}

fn tokens() -> Tokens {
    let token = Token::new(Secret::new("t0k"), 3);
    Tokens::from([("openai".parse().unwrap(), TokenState::Held(token))])
}

#[test]
fn every_event_survives_the_wire() {
    let hello = Event::Hello {
        stream: "s".to_owned(),
        max_age_seconds: 2700,
    };
    let tokens = Event::Tokens(tokens());
    for event in [hello, Event::Bundle(bundle()), tokens, Event::Ping] {
        let line = event.encode().unwrap();
        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(Event::decode(&line).unwrap(), event);
    }
}

fn received(collection: &str) -> Entry {
    let line = format!(
        r#"{{"bundle":{{"revision":"r","environment":"live","later":1,"collections":[{collection}]}}}}"#
    );
    let Event::Bundle(bundle) = Event::decode(line.as_bytes()).unwrap() else {
        panic!("not a bundle");
    };
    bundle.collections["x"].clone()
}

#[test]
fn a_feature_of_tomorrow_refuses_its_collection() {
    let entry = received(r#"{"name":"x","requires":["teleport"],"route":{"teleport":1}}"#);
    assert_eq!(entry, Entry::Unsupported("feature teleport".to_owned()));
}

#[test]
fn what_is_as_usual_is_not_sent_so_that_older_sidecars_understand() {
    let line = Event::Bundle(bundle()).encode().unwrap();
    let text = String::from_utf8(line).unwrap();
    let plain = r#"{"name":"plain","route":{"baseUrl":"https://api.test","headers":[],"query":[],"allowPrivateNetworks":false}}"#;
    assert!(text.contains(plain), "{text}");
}

#[test]
fn an_unknown_field_of_a_collection_refuses_it() {
    let entry = received(r#"{"name":"x","unavailable":"not-ready","rules":[]}"#);
    assert_eq!(entry, Entry::Unsupported("unknown field".to_owned()));
}

#[test]
fn an_unknown_event_is_not_an_error() {
    assert_eq!(Event::decode(br#"{"later":{}}"#).unwrap(), Event::Unknown);
}

#[test]
fn a_report_holds_a_status_and_nothing_of_the_answer() {
    let report = |(status, generation)| Report {
        stream: "s".to_owned(),
        revision: "r".to_owned(),
        collection: "openai".to_owned(),
        said: Said {
            status,
            worked: true,
            generation,
            named: false,
        },
    };
    for (said, expected) in [
        (
            (Some(401), None),
            r#"{"stream":"s","revision":"r","collection":"openai","status":401,"worked":true}"#,
        ),
        (
            (None, None),
            r#"{"stream":"s","revision":"r","collection":"openai","worked":true}"#,
        ),
        (
            (Some(200), Some(7)),
            r#"{"stream":"s","revision":"r","collection":"openai","status":200,"worked":true,"generation":7}"#,
        ),
    ] {
        let text = serde_json::to_string(&report(said)).unwrap();
        assert_eq!(text, expected);
        let later = text.replace("\"worked\"", "\"later\":1,\"worked\"");
        let read: Report = serde_json::from_str(&later).unwrap();
        assert_eq!(read, report(said));
    }
}

#[test]
fn an_error_does_not_quote_the_line() {
    let error = Event::decode(br#"{"bundle": "sk_live_1"}"#).unwrap_err();
    assert!(!error.to_string().contains("sk_live_1"));
}
