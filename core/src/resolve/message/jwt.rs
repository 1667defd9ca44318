//! About JWTs and their keys.

use super::super::Case;
use super::super::placing::Source;
use super::{Unresolved, unresolved};
use crate::jwt::{Found, InvalidKey};
use crate::reason::Reason;

impl Case<'_> {
    pub(in super::super) fn signing_key(
        &self,
        source: &Source<'_>,
        error: &InvalidKey,
    ) -> Unresolved {
        let (_, subject) = self.blame(source);
        let field = &source.field;
        let keys = source.template.secret_keys(&self.selected.settings.values);
        let message = match (error, keys.first()) {
            (InvalidKey::Found(Found::Member(pointer)), Some(key)) => format!(
                "{subject} holds JSON, in which the key is at \"{pointer}\". \
                 Write ${{secret.{key}#{pointer}}} into {field}."
            ),
            _ => format!("{subject} {error}, or change {field}."),
        };
        unresolved(Reason::SigningKeyInvalid, field, message)
    }

    pub(in super::super) fn no_certificate_for_header(&self, source: &Source<'_>) -> Unresolved {
        let (_, subject) = self.blame(source);
        let field = &source.field;
        let message = format!(
            "{subject} does not hold a PEM certificate that can be read. Store the certificate that was \
             registered with the provider, as a block that begins with -----BEGIN CERTIFICATE-----, or change {field}."
        );
        unresolved(Reason::CertificatesInvalid, field, message)
    }

    pub(in super::super) fn certificate_of_other_key(
        &self,
        source: &Source<'_>,
        key: &Source<'_>,
    ) -> Unresolved {
        let (_, subject) = self.blame(source);
        let (field, key_field) = (&source.field, &key.field);
        let message = format!(
            "{subject} holds no certificate of the key that {key_field} names. \
             Store the two that were made together or change {field}."
        );
        unresolved(Reason::SigningKeyInvalid, field, message)
    }
}
