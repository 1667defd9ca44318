//! Everything that one resolution looks at, and what it refers to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::placing::Source;
use super::{Material, SecretObject, Unresolved, certificate, message};
use crate::base_url::Scheme;
use crate::bundle::Value;
use crate::collection::{Collection, Selected, TrustKind, TrustRef};
use crate::template::{LateText, Place, Scope};
use crate::{BaseUrl, Environment, Secret};

/// Everything that one resolution looks at.
pub(super) struct Case<'a> {
    pub(super) collection: &'a Collection,
    pub(super) environment: Environment,
    pub(super) selected: Selected<'a>,
    pub(super) material: &'a Material,
    pub(super) now: Timestamp,
}

impl<'a> Case<'a> {
    /// The environment's Secret, where anything refers to it.
    pub(super) fn secret(
        &self,
        sources: &[Source<'_>],
    ) -> Result<Option<(&'a str, &'a SecretObject)>, Unresolved> {
        let values = &self.selected.settings.values;
        let referring = sources
            .iter()
            .find(|source| !source.template.secret_keys(values).is_empty());
        let Some(source) = referring else {
            return Ok(None);
        };
        let Some(name) = self.selected.settings.secret.as_deref() else {
            return Err(self.no_secret_ref(source));
        };
        let field = format!("{}.secretRef.name", self.selected.field());
        let secret = self.usable_secret(name, &field)?;
        Ok(Some((name, secret)))
    }

    /// A Secret by name, if it may be used here at all.
    pub(super) fn usable_secret(
        &self,
        name: &str,
        field: &str,
    ) -> Result<&'a SecretObject, Unresolved> {
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

    /// Where calls go.
    pub(super) fn base_url(&self) -> Result<BaseUrl, Unresolved> {
        let settings = self.selected.settings;
        let (field, template) = match (&settings.base_url, &self.collection.base_url) {
            (Some(own), _) => (format!("{}.baseUrl", self.selected.field()), own),
            (None, Some(shared)) => ("spec.baseUrl".to_owned(), shared),
            (None, None) => return Err(self.no_base_url()),
        };
        let source = Source { field, template };
        let text = self.render_fixed(&source, self.scope(None, None))?;
        let base_url: BaseUrl = text
            .expose()
            .parse()
            .map_err(|error| message::base_url(&source, &error))?;
        match base_url.scheme() {
            Scheme::Http if !settings.allow_insecure_http => Err(self.insecure(&source)),
            Scheme::Http | Scheme::Https => Ok(base_url),
        }
    }

    /// Whether the collection says nothing about the environment, so that it
    /// may not have been meant for it.
    pub(super) const fn has_no_block(&self) -> bool {
        match self.environment {
            Environment::Live => self.collection.live.is_none(),
            Environment::Development => self.collection.development.is_none(),
        }
    }

    /// What templates are rendered with.
    pub(super) fn scope<'s>(
        &'s self,
        secret: Option<&'s SecretObject>,
        base_url: Option<&'s BaseUrl>,
    ) -> Scope<'s> {
        Scope {
            base_url,
            secret: secret.map(|secret| &secret.data),
            values: &self.selected.settings.values,
            key_fingerprint: None,
            empty_allowed: false,
        }
    }

    /// A template with its variables replaced, as far as they are known.
    pub(super) fn render(
        &self,
        source: &Source<'_>,
        scope: Scope<'_>,
    ) -> Result<Value, Unresolved> {
        source
            .template
            .render(&scope)
            .map_err(|error| self.unrendered(source, error, scope.secret))
    }

    /// A template with all its variables replaced.
    pub(super) fn render_fixed(
        &self,
        source: &Source<'_>,
        scope: Scope<'_>,
    ) -> Result<Secret, Unresolved> {
        source
            .template
            .render_fixed(&scope)
            .map_err(|error| self.unrendered(source, error, scope.secret))
    }

    /// A template of a token request, with its variables replaced as far as they
    /// are known.
    pub(super) fn late(
        &self,
        source: &Source<'_>,
        place: Place,
        scope: Scope<'_>,
    ) -> Result<LateText, Unresolved> {
        source
            .template
            .render_late(&scope, place)
            .map_err(|error| self.unrendered(source, error, scope.secret))
    }

    /// The certificates that `caRef` names, as PEM.
    pub(super) fn trust(&self, trust: &TrustRef) -> Result<String, Unresolved> {
        let block = self.selected.field();
        let name_field = format!("{block}.caRef.name");
        let key_field = format!("{block}.caRef.key");
        let pem = match trust.kind {
            TrustKind::Secret => {
                let data = &self.usable_secret(&trust.name, &name_field)?.data;
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
        certificate::read(pem)
            .map(|certificates| certificate::write(&certificates))
            .ok_or_else(|| {
                message::not_pem(trust.kind.as_str(), &trust.name, &trust.key, key_field)
            })
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
