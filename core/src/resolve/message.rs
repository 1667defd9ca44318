//! What the author of a manifest is told. Every message says what is wrong and
//! what to do, names objects and keys in quotes, and holds no value.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::placing::Source;
use super::{Case, Unresolved};
use crate::Environment;
use crate::base_url::InvalidBaseUrl;
use crate::closest::closest;
use crate::collection::{Place, TrustKind, TrustRef};
use crate::names;
use crate::reason::Reason;
use crate::template::RenderError;

/// How many keys a message lists: enough to find a typing error, few enough
/// for a terminal.
const LISTED_KEYS: usize = 20;

fn unresolved(reason: Reason, field: impl Into<String>, message: String) -> Unresolved {
    Unresolved {
        reason,
        field: field.into(),
        message,
    }
}

pub(super) fn not_found(kind: &str, name: &str, field: String) -> Unresolved {
    let reason = match kind {
        "Secret" => Reason::SecretNotFound,
        _ => Reason::ConfigMapNotFound,
    };
    let message = format!("{kind} \"{name}\" does not exist. Create it or change {field}.");
    unresolved(reason, field, message)
}

pub(super) fn secret_type(name: &str, kind: &str, field: String) -> Unresolved {
    let message = format!(
        "Secret \"{name}\" is of type {kind}, which is never sent to a provider. \
         Put the credential into a Secret of type Opaque and name that in {field}."
    );
    unresolved(Reason::SecretTypeForbidden, field, message)
}

pub(super) fn secret_label(
    name: &str,
    label: &str,
    environment: Environment,
    field: String,
) -> Unresolved {
    let message = format!(
        "Secret \"{name}\" has the label {}: {label} and is not used in a {environment} namespace. \
         Name another Secret in {field} or correct the label.",
        names::ENVIRONMENT
    );
    unresolved(Reason::SecretOfOtherEnvironment, field, message)
}

pub(super) fn base_url(source: &Source<'_>, error: &InvalidBaseUrl) -> Unresolved {
    let field = &source.field;
    let rendered = if source.template.as_literal().is_some() {
        ""
    } else {
        ", with its values filled in,"
    };
    unresolved(
        Reason::BaseUrlInvalid,
        field,
        format!("{field}{rendered} {error}."),
    )
}

pub(super) fn trust_key<'a>(
    trust: &TrustRef,
    present: impl Iterator<Item = &'a String>,
    field: &str,
) -> Unresolved {
    let reason = match trust.kind {
        TrustKind::ConfigMap => Reason::ConfigMapKeyMissing,
        TrustKind::Secret => Reason::SecretKeyMissing,
    };
    let object = format!("{} \"{}\"", trust.kind.as_str(), trust.name);
    unresolved(
        reason,
        field,
        key_missing(&object, &trust.key, present, field),
    )
}

pub(super) fn not_pem(trust: &TrustRef, field: String) -> Unresolved {
    let message = format!(
        "Key \"{}\" of {} \"{}\" does not hold PEM certificates. \
         Store one or more blocks that begin with -----BEGIN CERTIFICATE----- or change {field}.",
        trust.key,
        trust.kind.as_str(),
        trust.name
    );
    unresolved(Reason::CertificatesInvalid, field, message)
}

fn key_missing<'a>(
    object: &str,
    key: &str,
    present: impl Iterator<Item = &'a String>,
    field: &str,
) -> String {
    let present: Vec<&str> = present.map(String::as_str).collect();
    // Renaming is good advice only where one key is plainly the one.
    let verb = match present.as_slice() {
        [_] => "Rename",
        several if closest(key, several.iter().copied()).is_some() => "Rename",
        _ => "Add",
    };
    format!(
        "{object} has no key \"{key}\" (it has: {}). {verb} the key or change {field}.",
        list(&present)
    )
}

fn list(names: &[&str]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        1..=LISTED_KEYS => names.join(", "),
        all => format!(
            "{} and {} more",
            names.get(..LISTED_KEYS).unwrap_or(names).join(", "),
            all - LISTED_KEYS
        ),
    }
}

impl Case<'_> {
    /// The name of the Secret that values come from, for messages that are only
    /// made when there is one.
    fn secret_name(&self) -> &str {
        self.selected.settings.secret.as_deref().unwrap_or_default()
    }

    pub(super) fn no_secret_ref(&self, source: &Source<'_>) -> Unresolved {
        let references = source.template.references();
        let key = references.secret_keys.first().copied().unwrap_or_default();
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

    pub(super) fn no_base_url(&self) -> Unresolved {
        unresolved(
            Reason::BaseUrlMissing,
            "spec.baseUrl",
            format!(
                "There is no base URL for the {} environment. Set spec.baseUrl or {}.baseUrl.",
                self.environment,
                self.selected.field()
            ),
        )
    }

    pub(super) fn unrendered(
        &self,
        source: &Source<'_>,
        error: RenderError,
        data: Option<&BTreeMap<String, Zeroizing<Vec<u8>>>>,
    ) -> Unresolved {
        let field = &source.field;
        let secret = self.secret_name();
        let values = format!("{}.values", self.selected.field());
        match error {
            RenderError::NoSecret => self.no_secret_ref(source),
            RenderError::KeyMissing { key } => {
                let present = data.into_iter().flat_map(BTreeMap::keys);
                let object = format!("Secret \"{secret}\"");
                let message = key_missing(&object, &key, present, field);
                unresolved(Reason::SecretKeyMissing, field, message)
            }
            RenderError::NotText { key } => unresolved(
                Reason::SecretValueNotText,
                field,
                format!(
                    "Key \"{key}\" of Secret \"{secret}\" is not UTF-8 text. \
                     Store text or write ${{secret.{key}|base64}} in {field}."
                ),
            ),
            RenderError::NotJson { key } => unresolved(
                Reason::SecretValueNotJson,
                field,
                format!(
                    "Key \"{key}\" of Secret \"{secret}\" is not JSON. \
                     Store JSON or leave out what follows \"#\" in {field}."
                ),
            ),
            RenderError::MemberMissing { key, pointer } => unresolved(
                Reason::SecretMemberMissing,
                field,
                format!(
                    "The JSON at key \"{key}\" of Secret \"{secret}\" has no text, number or boolean \
                     at \"{pointer}\". Add it or change {field}."
                ),
            ),
            RenderError::EmptySecret { key } => unresolved(
                Reason::SecretValueEmpty,
                field,
                format!(
                    "Key \"{key}\" of Secret \"{secret}\" is empty. Store the value or change {field}."
                ),
            ),
            RenderError::ValueMissing { name } => {
                let names: Vec<&str> = self
                    .selected
                    .settings
                    .values
                    .keys()
                    .map(String::as_str)
                    .collect();
                unresolved(
                    Reason::ValueMissing,
                    &values,
                    format!(
                        "{values} has no \"{name}\" (it has: {}). Add it or change {field}.",
                        list(&names)
                    ),
                )
            }
            RenderError::EmptyValue { name } => unresolved(
                Reason::ValueEmpty,
                format!("{values}.{name}"),
                format!("{values}.{name} is empty. Write the value or change {field}."),
            ),
        }
    }

    pub(super) fn control_character(
        &self,
        source: &Source<'_>,
        place: Place,
        found: char,
    ) -> Unresolved {
        let place = match place {
            Place::Header => "header",
            Place::Query => "query parameter",
        };
        let (reason, subject) = self.blame(source);
        unresolved(
            reason,
            &source.field,
            format!(
                "{subject} holds {}, which no {place} may hold. \
                 Store the bare value on one line or change {}.",
                described(found),
                source.field
            ),
        )
    }

    pub(super) fn colon(&self, username: &Source<'_>) -> Unresolved {
        let (reason, subject) = self.blame(username);
        unresolved(
            reason,
            &username.field,
            format!(
                "{subject} holds a colon, which a user name of HTTP Basic may not hold (RFC 7617). \
                 Correct it or change {}.",
                username.field
            ),
        )
    }

    pub(super) fn nothing_to_send(&self) -> Unresolved {
        unresolved(
            Reason::SecretValueEmpty,
            "spec.auth.basic",
            format!(
                "User name and password are both empty with Secret \"{}\" filled in. Store at least one of them.",
                self.secret_name()
            ),
        )
    }

    /// Where a bad character in a rendered value comes from.
    fn blame(&self, source: &Source<'_>) -> (Reason, String) {
        let references = source.template.references();
        let keys: Vec<String> = references
            .secret_keys
            .iter()
            .map(|key| format!("\"{key}\""))
            .collect();
        let secret = self.secret_name();
        match keys.as_slice() {
            [] => (Reason::ValueInvalid, source.field.clone()),
            [key] => (
                Reason::SecretValueInvalid,
                format!("Key {key} of Secret \"{secret}\""),
            ),
            several => (
                Reason::SecretValueInvalid,
                format!(
                    "One of the keys {} of Secret \"{secret}\"",
                    several.join(", ")
                ),
            ),
        }
    }
}

fn described(found: char) -> String {
    match found {
        '\n' => "a line feed".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        '\0' => "a NUL".to_owned(),
        other => format!("the control character U+{:04X}", u32::from(other)),
    }
}
