//! The feed's wire form: one JSON object a line, and what a sidecar answers.
//!
//! The envelope ignores what it does not know, so that either side may be one
//! version ahead. A *collection* is read strictly: a sidecar that meets a
//! feature or a field it does not know refuses that collection and no other.
//! This is the only module that writes secrets out.

mod refusal;
mod route;
mod signing;
mod token;
mod varying;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bundle::{Bundle, Entry, Feature, Tokens, Unavailable};
use crate::reception::Said;
use crate::{CollectionName, Environment};
use route::RouteForm;
use token::TokenForm;

/// One line of the feed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The first line of a stream.
    Hello {
        /// Names the stream in acknowledgements.
        stream: String,
        /// Seconds after which the operator ends the stream.
        max_age_seconds: u32,
    },
    /// The consumer's whole bundle.
    Bundle(Bundle),
    /// What has become of some tokens since the bundle.
    Tokens(Tokens),
    /// Says that the operator is alive.
    Ping,
    /// Something that this version does not know.
    Unknown,
}

/// What a sidecar answers to a bundle.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// From [`Event::Hello`].
    pub stream: String,
    /// From the bundle.
    pub revision: String,
    /// The collections that cannot be served, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, String>,
}

/// What a sidecar says about a credential: that its provider refuses it, or
/// that it does not any more. An operator that does not know reports answers
/// 404, and is told no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// From [`Event::Hello`].
    pub stream: String,
    /// Of the bundle that the credential came with.
    pub revision: String,
    /// Whose credential it is.
    pub collection: String,
    /// What the provider said.
    #[serde(flatten)]
    pub said: Said,
}

/// The line is not one of the feed's.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of the envelope's shape. The source is not kept: its
    /// text may quote the line.
    #[error("a line of the feed is not of the expected shape (line {line}, column {column})")]
    Shape {
        /// Line of the offending byte, from 1.
        line: usize,
        /// Column of the offending byte, from 1.
        column: usize,
    },
    /// The bundle is for an environment that does not exist.
    #[error("the feed sent a bundle for an unknown environment")]
    Environment,
}

impl From<serde_json::Error> for WireError {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape {
            line: error.line(),
            column: error.column(),
        }
    }
}

impl Event {
    /// The line, with its line feed.
    ///
    /// # Errors
    /// None for values that the other functions of this crate made; the
    /// serializer's own otherwise.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let line = match self {
            Self::Hello {
                stream,
                max_age_seconds,
            } => EventOut::Hello {
                stream,
                max_age_seconds: *max_age_seconds,
            },
            Self::Bundle(bundle) => EventOut::Bundle {
                revision: &bundle.revision,
                environment: bundle.environment.as_str(),
                collections: bundle.collections.iter().map(entry_out).collect(),
                tokens: token::form(&bundle.tokens),
            },
            Self::Tokens(tokens) => EventOut::Tokens(token::form(tokens)),
            Self::Ping | Self::Unknown => EventOut::Ping {},
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads one line, with or without its line feed.
    ///
    /// # Errors
    /// [`WireError`], which never quotes the line.
    pub fn decode(line: &[u8]) -> Result<Self, WireError> {
        let event: EventIn<'_> = serde_json::from_slice(line)?;
        if let Some(hello) = event.hello {
            return Ok(Self::Hello {
                stream: hello.stream,
                max_age_seconds: hello.max_age_seconds,
            });
        }
        if let Some(bundle) = event.bundle {
            return Ok(Self::Bundle(bundle_in(bundle)?));
        }
        if let Some(tokens) = event.tokens {
            return Ok(Self::Tokens(token::read(tokens)));
        }
        Ok(if event.ping.is_some() {
            Self::Ping
        } else {
            Self::Unknown
        })
    }
}

fn bundle_in(bundle: BundleIn<'_>) -> Result<Bundle, WireError> {
    let environment: Environment = bundle
        .environment
        .parse()
        .map_err(|_| WireError::Environment)?;
    let mut collections = BTreeMap::new();
    for raw in bundle.collections {
        let head: CollectionHead = serde_json::from_str(raw.get())?;
        let Ok(name) = head.name.parse::<CollectionName>() else {
            continue; // No call could name it.
        };
        collections.insert(name, entry_in(&head, raw));
    }
    Ok(Bundle {
        revision: bundle.revision,
        environment,
        collections,
        tokens: token::read(bundle.tokens),
    })
}

fn entry_in(head: &CollectionHead, raw: &RawValue) -> Entry {
    if let Some(missing) = head
        .requires
        .iter()
        .find(|name| Feature::of_name(name).is_none())
    {
        return Entry::Unsupported(format!("feature {missing}"));
    }
    match serde_json::from_str::<CollectionIn<'_>>(raw.get()) {
        Ok(CollectionIn {
            route: Some(route), ..
        }) => match route.try_into() {
            Ok(route) => Entry::Ready(Arc::new(route)),
            Err(part) => Entry::Unsupported(part.to_owned()),
        },
        Ok(CollectionIn {
            unavailable: Some(UnavailableForm::CredentialsMissing),
            ..
        }) => Entry::Unavailable(Unavailable::CredentialsMissing),
        Ok(CollectionIn {
            unavailable: Some(UnavailableForm::NotReady),
            ..
        }) => Entry::Unavailable(Unavailable::NotReady),
        Ok(_) => Entry::Unsupported("neither route nor unavailable".to_owned()),
        Err(_) => Entry::Unsupported("unknown field".to_owned()),
    }
}

fn entry_out<'a>((name, entry): (&'a CollectionName, &'a Entry)) -> CollectionOut<'a> {
    let mut out = CollectionOut {
        name: name.as_str(),
        requires: Vec::new(),
        route: None,
        unavailable: None,
    };
    match entry {
        Entry::Ready(route) => {
            out.requires = route.requires().into_iter().map(Feature::as_str).collect();
            out.route = Some(RouteForm::from(&**route));
        }
        Entry::Unavailable(Unavailable::CredentialsMissing) => {
            out.unavailable = Some(UnavailableForm::CredentialsMissing);
        }
        Entry::Unavailable(Unavailable::NotReady) | Entry::Unsupported(_) => {
            out.unavailable = Some(UnavailableForm::NotReady);
        }
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum EventOut<'a> {
    Hello {
        stream: &'a str,
        max_age_seconds: u32,
    },
    Bundle {
        revision: &'a str,
        environment: &'a str,
        collections: Vec<CollectionOut<'a>>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        tokens: BTreeMap<&'a str, TokenForm<'a>>,
    },
    Tokens(BTreeMap<&'a str, TokenForm<'a>>),
    Ping {},
}

#[derive(Serialize)]
struct CollectionOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requires: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<RouteForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<UnavailableForm>,
}

#[derive(Deserialize)]
struct EventIn<'a> {
    hello: Option<HelloIn>,
    #[serde(borrow)]
    bundle: Option<BundleIn<'a>>,
    #[serde(borrow)]
    tokens: Option<BTreeMap<&'a str, &'a RawValue>>,
    ping: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HelloIn {
    stream: String,
    max_age_seconds: u32,
}

#[derive(Deserialize)]
struct BundleIn<'a> {
    revision: String,
    environment: String,
    #[serde(borrow)]
    collections: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    tokens: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Deserialize)]
struct CollectionHead {
    name: String,
    #[serde(default)]
    requires: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CollectionIn<'a> {
    #[serde(rename = "name")]
    _name: serde::de::IgnoredAny,
    #[serde(default, rename = "requires")]
    _requires: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    route: Option<RouteForm<'a>>,
    unavailable: Option<UnavailableForm>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum UnavailableForm {
    CredentialsMissing,
    NotReady,
}

#[cfg(test)]
mod tests {
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
                    value: Value::Varying(
                        serde_json::from_str(r#"[{"variable":"nowUnix"}]"#).unwrap(),
                    ),
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
}
