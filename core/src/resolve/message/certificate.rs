//! About certificates and their keys.

use jiff::Timestamp;

use super::super::private_key::InvalidKey;
use super::{Unresolved, key_missing, unresolved};
use crate::collection::{TrustKind, TrustRef};
use crate::reason::Reason;

pub(in super::super) fn trust_key<'a>(
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

pub(in super::super) fn not_pem(kind: &str, name: &str, key: &str, field: String) -> Unresolved {
    let message = format!(
        "Key \"{key}\" of {kind} \"{name}\" does not hold PEM certificates. \
         Store one or more blocks that begin with -----BEGIN CERTIFICATE----- or change {field}."
    );
    unresolved(Reason::CertificatesInvalid, field, message)
}

pub(in super::super) fn not_tls(name: &str, kind: &str, field: String) -> Unresolved {
    let message = format!(
        "Secret \"{name}\" is of type {kind}, but a client certificate is in one of type kubernetes.io/tls. \
         Make it with kubectl create secret tls or name another in {field}."
    );
    unresolved(Reason::SecretTypeUnexpected, field, message)
}

pub(in super::super) fn client_certificate(name: &str, key: &str, field: &str) -> Unresolved {
    let message = format!(
        "Key \"{key}\" of Secret \"{name}\" does not hold a PEM certificate that can be read. \
         Store the client certificate, and those that lead to its authority after it, as blocks that begin with \
         -----BEGIN CERTIFICATE-----."
    );
    unresolved(Reason::ClientCertificateInvalid, field, message)
}

pub(in super::super) fn client_key(
    name: &str,
    key: &str,
    error: &InvalidKey,
    field: &str,
) -> Unresolved {
    let subject = format!("Key \"{key}\" of Secret \"{name}\"");
    let (reason, message) = match error {
        InvalidKey::NotPem => (
            Reason::ClientKeyInvalid,
            format!(
                "{subject} does not hold a PEM private key. \
                 Store the key of the client certificate as a block that begins with -----BEGIN PRIVATE KEY-----."
            ),
        ),
        InvalidKey::Encrypted => (
            Reason::ClientKeyEncrypted,
            format!(
                "{subject} holds a private key that is protected by a password. \
                 Store it without one: openssl pkey -in FILE -out FILE.plain removes it."
            ),
        ),
        InvalidKey::Unsupported => (
            Reason::ClientKeyInvalid,
            format!(
                "{subject} holds a private key that is damaged or of a kind that is not supported. \
                 Store one of RSA (2048 bits or more), ECDSA (P-256, P-384 or P-521) or Ed25519."
            ),
        ),
    };
    unresolved(reason, field, message)
}

pub(in super::super) fn client_key_mismatch(
    name: &str,
    chain: &str,
    key: &str,
    field: &str,
) -> Unresolved {
    let message = format!(
        "The private key in key \"{key}\" of Secret \"{name}\" belongs to none of the certificates in key \"{chain}\". \
         Store the two that were made together."
    );
    unresolved(Reason::ClientKeyMismatch, field, message)
}

pub(in super::super) fn not_yet_valid(
    name: &str,
    not_before: Timestamp,
    field: String,
) -> Unresolved {
    let message = format!(
        "The client certificate in Secret \"{name}\" is not valid before {not_before}. \
         Wait, correct the clock or name another Secret in {field}."
    );
    Unresolved {
        changes_at: Some(not_before),
        ..unresolved(Reason::ClientCertificateNotYetValid, field, message)
    }
}

pub(in super::super) fn expired(name: &str, not_after: Timestamp, field: String) -> Unresolved {
    let message = format!(
        "The client certificate in Secret \"{name}\" expired at {not_after}. \
         Put a new one with its key into the Secret or name another in {field}."
    );
    unresolved(Reason::ClientCertificateExpired, field, message)
}
