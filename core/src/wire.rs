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
mod tests;
