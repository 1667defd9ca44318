//! Everything that is needed to obtain a token.

use std::fmt;
use std::sync::Arc;

use super::request::TokenRequest;
use super::terms::Terms;
use crate::bundle::ClientCertificate;

/// What a collection asks of its token endpoint, with every secret filled in.
///
/// It is not a part of a [`crate::bundle::Route`], and no bundle can hold one:
/// what is in it never leaves the process that obtains tokens. Its `Debug`
/// shows nothing secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// Which token is meant, what its answer means, and when it is renewed.
    pub terms: Terms,
    /// How a token is obtained by the grant itself.
    pub request: TokenRequest,
    /// How it is obtained with a refresh token; absent where none is used.
    pub refresh: Option<TokenRequest>,
    /// PEM certificates that are trusted besides the public roots.
    pub trust: Option<Arc<str>>,
    /// What is shown to an endpoint that asks for a client certificate.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// Whether private and loopback addresses may be dialled, where the process
    /// leaves that to the collection.
    pub allow_private_networks: bool,
    /// Whether the endpoint may be one of `http`.
    pub allow_insecure_http: bool,
}

impl AsRef<Terms> for Order {
    fn as_ref(&self) -> &Terms {
        &self.terms
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("renewal", &self.terms.renewal)
            .field("request", &self.request)
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}
