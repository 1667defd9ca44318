//! What the variables of a template stand for.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{LateVariable, Variable};
use crate::BaseUrl;

/// The names that a template is rendered with.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The data of the environment's Secret, if it is at hand.
    pub(crate) secret: Option<&'a BTreeMap<String, Zeroizing<Vec<u8>>>>,
    /// The environment's `values`.
    pub(crate) values: &'a BTreeMap<String, String>,
    /// The environment's base URL; none while that itself is rendered.
    pub(crate) base_url: Option<&'a BaseUrl>,
    /// The fingerprint of the public key that JWTs are signed with, beside a
    /// block that says how.
    pub(crate) key_fingerprint: Option<&'a str>,
    /// Whether a variable may stand for nothing.
    pub(crate) empty_allowed: bool,
}

/// Why a variable stands for nothing. Holds names, never values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RenderError {
    /// There is no Secret to look into.
    NoSecret,
    /// The Secret has no such key.
    KeyMissing { key: String },
    /// The value is not UTF-8, and no filter made text of it.
    NotText { key: String },
    /// There is a pointer, but the value is not JSON.
    NotJson { key: String },
    /// The JSON value has no such member, or it is an object, a list or null.
    MemberMissing { key: String, pointer: String },
    /// The key is there, and its value is empty.
    EmptySecret { key: String },
    /// `values` has no such name.
    ValueMissing { name: String },
    /// The name is there, and its value is empty.
    EmptyValue { name: String },
    /// The base URL refers to itself.
    OwnBaseUrl,
    /// There is no public key here.
    NoKeyFingerprint,
    /// A variable is known late, and this must be known now.
    Late,
    /// A variable is never known where this is used.
    NotHere(LateVariable),
}

impl<'a> Scope<'a> {
    /// The value of a key of the Secret, without its trailing line break.
    pub(super) fn secret(&self, key: &str) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        let data = self.secret.ok_or(RenderError::NoSecret)?;
        let value = data.get(key).ok_or_else(|| RenderError::KeyMissing {
            key: key.to_owned(),
        })?;
        let value = without_line_break(value);
        if value.is_empty() && !self.empty_allowed {
            return Err(RenderError::EmptySecret {
                key: key.to_owned(),
            });
        }
        Ok(Zeroizing::new(value.to_vec()))
    }

    pub(super) fn bytes(&self, variable: &Variable) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        match variable {
            Variable::Secret { key, pointer: None } => self.secret(key),
            Variable::Alias(name) if !self.values.contains_key(&**name) => self.secret(name),
            Variable::Secret {
                pointer: Some(_), ..
            }
            | Variable::Value(_)
            | Variable::BaseUrl
            | Variable::KeyFingerprint
            | Variable::Alias(_)
            | Variable::Late(_) => {
                let mut text = self.text(variable)?;
                Ok(Zeroizing::new(std::mem::take(&mut *text).into_bytes()))
            }
        }
    }

    pub(super) fn text(&self, variable: &Variable) -> Result<Zeroizing<String>, RenderError> {
        match variable {
            Variable::Secret { key, pointer } => match pointer {
                None => self.secret_text(key),
                Some(pointer) => self.member(key, &self.secret_text(key)?, pointer),
            },
            Variable::Value(name) => self.value(name),
            Variable::Alias(name) if self.values.contains_key(&**name) => self.value(name),
            Variable::Alias(name) => self.secret_text(name),
            Variable::BaseUrl => self
                .base_url
                .map(|base_url| Zeroizing::new(base_url.to_string()))
                .ok_or(RenderError::OwnBaseUrl),
            Variable::KeyFingerprint => self
                .key_fingerprint
                .map(|fingerprint| Zeroizing::new(fingerprint.to_owned()))
                .ok_or(RenderError::NoKeyFingerprint),
            Variable::Late(_) => Err(RenderError::Late),
        }
    }

    fn secret_text(&self, key: &str) -> Result<Zeroizing<String>, RenderError> {
        let value = self.secret(key)?;
        let text = std::str::from_utf8(&value).map_err(|_| RenderError::NotText {
            key: key.to_owned(),
        })?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn value(&self, name: &str) -> Result<Zeroizing<String>, RenderError> {
        match self.values.get(name) {
            None => Err(RenderError::ValueMissing {
                name: name.to_owned(),
            }),
            Some(value) if value.is_empty() && !self.empty_allowed => {
                Err(RenderError::EmptyValue {
                    name: name.to_owned(),
                })
            }
            Some(value) => Ok(Zeroizing::new(value.clone())),
        }
    }

    /// A string, number or boolean inside a JSON value (RFC 6901).
    fn member(
        &self,
        key: &str,
        json: &str,
        pointer: &str,
    ) -> Result<Zeroizing<String>, RenderError> {
        let mut document: serde_json::Value =
            serde_json::from_str(json).map_err(|_| RenderError::NotJson {
                key: key.to_owned(),
            })?;
        let text = match document.pointer_mut(pointer).map(serde_json::Value::take) {
            Some(serde_json::Value::String(text)) => Some(Zeroizing::new(text)),
            Some(scalar @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
                Some(Zeroizing::new(scalar.to_string()))
            }
            Some(
                serde_json::Value::Null
                | serde_json::Value::Array(_)
                | serde_json::Value::Object(_),
            )
            | None => None,
        };
        let text = text.ok_or_else(|| RenderError::MemberMissing {
            key: key.to_owned(),
            pointer: pointer.to_owned(),
        })?;
        if text.is_empty() && !self.empty_allowed {
            return Err(RenderError::EmptySecret {
                key: format!("{key}#{pointer}"),
            });
        }
        Ok(text)
    }
}

/// Drops one line feed, or carriage return and line feed, from the end of a
/// text: editors and `echo` put it there. Of a value that is no text every
/// byte counts.
fn without_line_break(value: &[u8]) -> &[u8] {
    if std::str::from_utf8(value).is_err() {
        return value;
    }
    value
        .strip_suffix(b"\r\n")
        .or_else(|| value.strip_suffix(b"\n"))
        .unwrap_or(value)
}
