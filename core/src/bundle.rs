//! What one sidecar may use now.

mod bind;
mod refusal;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::base_url::Scheme;
use crate::sigv4::Signing;
use crate::template::Varying;
use crate::{BaseUrl, CollectionName, Environment, Secret};

pub use bind::Unbindable;
pub use refusal::{BodySign, Refusal, Retry, Sign};
pub use token::{NoToken, Token, TokenState, Tokens, Withheld};

pub(crate) use bind::control;

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
    /// Of those collections whose route needs a token. One that is not here is
    /// as one that is withheld.
    pub tokens: Tokens,
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
    /// Segments between the path of the base URL and that of the caller:
    /// `/bot123`, escaped, without a trailing slash.
    pub path: Option<Secret>,
    /// Headers to set, those of the method last. No two have the same name.
    pub headers: Vec<Placed>,
    /// Query parameters to set, those of the method last. No two have the same
    /// name. Values are not encoded yet.
    pub query: Vec<Placed>,
    /// Cookies to set (RFC 6265 §4.2.1), beside those that the caller sends.
    pub cookies: Vec<Placed>,
    /// Top-level members to set in a JSON object or a form.
    pub body: Vec<Placed>,
    /// How each call is signed, if it is.
    pub signing: Option<Signing>,
    /// PEM certificates that are trusted besides the public roots.
    pub trust: Option<Arc<str>>,
    /// What is shown to a server that asks for a client certificate.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// Whether private and loopback addresses may be dialled.
    pub allow_private_networks: bool,
    /// What is passed on, and what is changed, of the head beside the
    /// credential.
    pub forwarding: Forwarding,
    /// The limits on waiting for the upstream.
    pub timeouts: Timeouts,
    /// Which answers refuse the token that calls are made with.
    pub refusal: Refusal,
    /// A loopback port of its own, whose root is the API.
    pub sidecar_port: Option<u16>,
}

/// A certificate with which the caller proves who he is, and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM certificates, the caller's own first, then those that lead to the
    /// authority.
    pub chain: Arc<str>,
    /// PEM private key of the first certificate: PKCS#8, PKCS#1 or SEC1.
    pub key: Secret,
}

/// What is passed on, and what is changed, of the head beside the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Whether `Via: 1.1 credence` is added (RFC 9110 §7.6.3).
    pub via: bool,
    /// Whether the caller's `Forwarded` (RFC 7239) and `X-Forwarded-*` are
    /// passed on.
    pub forwarded: bool,
    /// Whether a `Location` on the API's own host is made to lead here.
    pub rewrite_location: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            via: true,
            forwarded: false,
            rewrite_location: true,
        }
    }
}

/// The limits on waiting for the upstream, of whole seconds. There is none on a
/// call as a whole: streams live long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, name resolution and TLS included.
    pub connect: Duration,
    /// For the first byte of an answer, from the end of the upload.
    pub first_byte: Duration,
    /// Between two bytes of a body.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // Models think for minutes.
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
        }
    }
}

/// A named value, ready to be put on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Spelled as the manifest spells it.
    pub name: String,
    /// Free of control characters.
    pub value: Value,
    /// Whether the Secret is in it, so that no answer may tell it.
    pub private: bool,
    /// What happens when the caller sent one of the same name.
    pub on_conflict: OnConflict,
}

/// What is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same on every call.
    Fixed(Secret),
    /// Rendered for each call.
    Varying(Varying),
}

impl Value {
    /// The text, where it is the same on every call.
    pub fn fixed(&self) -> Option<&str> {
        match self {
            Self::Fixed(secret) => Some(secret.expose()),
            Self::Varying(_) => None,
        }
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Self::Fixed(secret)
    }
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
    /// Segments set in the path.
    Path,
    /// Cookies set beside the caller's.
    Cookie,
    /// Members set in the body.
    Body,
    /// Values that are rendered for each call.
    Varying,
    /// Roots besides the public ones.
    Trust,
    /// A client certificate.
    ClientCertificate,
    /// A signature of AWS's.
    SigV4,
    /// An upstream without TLS.
    InsecureHttp,
    /// Switches of forwarding that differ from the default.
    Forwarding,
    /// Timeouts that differ from the default.
    Timeouts,
    /// A port of its own.
    SidecarPort,
    /// Values with a token in them.
    Token,
    /// Answers that refuse a token, other than usual.
    Refusal,
}

impl Feature {
    const ALL: [Self; 15] = [
        Self::Header,
        Self::Query,
        Self::Path,
        Self::Cookie,
        Self::Body,
        Self::Varying,
        Self::Trust,
        Self::ClientCertificate,
        Self::SigV4,
        Self::InsecureHttp,
        Self::Forwarding,
        Self::Timeouts,
        Self::SidecarPort,
        Self::Token,
        Self::Refusal,
    ];

    /// As the wire spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Path => "path",
            Self::Cookie => "cookie",
            Self::Body => "body",
            Self::Varying => "varying",
            Self::Trust => "trust",
            Self::ClientCertificate => "client-certificate",
            Self::SigV4 => "sigv4",
            Self::InsecureHttp => "insecure-http",
            Self::Forwarding => "forwarding",
            Self::Timeouts => "timeouts",
            Self::SidecarPort => "sidecar-port",
            Self::Token => "token",
            Self::Refusal => "refusal",
        }
    }

    /// The feature of this name, if this program has it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|feature| feature.as_str() == name)
    }
}

impl Route {
    /// A route on which nothing is placed.
    pub fn to(base_url: BaseUrl) -> Self {
        Self {
            base_url,
            path: None,
            headers: Vec::new(),
            query: Vec::new(),
            cookies: Vec::new(),
            body: Vec::new(),
            signing: None,
            trust: None,
            client_certificate: None,
            allow_private_networks: false,
            forwarding: Forwarding::default(),
            timeouts: Timeouts::default(),
            refusal: Refusal::default(),
            sidecar_port: None,
        }
    }

    /// Whether calls prove with something of ours who makes them: a private
    /// value that no caller can put his own in the place of, a signature, or a
    /// client certificate.
    pub fn has_credential(&self) -> bool {
        self.path.is_some()
            || self.signing.is_some()
            || self.client_certificate.is_some()
            || self
                .private()
                .any(|placed| placed.on_conflict != OnConflict::IfAbsent)
    }

    /// Whether calls of both prove the same in the same way, whatever else is
    /// different.
    pub fn has_credential_of(&self, other: &Self) -> bool {
        let signs_alike = match (&self.signing, &other.signing) {
            (Some(ours), Some(theirs)) => ours.is_by_the_same(theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        signs_alike
            && self.path == other.path
            && self.client_certificate == other.client_certificate
            && self.private().eq(other.private())
    }

    /// What tells this route from another that was made from the same at
    /// another time, if anything can: the days on which calls can be signed.
    pub fn period(&self) -> Option<String> {
        let (day, _) = self.signing.as_ref()?.keys.first_key_value()?;
        Some(format!("signed from {day}"))
    }

    fn private(&self) -> impl Iterator<Item = &Placed> {
        self.placed().filter(|placed| placed.private)
    }

    /// What a sidecar must understand to serve this route.
    pub fn requires(&self) -> BTreeSet<Feature> {
        let varies = |placed: &Placed| matches!(placed.value, Value::Varying(_));
        [
            (!self.headers.is_empty(), Feature::Header),
            (!self.query.is_empty(), Feature::Query),
            (self.path.is_some(), Feature::Path),
            (!self.cookies.is_empty(), Feature::Cookie),
            (!self.body.is_empty(), Feature::Body),
            (self.placed().any(varies), Feature::Varying),
            (self.trust.is_some(), Feature::Trust),
            (
                self.client_certificate.is_some(),
                Feature::ClientCertificate,
            ),
            (self.signing.is_some(), Feature::SigV4),
            (
                self.base_url.scheme() == Scheme::Http,
                Feature::InsecureHttp,
            ),
            (
                self.forwarding != Forwarding::default(),
                Feature::Forwarding,
            ),
            (self.timeouts != Timeouts::default(), Feature::Timeouts),
            (self.sidecar_port.is_some(), Feature::SidecarPort),
            (self.needs_token(), Feature::Token),
            (self.refusal != Refusal::default(), Feature::Refusal),
        ]
        .into_iter()
        .filter_map(|(used, feature)| used.then_some(feature))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(private: bool, on_conflict: OnConflict) -> Route {
        Route {
            headers: vec![Placed {
                name: "Authorization".to_owned(),
                value: Secret::new("k").into(),
                private,
                on_conflict,
            }],
            ..Route::to("https://api.test".parse().unwrap())
        }
    }

    #[test]
    fn what_a_caller_may_replace_is_not_our_credential() {
        for (private, on_conflict, expected) in [
            (true, OnConflict::Replace, true),
            (true, OnConflict::Reject, true),
            (true, OnConflict::IfAbsent, false),
            (false, OnConflict::Replace, false),
        ] {
            let route = route(private, on_conflict);
            assert_eq!(
                route.has_credential(),
                expected,
                "{private} {on_conflict:?}"
            );
        }
        let path = Route {
            path: Some(Secret::new("/bot1")),
            ..Route::to("https://api.test".parse().unwrap())
        };
        assert!(path.has_credential());
    }

    #[test]
    fn a_credential_stays_the_same_whatever_else_changes() {
        let here = route(true, OnConflict::Replace);
        let slower = Route {
            sidecar_port: Some(9001),
            ..here.clone()
        };
        assert!(here.has_credential_of(&slower));
        let mut rotated = here.clone();
        rotated.headers[0].value = Secret::new("l").into();
        assert!(!here.has_credential_of(&rotated));
    }
}
