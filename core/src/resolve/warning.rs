//! What is not wrong, but should be looked at.

use jiff::{SignedDuration, Timestamp};

use super::placing::Source;
use super::{Case, SecretObject};
use crate::Environment;
use crate::collection::{Flow, Method};

/// Something that should be looked at. Names objects and keys, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// Where in the manifest the cause is.
    pub field: String,
    /// What was found and what to do, in sentences.
    pub message: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A key that is plainly meant for the other environment.
    KeyOfOtherEnvironment,
    /// A client certificate that ends soon.
    CertificateExpiring,
    /// A user's password that is exchanged for tokens.
    PasswordGrant,
}

/// How long before its end a certificate is warned about.
const EXPIRING: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Beginnings of keys by which providers tell their two environments apart:
/// Stripe and those that follow it, Razorpay.
const PREFIXES: [(&str, Environment); 8] = [
    ("sk_live_", Environment::Live),
    ("rk_live_", Environment::Live),
    ("pk_live_", Environment::Live),
    ("rzp_live_", Environment::Live),
    ("sk_test_", Environment::Development),
    ("rk_test_", Environment::Development),
    ("pk_test_", Environment::Development),
    ("rzp_test_", Environment::Development),
];

/// The environment that a key is for, where its beginning says so.
fn environment_of(key: &[u8]) -> Option<Environment> {
    let key = key.trim_ascii_start();
    PREFIXES
        .iter()
        .find(|(prefix, _)| key.starts_with(prefix.as_bytes()))
        .map(|(_, environment)| *environment)
}

fn warned_from(not_after: Timestamp) -> Timestamp {
    not_after.checked_sub(EXPIRING).unwrap_or(Timestamp::MIN)
}

/// When something different will be said about a certificate with this end.
pub(super) fn next_change(not_after: Timestamp, now: Timestamp) -> Option<Timestamp> {
    [warned_from(not_after), not_after]
        .into_iter()
        .find(|change| *change > now)
}

impl Case<'_> {
    /// One for each key in use that is plainly meant for the other environment.
    pub(super) fn keys_of_other_environment(
        &self,
        sources: &[Source<'_>],
        name: &str,
        secret: &SecretObject,
    ) -> Vec<Warning> {
        let mut keys: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.template.secret_keys(&self.selected.settings.values))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let expected = self.selected.block;
        keys.into_iter()
            .filter_map(|key| {
                let found = environment_of(secret.data.get(key)?)?;
                (found != expected).then(|| self.key_of_other_environment(name, key, found))
            })
            .collect()
    }

    fn key_of_other_environment(&self, name: &str, key: &str, found: Environment) -> Warning {
        let block = self.selected.field();
        let consequence = match found {
            Environment::Live => "calls have real effects",
            Environment::Development => "calls have no real effect",
        };
        Warning {
            kind: WarningKind::KeyOfOtherEnvironment,
            field: format!("{block}.secretRef.name"),
            message: format!(
                "Key \"{key}\" of Secret \"{name}\" looks like one for {found}, but {block} uses it: {consequence}. \
                 Put the right key into the Secret or name another in {block}.secretRef.name."
            ),
        }
    }

    /// That a user's password is exchanged for tokens (RFC 9700 §2.4), if it is.
    pub(super) fn password_grant(&self) -> Option<Warning> {
        let Method::Token(method) = &self.collection.method else {
            return None;
        };
        matches!(method.flow, Flow::Password { .. }).then(|| Warning {
            kind: WarningKind::PasswordGrant,
            field: format!("spec.auth.{}", method.flow.as_str()),
            message: "Tokens are obtained with a user's name and password, which RFC 9700 advises \
                      against: use another method if the provider has one."
                .to_owned(),
        })
    }

    /// That a client certificate ends soon, if it does.
    pub(super) fn expiring(&self, name: &str, not_after: Timestamp) -> Option<Warning> {
        (self.now >= warned_from(not_after)).then(|| Warning {
            kind: WarningKind::CertificateExpiring,
            field: format!("{}.tlsSecretRef.name", self.selected.field()),
            message: format!(
                "The client certificate in Secret \"{name}\" expires at {not_after}. \
                 Put a new one with its key into the Secret before that."
            ),
        })
    }
}
