//! A collection and what it refers to become a route.
//!
//! ```text
//! Collection, Environment ─► needs ─► (look them up) ─► Material
//! Collection, Environment, Material ─► resolve ─► Resolved | Unresolved
//! ```
//!
//! Only the active environment is looked at: the Secret of the other one is
//! neither asked for nor, if it should be in the material, read.

mod keys;
mod material;
mod message;
mod placing;
mod trust;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base_url::{InvalidBaseUrl, Scheme};
use crate::bundle::{Placed, Route};
use crate::collection::{Collection, Place, Selected, TrustKind, TrustRef};
use crate::reason::Reason;
use crate::template::Scope;
use crate::{BaseUrl, Environment, Secret};
use placing::{Content, Placing, Source, placings};

pub use keys::secret_keys;
pub use material::{Material, Needs, SecretObject};

/// A collection resolved for one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Where calls go, and what is put on them.
    pub route: Route,
    /// Name of the Secret in use.
    pub secret: Option<String>,
    /// Whether these are live settings used in development.
    pub uses_live_fallback: bool,
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
}

/// What has to be looked up before `collection` can be resolved for
/// `environment`.
pub fn needs(collection: &Collection, environment: Environment) -> Needs {
    let settings = collection.selected(environment).settings;
    let mut needs = Needs::default();
    let refers = placings(collection).iter().any(|placing| {
        placing
            .sources()
            .any(|source| source.template.refers_to_secret())
    });
    if refers {
        needs.secrets.extend(settings.secret.clone());
    }
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
/// then the base URL, then each value in the order of placement, then the
/// certificates.
pub fn resolve(
    collection: &Collection,
    environment: Environment,
    material: &Material,
) -> Result<Resolved, Unresolved> {
    let case = Case {
        collection,
        environment,
        selected: collection.selected(environment),
        material,
    };
    let placings = placings(collection);
    let secret = case.secret(&placings)?;
    let base_url = case.base_url()?;
    let mut route = Route {
        allow_private_networks: case.selected.settings.allow_private_networks,
        ..Route::to(base_url)
    };
    for placing in &placings {
        let placed = Placed {
            name: placing.name.to_owned(),
            value: case
                .content(placing, secret.map(|(_, secret)| secret))?
                .into(),
            on_conflict: placing.on_conflict,
        };
        match placing.place {
            Place::Header => route.headers.push(placed),
            Place::Query => route.query.push(placed),
        }
    }
    if let Some(trust) = &case.selected.settings.trust {
        route.trust = Some(case.trust(trust)?);
    }
    Ok(Resolved {
        route,
        secret: secret.map(|(name, _)| name.to_owned()),
        uses_live_fallback: case.selected.uses_live_fallback,
    })
}

/// Everything that one resolution looks at.
struct Case<'a> {
    collection: &'a Collection,
    environment: Environment,
    selected: Selected<'a>,
    material: &'a Material,
}

impl<'a> Case<'a> {
    /// The environment's Secret, where anything refers to it.
    fn secret(
        &self,
        placings: &[Placing<'_>],
    ) -> Result<Option<(&'a str, &'a SecretObject)>, Unresolved> {
        let referring = placings
            .iter()
            .flat_map(Placing::sources)
            .find(|source| source.template.refers_to_secret());
        let Some(source) = referring else {
            return Ok(None);
        };
        let Some(name) = self.selected.settings.secret.as_deref() else {
            return Err(self.no_secret_ref(source));
        };
        let field = format!("{}.secretRef.name", self.selected.field());
        let secret = self.usable_secret(name, field)?;
        Ok(Some((name, secret)))
    }

    /// A Secret by name, if it may be used here at all.
    fn usable_secret(&self, name: &str, field: String) -> Result<&'a SecretObject, Unresolved> {
        let Some(secret) = self.material.secrets.get(name) else {
            return Err(message::not_found("Secret", name, field));
        };
        if !secret.may_be_sent() {
            return Err(message::secret_type(name, &secret.kind, field));
        }
        match secret.environment.as_deref() {
            Some(label) if !self.label_allows(label) => {
                Err(message::secret_label(name, label, self.environment, field))
            }
            _ => Ok(secret),
        }
    }

    /// A label that is neither environment allows neither: it was meant to
    /// restrict, and nobody knows to what.
    fn label_allows(&self, label: &str) -> bool {
        match label.parse::<Environment>() {
            Ok(Environment::Live) => {
                self.environment == Environment::Live || self.selected.uses_live_fallback
            }
            Ok(Environment::Development) => self.environment == Environment::Development,
            Err(_) => false,
        }
    }

    fn base_url(&self) -> Result<BaseUrl, Unresolved> {
        let (field, template) = match (&self.selected.settings.base_url, &self.collection.base_url)
        {
            (Some(own), _) => (format!("{}.baseUrl", self.selected.field()), own),
            (None, Some(shared)) => ("spec.baseUrl".to_owned(), shared),
            (None, None) => return Err(self.no_base_url()),
        };
        let source = Source { field, template };
        let text = self.render(&source, self.scope(None))?;
        let base_url: BaseUrl = text
            .expose()
            .parse()
            .map_err(|error| message::base_url(&source, &error))?;
        match base_url.scheme() {
            Scheme::Https => Ok(base_url),
            Scheme::Http => Err(message::base_url(&source, &InvalidBaseUrl::Scheme)),
        }
    }

    fn scope(&self, secret: Option<&'a SecretObject>) -> Scope<'a> {
        Scope {
            secret: secret.map(|secret| &secret.data),
            values: &self.selected.settings.values,
            empty_allowed: false,
        }
    }

    fn render(&self, source: &Source<'_>, scope: Scope<'_>) -> Result<Secret, Unresolved> {
        source
            .template
            .render(&scope)
            .map_err(|error| self.unrendered(source, error, scope.secret))
    }

    fn content(
        &self,
        placing: &Placing<'_>,
        secret: Option<&'a SecretObject>,
    ) -> Result<Secret, Unresolved> {
        match &placing.content {
            Content::Value(source) => {
                let value = self.render(source, self.scope(secret))?;
                self.check_characters(source, placing.place, &value)?;
                Ok(value)
            }
            Content::Basic { username, password } => self.basic(username, password, secret),
        }
    }

    /// The value of `Authorization` by RFC 7617 §2, in UTF-8.
    fn basic(
        &self,
        username: &Source<'_>,
        password: &Source<'_>,
        secret: Option<&'a SecretObject>,
    ) -> Result<Secret, Unresolved> {
        let scope = Scope {
            // Many providers want a key as the user name and no password.
            empty_allowed: true,
            ..self.scope(secret)
        };
        let user = self.render(username, scope)?;
        let pass = self.render(password, scope)?;
        self.check_characters(username, Place::Header, &user)?;
        self.check_characters(password, Place::Header, &pass)?;
        if user.expose().contains(':') {
            return Err(self.colon(username));
        }
        if user.expose().is_empty() && pass.expose().is_empty() {
            return Err(self.nothing_to_send());
        }
        let pair = Zeroizing::new(format!("{}:{}", user.expose(), pass.expose()));
        Ok(Secret::new(format!(
            "Basic {}",
            STANDARD.encode(pair.as_bytes())
        )))
    }

    fn check_characters(
        &self,
        source: &Source<'_>,
        place: Place,
        value: &Secret,
    ) -> Result<(), Unresolved> {
        match value.expose().chars().find(|c| c.is_control()) {
            Some(found) => Err(self.control_character(source, place, found)),
            None => Ok(()),
        }
    }

    fn trust(&self, trust: &TrustRef) -> Result<Arc<str>, Unresolved> {
        let block = self.selected.field();
        let name_field = format!("{block}.caRef.name");
        let key_field = format!("{block}.caRef.key");
        let pem = match trust.kind {
            TrustKind::Secret => {
                let data = &self.usable_secret(&trust.name, name_field)?.data;
                let bytes = entry(data, trust, &key_field)?;
                std::str::from_utf8(bytes).unwrap_or_default()
            }
            TrustKind::ConfigMap => {
                let data = self
                    .material
                    .config_maps
                    .get(&trust.name)
                    .ok_or_else(|| message::not_found("ConfigMap", &trust.name, name_field))?;
                entry(data, trust, &key_field)?
            }
        };
        trust::certificates(pem)
            .map(Arc::from)
            .ok_or_else(|| message::not_pem(trust, key_field))
    }
}

fn entry<'a, T>(
    data: &'a BTreeMap<String, T>,
    trust: &TrustRef,
    field: &str,
) -> Result<&'a T, Unresolved> {
    data.get(&trust.key)
        .ok_or_else(|| message::trust_key(trust, data.keys(), field))
}

#[cfg(test)]
mod tests;
