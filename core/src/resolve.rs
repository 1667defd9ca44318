//! A collection and what it refers to become a route.
//!
//! ```text
//! Collection, Environment ─► needs ─► (look them up) ─► Material
//! Collection, Environment, Material, now ─► resolve ─► Resolved | Unresolved
//! ```
//!
//! Only the active environment is looked at: the Secret of the other one is
//! neither asked for nor, if it should be in the material, read.

mod case;
mod certificate;
mod client_certificate;
mod jwt;
mod keys;
mod material;
mod message;
mod path;
mod placing;
mod private_key;
mod signed_jwt;
mod signing;
mod token;
mod value;
mod warning;

use jiff::Timestamp;

use crate::Environment;
use crate::base_url::Scheme;
use crate::bundle::Route;
use crate::collection::{Collection, TrustKind};
use crate::reason::Reason;
use crate::sigv4;
use crate::token::Order;
use case::Case;
use placing::{Source, placings, sources};

pub use keys::secret_keys;
pub use material::{Material, Needs, SecretObject};
pub use warning::{Warning, WarningKind};

/// A collection resolved for one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Where calls go, and what is put on them.
    pub route: Route,
    /// How the token that the route needs is obtained. Never given away.
    pub order: Option<Order>,
    /// Name of the Secret in use.
    pub secret: Option<String>,
    /// Whether these are live settings used in development.
    pub uses_live_fallback: bool,
    /// Name of the Secret with the client certificate.
    pub certificate_secret: Option<String>,
    /// When the client certificate ceases to be valid, if there is one.
    pub certificate_not_after: Option<Timestamp>,
    /// What should be looked at all the same.
    pub warnings: Vec<Warning>,
    /// When the outcome will be another by time alone, if it will.
    pub changes_at: Option<Timestamp>,
}

/// Why a collection cannot be used now. Names objects and keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unresolved {
    /// For conditions and metrics.
    pub reason: Reason,
    /// Where in the manifest the cause is, such as `spec.auth.apiKey.value`.
    pub field: String,
    /// What is wrong and what to do, in sentences.
    pub message: String,
    /// When the outcome will be another by time alone, if it will.
    pub changes_at: Option<Timestamp>,
}

/// What has to be looked up before `collection` can be resolved for
/// `environment`.
pub fn needs(collection: &Collection, environment: Environment) -> Needs {
    let settings = collection.selected(environment).settings;
    let mut needs = Needs::default();
    let refers = |source: &Source<'_>| !source.template.secret_keys(&settings.values).is_empty();
    if sources(collection).iter().any(refers) {
        needs.secrets.extend(settings.secret.clone());
    }
    needs.secrets.extend(settings.tls_secret.clone());
    match &settings.trust {
        Some(trust) if trust.kind == TrustKind::Secret => {
            needs.secrets.insert(trust.name.clone());
        }
        Some(trust) => {
            needs.config_maps.insert(trust.name.clone());
        }
        None => {}
    }
    needs
}

/// Fills in what `collection` refers to.
///
/// # Errors
/// The first cause that keeps it from being used: first the Secret as a whole,
/// then the base URL, then each value in the order of placement, then what
/// calls are signed with, then the certificates, then what is asked of a token
/// endpoint.
pub fn resolve(
    collection: &Collection,
    environment: Environment,
    material: &Material,
    now: Timestamp,
) -> Result<Resolved, Unresolved> {
    let case = Case {
        collection,
        environment,
        selected: collection.selected(environment),
        material,
        now,
    };
    let settings = case.selected.settings;
    let sources = sources(collection);
    let secret = case.secret(&sources)?;
    let mut route = Route {
        allow_private_networks: settings.allow_private_networks,
        forwarding: collection.forwarding,
        timeouts: collection.timeouts,
        refusal: collection.refusal.clone(),
        sidecar_port: collection.sidecar_port,
        ..Route::to(case.base_url()?)
    };
    let data = secret.map(|(_, secret)| secret);
    for placing in &placings(collection) {
        case.place(placing, data, &mut route)?;
    }
    route.signing = case.signing(data, &route.base_url)?;
    let mut warnings = Vec::from_iter(case.password_grant());
    if let Some((name, secret)) = secret {
        warnings.extend(case.keys_of_other_environment(&sources, name, secret));
    }
    let mut trust = match &settings.trust {
        Some(trust) => case.trust(trust)?,
        None => String::new(),
    };
    let held = case.client_certificate()?;
    let not_after = held.as_ref().map(|held| held.not_after);
    let certificate_secret = held.as_ref().map(|held| held.secret.to_owned());
    if let Some(held) = held {
        if route.base_url.scheme() == Scheme::Http {
            return Err(case.certificate_without_tls(held.secret));
        }
        trust.push_str(held.trust.as_deref().unwrap_or_default());
        warnings.extend(case.expiring(held.secret, held.not_after));
        route.client_certificate = Some(held.certificate);
    }
    if !trust.is_empty() {
        route.trust = Some(trust.into());
    }
    let order = case.order(data, &route)?;
    Ok(Resolved {
        order,
        changes_at: [
            not_after.and_then(|end| warning::next_change(end, now)),
            // Tomorrow, the keys of the day after are needed.
            route.signing.as_ref().map(|_| sigv4::next_day(now)),
        ]
        .into_iter()
        .flatten()
        .min(),
        route,
        secret: secret.map(|(name, _)| name.to_owned()),
        uses_live_fallback: case.selected.uses_live_fallback,
        certificate_secret,
        certificate_not_after: not_after,
        warnings,
    })
}

#[cfg(test)]
mod tests;
