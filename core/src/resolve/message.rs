//! What the author of a manifest is told. Every message says what is wrong and
//! what to do, names objects and keys in quotes, and holds no value.

mod certificate;
mod jwt;
mod object;
mod token;
mod value;

pub(super) use certificate::{
    client_certificate, client_key, client_key_mismatch, expired, not_pem, not_tls, not_yet_valid,
    trust_key,
};
pub(super) use object::{not_found, secret_key, secret_label, secret_type};
pub(super) use token::{no_cluster, token_url, token_url_without_tls};
pub(super) use value::base_url;

use super::{Case, Unresolved};
use crate::closest::closest;
use crate::reason::Reason;

/// How many keys a message lists: enough to find a typing error, few enough
/// for a terminal.
const LISTED_KEYS: usize = 20;

fn unresolved(reason: Reason, field: impl Into<String>, message: String) -> Unresolved {
    Unresolved {
        reason,
        field: field.into(),
        message,
        changes_at: None,
    }
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
}
