//! An API of the demo's provider: one way of authenticating.

mod place;

use credence_core::Environment;
use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;
use super::key::Key;
use super::request::Request;

pub(crate) use place::Place;

/// One API: the collection's name is also its first path segment at the
/// provider.
#[derive(Debug)]
pub(crate) struct Api {
    /// The collection.
    pub(crate) name: &'static str,
    /// What the story calls the method.
    pub(crate) title: &'static str,
    /// The `auth`, `headers` or `query` block of the manifest.
    pub(crate) manifest: &'static str,
    /// The call that the story makes, without the API's name.
    pub(crate) call: Request,
    /// What it answers besides the environment.
    pub(crate) answer: (&'static str, &'static str),
    /// What it demands.
    pub(crate) demand: Demand,
    /// Who is let in, one for each environment.
    pub(crate) customers: [Customer; 2],
}

/// What an API demands of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// A key, and where it looks for it.
    pub(crate) key: Option<Place>,
    /// A client certificate.
    pub(crate) certificate: bool,
}

/// What one environment shows.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    /// Whose it is.
    pub(crate) environment: Environment,
    /// The key, also where the API wants none.
    pub(crate) key: Key,
    /// The certificate, also where the API wants none.
    pub(crate) certificate: Certificate,
}

/// What a provider makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whose credentials it holds, if it holds all that are demanded and they
    /// are right.
    pub(crate) environment: Option<Environment>,
    /// The credentials as they may be shown.
    pub(crate) seen: String,
}

impl Api {
    /// What an environment shows.
    pub(crate) fn customer(&self, environment: Environment) -> &Customer {
        let [first, second] = &self.customers;
        match first.environment == environment {
            true => first,
            false => second,
        }
    }

    /// Looks at the credentials of a request, and the certificate of its
    /// connection.
    pub(crate) fn judge(
        &self,
        request: &Request,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Verdict {
        let mut parts = Vec::new();
        // Everybody, until a part of the credential says who it is not.
        let mut candidates: Vec<&Customer> = self.customers.iter().collect();
        if self.demand.certificate {
            let owner = |customer: &&Customer| Some(&customer.certificate.der) == certificate;
            candidates.retain(owner);
            parts.extend(certificate.map(|_| match candidates.first() {
                Some(owner) => format!("certificate of {}", owner.certificate.name),
                None => "certificate of a stranger".to_owned(),
            }));
        }
        if let Some(place) = self.demand.key {
            let found = place.find(request);
            let owner = |customer: &Customer| Some(customer.key.expose()) == found.as_deref();
            candidates.retain(|customer| owner(customer));
            let key = self.customers.iter().find(|customer| owner(customer));
            let text = key.map_or_else(|| "…".to_owned(), |owner| owner.key.redacted());
            parts.extend(found.map(|found| place.shown(request, &found, &text)));
        }
        let demanded = self.demand.certificate || self.demand.key.is_some();
        Verdict {
            environment: candidates
                .first()
                .filter(|_| demanded)
                .map(|customer| customer.environment),
            seen: match parts.is_empty() {
                true => "no credential".to_owned(),
                false => parts.join(", "),
            },
        }
    }

    /// A call at the provider's, with a key that was made up.
    pub(crate) fn forged(&self) -> Request {
        let call = self.at_provider();
        match self.demand.key {
            Some(place) => place.put(&call, "dev_made_up"),
            None => call,
        }
    }

    /// The call with the API's name in front.
    pub(crate) fn at_provider(&self) -> Request {
        let mut call = self.call.clone();
        call.target = format!("/{}{}", self.name, call.target);
        call
    }
}
