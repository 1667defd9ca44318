//! Private keys together with their public halves.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _,
};

/// A private key of which the public half is known.
pub(crate) enum KeyPair {
    Rsa(rsa::KeyPair),
    Ecdsa(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl KeyPair {
    /// The key in a PEM block: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) or
    /// SEC1 (RFC 5915).
    pub(crate) fn of_block(label: &str, der: &[u8]) -> Option<Self> {
        match label {
            PKCS8 => rsa::KeyPair::from_pkcs8(der)
                .ok()
                .map(Self::Rsa)
                .or_else(|| on_curve(der))
                .or_else(|| edwards(der)),
            PKCS1 => rsa::KeyPair::from_der(der).ok().map(Self::Rsa),
            SEC1 => on_curve(der),
            _ => None,
        }
    }

    /// The key in any of these formats.
    pub(crate) fn of_der(der: &[u8]) -> Option<Self> {
        [PKCS8, PKCS1, SEC1]
            .into_iter()
            .find_map(|label| Self::of_block(label, der))
    }

    /// As the `subjectPublicKey` of a certificate has it.
    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ecdsa(_, pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The public half as a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    pub(crate) fn public_info(&self) -> Option<PublicKeyX509Der<'static>> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ecdsa(_, pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
        }
        .ok()
    }
}

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// Signatures as JWTs have them (RFC 7518 §3.4).
    pub(crate) const fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }
}

fn on_curve(der: &[u8]) -> Option<KeyPair> {
    Curve::ALL.into_iter().find_map(|curve| {
        let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der);
        Some(KeyPair::Ecdsa(curve, pair.ok()?))
    })
}

fn edwards(der: &[u8]) -> Option<KeyPair> {
    // OpenSSL leaves the public half out.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some(KeyPair::Ed25519(pair))
}
