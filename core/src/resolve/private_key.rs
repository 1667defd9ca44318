//! The private key of a client certificate.

use crate::key_pair::KeyPair;
use crate::{Secret, pem};

/// A private key that can be used.
pub(super) struct PrivateKey {
    /// As one PEM block.
    pub(super) pem: Secret,
    /// The public half, as the `subjectPublicKey` of a certificate writes it.
    pub(super) public: Vec<u8>,
}

/// Why a text is not a private key that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InvalidKey {
    /// There is no block of a private key in it, or a broken one.
    NotPem,
    /// It is protected by a password.
    Encrypted,
    /// Of a kind that is not supported, or damaged.
    Unsupported,
}

/// Reads PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) and SEC1 (RFC 5915).
pub(super) fn read(text: &str) -> Result<PrivateKey, InvalidKey> {
    // Certificates and parameters of curves may stand in the same file.
    let block = pem::blocks(text)
        .map_err(|pem::Broken| InvalidKey::NotPem)?
        .into_iter()
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or(InvalidKey::NotPem)?;
    if block.label.starts_with("ENCRYPTED ") {
        return Err(InvalidKey::Encrypted);
    }
    let der = block.der.ok_or(InvalidKey::Encrypted)?;
    let pair = KeyPair::of_block(&block.label, &der).ok_or(InvalidKey::Unsupported)?;
    Ok(PrivateKey {
        pem: pem::encode(&block.label, &der).into(),
        public: pair.public().to_vec(),
    })
}
