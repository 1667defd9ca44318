//! The private key of a client certificate.

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};

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
    let public = match block.label.as_str() {
        "PRIVATE KEY" => rsa::KeyPair::from_pkcs8(&der)
            .ok()
            .map(|pair| pair.public_key().as_ref().to_vec())
            .or_else(|| on_curve(&der))
            .or_else(|| edwards(&der)),
        "RSA PRIVATE KEY" => rsa::KeyPair::from_der(&der)
            .ok()
            .map(|pair| pair.public_key().as_ref().to_vec()),
        "EC PRIVATE KEY" => on_curve(&der),
        _ => None,
    };
    Ok(PrivateKey {
        pem: pem::encode(&block.label, &der).into(),
        public: public.ok_or(InvalidKey::Unsupported)?,
    })
}

fn on_curve(der: &[u8]) -> Option<Vec<u8>> {
    [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
        &ECDSA_P521_SHA512_ASN1_SIGNING,
    ]
    .into_iter()
    .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
    .map(|pair| pair.public_key().as_ref().to_vec())
}

fn edwards(der: &[u8]) -> Option<Vec<u8>> {
    // OpenSSL leaves the public half out.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}
