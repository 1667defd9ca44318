//! About certificates and their keys.

use super::super::certificates::{Identity, certified, holding, tls_secret, trusting};
use super::*;
use crate::collection::TrustKind;
use crate::pem;

pub(super) fn about_certificates() -> Vec<Told> {
    let config_map = |key: &str, value: &str| Material {
        config_maps: BTreeMap::from([(
            "ca".to_owned(),
            BTreeMap::from([(key.to_owned(), value.to_owned())]),
        )]),
        ..material()
    };
    vec![
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            material(),
            Reason::ConfigMapNotFound,
            "spec.development.caRef.name",
            "ConfigMap \"ca\" does not exist. Create it or change spec.development.caRef.name.",
        ),
        row(
            with_development(trusting(TrustKind::Secret)),
            material(),
            Reason::SecretNotFound,
            "spec.development.caRef.name",
            "Secret \"ca\" does not exist. Create it or change spec.development.caRef.name.",
        ),
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            config_map("ca.pem", ""),
            Reason::ConfigMapKeyMissing,
            "spec.development.caRef.key",
            "ConfigMap \"ca\" has no key \"ca.crt\" (it has: ca.pem). \
             Rename the key or change spec.development.caRef.key.",
        ),
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            config_map(
                "ca.crt",
                "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
            ),
            Reason::CertificatesInvalid,
            "spec.development.caRef.key",
            "Key \"ca.crt\" of ConfigMap \"ca\" does not hold PEM certificates. Store one or more blocks that \
             begin with -----BEGIN CERTIFICATE----- or change spec.development.caRef.key.",
        ),
    ]
}

pub(super) fn about_client_certificates() -> Vec<Told> {
    const FIELD: &str = "spec.development.tlsSecretRef.name";
    let identity = Identity::new();
    let (certificate, key) = (identity.certificate.clone(), identity.key());
    let told = |object, reason, message| row(certified(), holding(object), reason, FIELD, message);
    let encrypted = |label: &str| key.replace("PRIVATE KEY", label);
    let legacy = key.replace("KEY-----\nM", "KEY-----\nProc-Type: 4,ENCRYPTED\nM");
    const PROTECTED: &str = "Key \"tls.key\" of Secret \"client\" holds a private key that is protected by a password. \
        Store it without one: openssl pkey -in FILE -out FILE.plain removes it.";
    const NO_KEY: &str = "Key \"tls.key\" of Secret \"client\" does not hold a PEM private key. \
        Store the key of the client certificate as a block that begins with -----BEGIN PRIVATE KEY-----.";
    const DAMAGED: &str = "Key \"tls.key\" of Secret \"client\" holds a private key that is damaged or of a kind \
        that is not supported. Store one of RSA (2048 bits or more), ECDSA (P-256, P-384 or P-521) or Ed25519.";
    const NO_CERTIFICATE: &str = "Key \"tls.crt\" of Secret \"client\" does not hold a PEM certificate that can be \
        read. Store the client certificate, and those that lead to its authority after it, as blocks that begin \
        with -----BEGIN CERTIFICATE-----.";
    let mut with_authority = identity.secret();
    with_authority
        .data
        .insert("ca.crt".to_owned(), b"x".to_vec().into());
    let mut without_key = identity.secret();
    without_key.data.remove("tls.key");
    let damaged = pem::encode("PRIVATE KEY", b"\x30\x00");
    vec![
        row(
            Collection {
                development: None,
                ..certified()
            },
            material(),
            Reason::SecretRefMissing,
            "spec.development.tlsSecretRef",
            "spec.auth.clientCertificate needs a certificate, but the development environment names no Secret with \
             one. Add spec.development.tlsSecretRef.",
        ),
        told(
            secret(&[("tls.crt", &certificate), ("tls.key", &key)]),
            Reason::SecretTypeUnexpected,
            "Secret \"client\" is of type Opaque, but a client certificate is in one of type kubernetes.io/tls. \
             Make it with kubectl create secret tls or name another in spec.development.tlsSecretRef.name.",
        ),
        row(
            Collection {
                base_url: Some(template("http://api.bank.test")),
                development: Some(Settings {
                    tls_secret: Some("client".to_owned()),
                    allow_insecure_http: true,
                    ..Settings::default()
                }),
                ..certified()
            },
            holding(identity.secret()),
            Reason::BaseUrlInsecure,
            "spec.development.tlsSecretRef",
            "The base URL begins with http://, where the client certificate in Secret \"client\" cannot be shown. Write \
             https:// or remove spec.development.tlsSecretRef.",
        ),
        told(
            without_key,
            Reason::SecretKeyMissing,
            "Secret \"client\" has no key \"tls.key\" (it has: tls.crt). \
             Rename the key or change spec.development.tlsSecretRef.name.",
        ),
        told(
            tls_secret("x", &key),
            Reason::ClientCertificateInvalid,
            NO_CERTIFICATE,
        ),
        told(
            tls_secret(&key, &key),
            Reason::ClientCertificateInvalid,
            NO_CERTIFICATE,
        ),
        told(
            tls_secret(&certificate, "x"),
            Reason::ClientKeyInvalid,
            NO_KEY,
        ),
        told(
            tls_secret(&certificate, &key[..90]),
            Reason::ClientKeyInvalid,
            NO_KEY,
        ),
        told(
            tls_secret(&certificate, &damaged),
            Reason::ClientKeyInvalid,
            DAMAGED,
        ),
        told(
            tls_secret(&certificate, &encrypted("OPENSSH PRIVATE KEY")),
            Reason::ClientKeyInvalid,
            DAMAGED,
        ),
        told(
            tls_secret(&certificate, &encrypted("ENCRYPTED PRIVATE KEY")),
            Reason::ClientKeyEncrypted,
            PROTECTED,
        ),
        told(
            tls_secret(&certificate, &legacy),
            Reason::ClientKeyEncrypted,
            PROTECTED,
        ),
        told(
            tls_secret(&certificate, &Identity::new().key()),
            Reason::ClientKeyMismatch,
            "The private key in key \"tls.key\" of Secret \"client\" belongs to none of the certificates in key \
             \"tls.crt\". Store the two that were made together.",
        ),
        told(
            with_authority,
            Reason::CertificatesInvalid,
            "Key \"ca.crt\" of Secret \"client\" does not hold PEM certificates. Store one or more blocks that \
             begin with -----BEGIN CERTIFICATE----- or change spec.development.tlsSecretRef.name.",
        ),
    ]
}

/// At other times than all the rest.
pub(super) fn about_times() -> Vec<(Timestamp, Told)> {
    let material = holding(Identity::new().secret());
    let told = |time: &str, reason, message| {
        let field = "spec.development.tlsSecretRef.name";
        let told = row(certified(), material.clone(), reason, field, message);
        (time.parse().unwrap(), told)
    };
    vec![
        told(
            "2025-12-31T20:00:00Z",
            Reason::ClientCertificateNotYetValid,
            "The client certificate in Secret \"client\" is not valid before 2026-01-01T00:00:00Z. Wait, correct the \
             clock or name another Secret in spec.development.tlsSecretRef.name.",
        ),
        told(
            "2027-01-01T20:00:00Z",
            Reason::ClientCertificateExpired,
            "The client certificate in Secret \"client\" expired at 2027-01-01T00:00:00Z. Put a new one with its key \
             into the Secret or name another in spec.development.tlsSecretRef.name.",
        ),
    ]
}
