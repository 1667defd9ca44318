//! The kinds of failure, by the names that apps and metrics know.

use credence_core::bundle::{NoToken, Unavailable};

use crate::http1::HeadError;
use crate::target::TargetError;

/// Which kind of failure it is; also the value of `Credence-Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slug {
    /// The request is not acceptable HTTP, or its path is ambiguous.
    BadRequest,
    /// The caller set what the collection reserves for itself.
    ConflictingHeader,
    /// A browser page of another origin.
    ForbiddenOrigin,
    /// No collection of this name is in the bundle.
    UnknownCollection,
    /// CONNECT, TRACE, TRACK, or writing to the index.
    MethodNotAllowed,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The body must be kept whole, and is larger than 1 MiB.
    BodyTooLarge,
    /// The request is addressed to a host that is not this machine.
    ForbiddenHost,
    /// The head is larger than 64 KiB or has more than 128 fields.
    HeadTooLarge,
    /// Something of HTTP that is not spoken here.
    NotImplemented,
    /// No connection, or one that broke before an answer.
    UpstreamUnreachable,
    /// No TLS session, or none that could be trusted.
    UpstreamTls,
    /// The provider does not accept the client certificate, or wants one.
    ClientCertificateRejected,
    /// No bundle yet, or a collection that is not resolved.
    NotReady,
    /// A Secret, a key in it, or its content is missing.
    CredentialsMissing,
    /// No token has been obtained, or none that holds still.
    TokenUnavailable,
    /// Access must be granted again before there can be a token.
    ReauthorizationRequired,
    /// The bundle needs a newer Credence.
    Unsupported,
    /// More connections, or more to keep, than is served at one time.
    Overloaded,
    /// No connection, or no answer, in time.
    UpstreamTimeout,
}

impl Slug {
    /// All of them, by status code.
    pub const ALL: [Self; 20] = [
        Self::BadRequest,
        Self::ConflictingHeader,
        Self::ForbiddenOrigin,
        Self::UnknownCollection,
        Self::MethodNotAllowed,
        Self::HeadTimeout,
        Self::BodyTooLarge,
        Self::ForbiddenHost,
        Self::HeadTooLarge,
        Self::NotImplemented,
        Self::UpstreamUnreachable,
        Self::UpstreamTls,
        Self::ClientCertificateRejected,
        Self::NotReady,
        Self::CredentialsMissing,
        Self::TokenUnavailable,
        Self::ReauthorizationRequired,
        Self::Unsupported,
        Self::Overloaded,
        Self::UpstreamTimeout,
    ];

    /// As the header, the index and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::ConflictingHeader => "conflicting-header",
            Self::ForbiddenOrigin => "forbidden-origin",
            Self::UnknownCollection => "unknown-collection",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::HeadTimeout => "head-timeout",
            Self::BodyTooLarge => "body-too-large",
            Self::ForbiddenHost => "forbidden-host",
            Self::HeadTooLarge => "head-too-large",
            Self::NotImplemented => "not-implemented",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamTls => "upstream-tls",
            Self::ClientCertificateRejected => "client-certificate-rejected",
            Self::NotReady => "not-ready",
            Self::CredentialsMissing => "credentials-missing",
            Self::TokenUnavailable => "token-unavailable",
            Self::ReauthorizationRequired => "reauthorization-required",
            Self::Unsupported => "unsupported",
            Self::Overloaded => "overloaded",
            Self::UpstreamTimeout => "upstream-timeout",
        }
    }

    /// The status code.
    pub fn code(self) -> u16 {
        // The texts begin with three digits.
        self.status()[..3].parse().unwrap_or_default()
    }

    /// The status code and its reason phrase.
    pub const fn status(self) -> &'static str {
        match self {
            Self::BadRequest | Self::ConflictingHeader => "400 Bad Request",
            Self::ForbiddenOrigin => "403 Forbidden",
            Self::UnknownCollection => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::HeadTimeout => "408 Request Timeout",
            Self::BodyTooLarge => "413 Content Too Large",
            Self::ForbiddenHost => "421 Misdirected Request",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::UpstreamUnreachable | Self::UpstreamTls | Self::ClientCertificateRejected => {
                "502 Bad Gateway"
            }
            Self::NotReady
            | Self::CredentialsMissing
            | Self::TokenUnavailable
            | Self::ReauthorizationRequired
            | Self::Unsupported
            | Self::Overloaded => "503 Service Unavailable",
            Self::UpstreamTimeout => "504 Gateway Timeout",
        }
    }

    /// What it is in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be passed on",
            Self::ConflictingHeader => "The request sets what the collection sets",
            Self::ForbiddenOrigin => "The request comes from another origin",
            Self::UnknownCollection => "There is no such collection",
            Self::MethodNotAllowed => "The method is not allowed",
            Self::HeadTimeout => "The request did not arrive in time",
            Self::BodyTooLarge => "The body of the request is too large",
            Self::ForbiddenHost => "The request is for another host",
            Self::HeadTooLarge => "The head of the request is too large",
            Self::NotImplemented => "This part of HTTP is not spoken here",
            Self::UpstreamUnreachable => "The API cannot be reached",
            Self::UpstreamTls => "The API cannot be trusted",
            Self::ClientCertificateRejected => "The API refuses the client certificate",
            Self::NotReady => "The collection is not ready",
            Self::CredentialsMissing => "The collection has no credentials",
            Self::TokenUnavailable => "The collection has no token",
            Self::ReauthorizationRequired => "Access must be granted again",
            Self::Unsupported => "The collection needs a newer Credence",
            Self::Overloaded => "There is too much to do at one time",
            Self::UpstreamTimeout => "The API did not answer in time",
        }
    }

    /// What whoever gets it can do; the documentation says it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "Send HTTP that can be read in one way only; the body's detail says what could not."
            }
            Self::ConflictingHeader => {
                "Leave out the header or parameter that the collection sets with onConflict: Reject."
            }
            Self::ForbiddenOrigin => {
                "Call from the app, not from a page in a browser: pages are not let in."
            }
            Self::UnknownCollection => {
                "GET / lists the collections of this pod; check the name, access.serviceAccounts and the pod's \
                 annotation credence.dev/collections."
            }
            Self::MethodNotAllowed => {
                "CONNECT, TRACE and TRACK are not passed on, and the index can only be read."
            }
            Self::HeadTimeout => "Send the whole head of a request within the time.",
            Self::BodyTooLarge => {
                "The credential goes into the body or signs it, which must fit into 1 MiB for that."
            }
            Self::ForbiddenHost => {
                "Call http://localhost:2733/NAME/…: the proxy answers to that name, not to the provider's."
            }
            Self::HeadTooLarge => "Send fewer or shorter header fields.",
            Self::NotImplemented => "Use a coding or a version of HTTP that the detail names.",
            Self::UpstreamUnreachable => {
                "Look at baseUrl, DNS and what the network lets out; a private address takes allowPrivateNetworks."
            }
            Self::UpstreamTls => {
                "The provider's certificate is not of an authority that is trusted, not for this name, or not in its \
                 time: caRef names a private authority."
            }
            Self::ClientCertificateRejected => {
                "Compare the certificate of tlsSecretRef with the one that the provider knows."
            }
            Self::NotReady => {
                "kubectl describe apicollection NAME says what is missing; before the first bundle: the operator."
            }
            Self::CredentialsMissing => {
                "kubectl describe apicollection NAME says which Secret or key."
            }
            Self::TokenUnavailable => {
                "Try again after Retry-After; kubectl describe apicollection NAME says what the token endpoint answers."
            }
            Self::ReauthorizationRequired => {
                "kubectl describe apicollection NAME says what the provider wants: mostly a new refresh token in the Secret."
            }
            Self::Unsupported => {
                "Create the pod anew, so that it gets the sidecar of this release."
            }
            Self::Overloaded => "Make fewer calls at one time, and use connections again.",
            Self::UpstreamTimeout => {
                "Ask the provider, or give it more time in the collection's timeouts."
            }
        }
    }
}

impl From<Unavailable> for Slug {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::CredentialsMissing => Self::CredentialsMissing,
            Unavailable::NotReady => Self::NotReady,
        }
    }
}

impl From<NoToken> for Slug {
    fn from(why: NoToken) -> Self {
        match why {
            NoToken::Unavailable => Self::TokenUnavailable,
            NoToken::ReauthorizationRequired => Self::ReauthorizationRequired,
        }
    }
}

impl From<HeadError> for Slug {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::TooLarge => Self::HeadTooLarge,
            HeadError::UnknownCoding | HeadError::Version => Self::NotImplemented,
            HeadError::LineEnding
            | HeadError::StartLine
            | HeadError::Field
            | HeadError::TwoFramings
            | HeadError::Length
            | HeadError::Coding
            | HeadError::Host => Self::BadRequest,
        }
    }
}

impl From<TargetError> for Slug {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Foreign => Self::ForbiddenHost,
            TargetError::Form
            | TargetError::NoPath
            | TargetError::Fragment
            | TargetError::Ambiguous => Self::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_once_by_status_code() {
        let words: std::collections::BTreeSet<_> = Slug::ALL.map(Slug::as_str).into();
        assert_eq!(words.len(), Slug::ALL.len());
        assert!(Slug::ALL.is_sorted_by_key(|slug| slug.code()));
    }
}
