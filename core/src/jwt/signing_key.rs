//! Keys that JWTs are signed with.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::algorithm::KeyKind;
use super::{Algorithm, InvalidKey, KeyFormat, key_reader};
use crate::Secret;
use crate::key_pair::{Curve, KeyPair};

/// A key of the kind that its algorithm takes. Its `Debug` shows the algorithm
/// alone.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Arc<Pair>,
    /// Of the text that it was read from: what tells it from others.
    digest: [u8; 32],
}

/// What a text holds.
pub(super) enum Pair {
    Private(KeyPair),
    Shared(Zeroizing<Vec<u8>>),
}

/// The signature could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot sign")]
pub struct SigningFailed;

impl SigningKey {
    /// The key that a text holds.
    ///
    /// # Errors
    /// [`InvalidKey`], which says what the text holds instead.
    pub fn read(
        text: &Secret,
        format: KeyFormat,
        algorithm: Algorithm,
    ) -> Result<Self, InvalidKey> {
        let pair = key_reader::read(text.expose(), format, algorithm)?;
        let found = pair.kind();
        if found != algorithm.key_kind() {
            return Err(InvalidKey::OtherKind { found, algorithm });
        }
        if let Pair::Shared(bytes) = &pair {
            let least = algorithm.least_bytes();
            if bytes.len() < least {
                return Err(InvalidKey::TooShort {
                    bits: bytes.len() * 8,
                    least: least * 8,
                    algorithm,
                });
            }
        }
        let digest = match &pair {
            // One text is another key in each of its formats.
            Pair::Shared(bytes) => sha256(bytes),
            Pair::Private(_) => sha256(text.expose().as_bytes()),
        };
        Ok(Self {
            algorithm,
            pair: Arc::new(pair),
            digest,
        })
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `SHA256:` and the digest of the public key in base64; a shared key has
    /// none.
    pub fn fingerprint(&self) -> Option<String> {
        match &*self.pair {
            Pair::Private(pair) => {
                let digest = sha256(pair.public_info()?.as_ref());
                Some(format!("SHA256:{}", STANDARD.encode(digest)))
            }
            Pair::Shared(_) => None,
        }
    }

    /// Whether this is the private half of a certificate's key, given as its
    /// `subjectPublicKey`.
    pub(crate) fn belongs_to(&self, public: &[u8]) -> bool {
        match &*self.pair {
            Pair::Private(pair) => pair.public() == public,
            Pair::Shared(_) => false,
        }
    }

    /// The signature, as JWS has it (RFC 7518 §3).
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        match &*self.pair {
            Pair::Shared(key) => {
                let key = hmac::Key::new(self.hmac(), key);
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            Pair::Private(KeyPair::Rsa(pair)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    self.padding(),
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| SigningFailed)?;
                Ok(signature)
            }
            Pair::Private(KeyPair::Ecdsa(_, pair)) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SigningFailed),
            Pair::Private(KeyPair::Ed25519(pair)) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SigningFailed),
        }
    }

    /// What tells it from other keys; goes nowhere but into other digests.
    pub(crate) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn padding(&self) -> &'static dyn RsaEncoding {
        match self.algorithm {
            Algorithm::Rs384 => &RSA_PKCS1_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Ps384 => &RSA_PSS_SHA384,
            Algorithm::Ps512 => &RSA_PSS_SHA512,
            // No key of RSA is there for the others.
            Algorithm::Rs256
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::EdDsa
            | Algorithm::Hs256
            | Algorithm::Hs384
            | Algorithm::Hs512 => &RSA_PKCS1_SHA256,
        }
    }

    fn hmac(&self) -> hmac::Algorithm {
        match self.algorithm {
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            // No shared key is there for the others.
            Algorithm::Hs256
            | Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::EdDsa => hmac::HMAC_SHA256,
        }
    }
}

impl Pair {
    fn kind(&self) -> KeyKind {
        match self {
            Self::Shared(_) => KeyKind::Shared,
            Self::Private(KeyPair::Rsa(_)) => KeyKind::Rsa,
            Self::Private(KeyPair::Ecdsa(Curve::P256, _)) => KeyKind::P256,
            Self::Private(KeyPair::Ecdsa(Curve::P384, _)) => KeyKind::P384,
            Self::Private(KeyPair::Ecdsa(Curve::P521, _)) => KeyKind::P521,
            Self::Private(KeyPair::Ed25519(_)) => KeyKind::Ed25519,
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    digest
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.digest == other.digest
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} …)", self.algorithm)
    }
}

#[cfg(test)]
mod tests;
