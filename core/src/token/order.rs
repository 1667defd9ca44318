//! Everything that is needed to obtain a token.

use std::fmt;
use std::sync::Arc;

use super::account_token::AccountToken;
use super::fingerprint::Fingerprint;
use super::request::TokenRequest;
use super::terms::Terms;
use super::token_step::TokenStep;
use crate::Secret;
use crate::bundle::ClientCertificate;
use crate::jwt::Signer;
use crate::jwt::signer::JwtError;
use crate::template::Moment;

/// What a collection asks of its token endpoint, with every secret filled in.
///
/// It is not a part of a [`crate::bundle::Route`], and no bundle can hold one:
/// what is in it never leaves the process that obtains tokens. Its `Debug`
/// shows nothing secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The method, as manifests spell it.
    pub method: &'static str,
    /// Which token is meant, what its answer means, and when it is renewed.
    pub terms: Terms,
    /// What is asked before the grant's own request, in this order.
    pub steps: Vec<TokenStep>,
    /// How a token is obtained by the grant itself; absent where it is the JWT
    /// that is signed here.
    pub request: Option<TokenRequest>,
    /// How it is obtained with a refresh token; absent where none is used.
    pub refresh: Option<TokenRequest>,
    /// What is signed for each request.
    pub signers: Signers,
    /// The token of a ServiceAccount that the grant's own request shows.
    pub subject: Option<AccountToken>,
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

/// The JWTs of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// The one that requests may refer to.
    pub jwt: Option<Signer>,
    /// The one by which the client proves who it is.
    pub client_assertion: Option<Signer>,
}

/// What was signed for one request.
#[derive(Debug, Default)]
pub struct Signed {
    /// See [`Signers::jwt`].
    pub jwt: Option<Secret>,
    /// See [`Signers::client_assertion`].
    pub client_assertion: Option<Secret>,
}

impl Signers {
    /// Signs all of them.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn sign(&self, moment: Moment) -> Result<Signed, JwtError> {
        let sign = |signer: &Option<Signer>| {
            let signed = signer.as_ref().map(|signer| signer.sign(moment));
            signed.transpose()
        };
        Ok(Signed {
            jwt: sign(&self.jwt)?,
            client_assertion: sign(&self.client_assertion)?,
        })
    }

    /// Adds everything that decides what they are to a fingerprint.
    pub(crate) fn add_to(&self, print: &mut Fingerprint) {
        self.each(print, Signer::add_to);
    }

    /// Adds what they say, whatever keys sign that.
    pub(crate) fn add_claims_to(&self, print: &mut Fingerprint) {
        self.each(print, Signer::add_claims_to);
    }

    fn each(&self, print: &mut Fingerprint, add: impl Fn(&Signer, &mut Fingerprint)) {
        for signer in [&self.jwt, &self.client_assertion] {
            print.count(signer.iter().count());
            if let Some(signer) = signer {
                add(signer, print);
            }
        }
    }
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
