//! About values and base URLs.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::super::Case;
use super::super::path::InvalidPath;
use super::super::placing::Source;
use super::{Unresolved, key_missing, list, unresolved};
use crate::base_url::InvalidBaseUrl;
use crate::collection::Placement;
use crate::reason::Reason;
use crate::template::RenderError;

pub(in super::super) fn base_url(source: &Source<'_>, error: &InvalidBaseUrl) -> Unresolved {
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

impl Case<'_> {
    pub(in super::super) fn no_base_url(&self) -> Unresolved {
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

    pub(in super::super) fn insecure(&self, source: &Source<'_>) -> Unresolved {
        let field = &source.field;
        let block = self.selected.field();
        unresolved(
            Reason::BaseUrlInsecure,
            field,
            format!(
                "{field} begins with http://, so that everybody on the way could read the credential. \
                 Write https:// or set {block}.allowInsecureHttp to true."
            ),
        )
    }

    pub(in super::super) fn certificate_without_tls(&self, secret: &str) -> Unresolved {
        let block = self.selected.field();
        unresolved(
            Reason::BaseUrlInsecure,
            format!("{block}.tlsSecretRef"),
            format!(
                "The base URL begins with http://, where the client certificate in Secret \"{secret}\" cannot be shown. \
                 Write https:// or remove {block}.tlsSecretRef."
            ),
        )
    }

    pub(in super::super) fn unrendered(
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
            RenderError::OwnBaseUrl => unresolved(
                Reason::BaseUrlInvalid,
                field,
                format!("{field} must not refer to ${{baseUrl}}, which is made from it."),
            ),
            RenderError::Late | RenderError::NotHere(_) | RenderError::NoKeyFingerprint => {
                unresolved(
                    Reason::ValueInvalid,
                    field,
                    format!("{field} must not refer to a variable that is known only later."),
                )
            }
            RenderError::EmptyValue { name } => unresolved(
                Reason::ValueEmpty,
                format!("{values}.{name}"),
                format!("{values}.{name} is empty. Write the value or change {field}."),
            ),
        }
    }

    pub(in super::super) fn bad_character(
        &self,
        source: &Source<'_>,
        placement: &Placement,
        found: char,
    ) -> Unresolved {
        let place = placement.noun();
        let advice = if found.is_control() {
            "Store the bare value on one line"
        } else {
            "Encode it with a filter such as |base64url or |urlencode"
        };
        let (reason, subject) = self.blame(source);
        unresolved(
            reason,
            &source.field,
            format!(
                "{subject} holds {}, which no {place} may hold. \
                 {advice} or change {}.",
                described(found),
                source.field
            ),
        )
    }

    pub(in super::super) fn bad_path(&self, source: &Source<'_>, error: InvalidPath) -> Unresolved {
        let what = match error {
            InvalidPath::EmptySegment => "an empty segment",
            InvalidPath::DotSegment => "a segment \".\" or \"..\"",
        };
        let field = &source.field;
        let (reason, subject) = self.blame(source);
        unresolved(
            reason,
            field,
            format!(
                "{field}, with its variables filled in, has {what}, which servers resolve in different ways. \
                 {subject} is the cause: correct it or change {field}."
            ),
        )
    }

    pub(in super::super) fn colon(&self, username: &Source<'_>) -> Unresolved {
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

    pub(in super::super) fn nothing_to_send(&self) -> Unresolved {
        unresolved(
            Reason::SecretValueEmpty,
            "spec.auth.basic",
            format!(
                "User name and password are both empty with Secret \"{}\" filled in. Store at least one of them.",
                self.secret_name()
            ),
        )
    }

    pub(in super::super) fn unsignable(
        &self,
        source: &Source<'_>,
        noun: &str,
        found: char,
    ) -> Unresolved {
        let (reason, subject) = self.blame(source);
        let field = &source.field;
        unresolved(
            reason,
            field,
            format!(
                "{subject} holds {}, which no {noun} holds. Store the bare value on one line or change {field}.",
                described(found)
            ),
        )
    }

    /// Where a bad character in a rendered value comes from.
    pub(super) fn blame(&self, source: &Source<'_>) -> (Reason, String) {
        let keys = source.template.secret_keys(&self.selected.settings.values);
        let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
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
        ' ' => "a space".to_owned(),
        '"' | ',' | '/' | ';' | '\\' => format!("the character {found}"),
        other if other.is_control() => format!("the control character U+{:04X}", u32::from(other)),
        // Not which one: it is part of the value.
        other if other.is_ascii() => "a character that does not belong there".to_owned(),
        _ => "a character outside ASCII".to_owned(),
    }
}
