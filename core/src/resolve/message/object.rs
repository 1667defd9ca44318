//! About objects that are missing or are not what is needed.

use super::super::Case;
use super::super::placing::Source;
use super::{Unresolved, key_missing, unresolved};
use crate::Environment;
use crate::names;
use crate::reason::Reason;

pub(in super::super) fn not_found(kind: &str, name: &str, field: impl Into<String>) -> Unresolved {
    let field = field.into();
    let reason = match kind {
        "Secret" => Reason::SecretNotFound,
        _ => Reason::ConfigMapNotFound,
    };
    let message = format!("{kind} \"{name}\" does not exist. Create it or change {field}.");
    unresolved(reason, field, message)
}

pub(in super::super) fn secret_type(
    name: &str,
    kind: &str,
    field: impl Into<String>,
) -> Unresolved {
    let field = field.into();
    let message = format!(
        "Secret \"{name}\" is of type {kind}, which is never sent to a provider. \
         Put the credential into a Secret of type Opaque and name that in {field}."
    );
    unresolved(Reason::SecretTypeForbidden, field, message)
}

pub(in super::super) fn secret_label(
    name: &str,
    label: &str,
    environment: Environment,
    field: impl Into<String>,
) -> Unresolved {
    let field = field.into();
    let message = format!(
        "Secret \"{name}\" has the label {}: {label} and is not used in a {environment} namespace. \
         Name another Secret in {field} or correct the label.",
        names::ENVIRONMENT
    );
    unresolved(Reason::SecretOfOtherEnvironment, field, message)
}

pub(in super::super) fn secret_key<'a>(
    name: &str,
    key: &str,
    present: impl Iterator<Item = &'a String>,
    field: &str,
) -> Unresolved {
    let message = key_missing(&format!("Secret \"{name}\""), key, present, field);
    unresolved(Reason::SecretKeyMissing, field, message)
}

impl Case<'_> {
    pub(in super::super) fn no_secret_ref(&self, source: &Source<'_>) -> Unresolved {
        let keys = source.template.secret_keys(&self.selected.settings.values);
        let key = keys.first().copied().unwrap_or_default();
        let block = self.selected.field();
        let live_has_one = self
            .collection
            .live
            .as_ref()
            .is_some_and(|live| live.secret.is_some());
        let fallback = if self.environment == Environment::Development
            && self.collection.development.is_none()
            && live_has_one
        {
            " (or set spec.developmentFallback to UseLive, if live credentials may be used in development)"
        } else {
            ""
        };
        unresolved(
            Reason::SecretRefMissing,
            format!("{block}.secretRef"),
            format!(
                "{} refers to ${{secret.{key}}}, but the {} environment names no Secret. \
                 Add {block}.secretRef{fallback}.",
                source.field, self.environment
            ),
        )
    }

    pub(in super::super) fn no_tls_secret_ref(&self, field: &str) -> Unresolved {
        let block = self.selected.field();
        unresolved(
            Reason::SecretRefMissing,
            format!("{block}.tlsSecretRef"),
            format!(
                "{field} needs a certificate, but the {} environment names no Secret with one. \
                 Add {block}.tlsSecretRef.",
                self.environment
            ),
        )
    }
}
