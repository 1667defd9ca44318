//! What one sidecar may use now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{BaseUrl, CollectionName, Environment, Secret};

/// Everything one sidecar may use: always the whole, never a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Changes when, and only when, the content may have changed; equal on all
    /// replicas of the operator for equal inputs.
    pub revision: String,
    /// The environment of the consumer.
    pub environment: Environment,
    /// By name, which is also the first path segment of a call.
    pub collections: BTreeMap<CollectionName, Entry>,
}

/// One collection in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Calls can be made.
    Ready(Arc<Route>),
    /// It exists for this consumer, but could not be resolved.
    Unavailable(Unavailable),
    /// This program is too old for it, or could not read it. Made by the
    /// receiving side only; the text says which part was not understood.
    Unsupported(String),
}

/// Why a collection cannot be called, as far as an app needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// A Secret, a key in it, or its content is the cause.
    CredentialsMissing,
    /// Anything else.
    NotReady,
}

/// A collection resolved for one environment: where calls go and what is
/// placed on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What the caller's path is appended to.
    pub base_url: BaseUrl,
    /// Headers to set, those of the method last. No two have the same name.
    pub headers: Vec<Placed>,
    /// Query parameters to set, those of the method last. No two have the same
    /// name. Values are not encoded yet.
    pub query: Vec<Placed>,
    /// PEM certificates that are trusted besides the public roots.
    pub trust: Option<Arc<str>>,
    /// Whether private and loopback addresses may be dialled.
    pub allow_private_networks: bool,
}

/// A named value, ready to be put on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Spelled as the manifest spells it.
    pub name: String,
    /// Rendered, and free of control characters.
    pub value: Secret,
    /// What happens when the caller sent one of the same name.
    pub on_conflict: OnConflict,
}

/// What happens to a header or parameter that the caller sent himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// All the caller's are removed.
    #[default]
    Replace,
    /// The caller's are kept and ours is left out.
    IfAbsent,
    /// The call is refused.
    Reject,
}

/// A part of the bundle that a sidecar must understand before it may use a
/// collection that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Values set in the head of the request.
    Header,
    /// Values set in the query.
    Query,
    /// Roots besides the public ones.
    Trust,
}

impl Feature {
    /// As the wire spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Trust => "trust",
        }
    }

    /// The feature of this name, if this program has it.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Header, Self::Query, Self::Trust]
            .into_iter()
            .find(|feature| feature.as_str() == name)
    }
}

impl Route {
    /// What a sidecar must understand to serve this route.
    pub fn requires(&self) -> BTreeSet<Feature> {
        [
            (!self.headers.is_empty(), Feature::Header),
            (!self.query.is_empty(), Feature::Query),
            (self.trust.is_some(), Feature::Trust),
        ]
        .into_iter()
        .filter_map(|(used, feature)| used.then_some(feature))
        .collect()
    }
}
