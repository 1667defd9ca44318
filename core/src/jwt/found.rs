//! What was found instead of a key.

use super::Algorithm;
use super::algorithm::KeyKind;

/// Why a text is no key for an algorithm: what follows the text's name in a
/// sentence. Quotes nothing of the text but the names of members.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Something else, that is known.
    #[error("{0}")]
    Found(Found),
    /// A key for another algorithm.
    #[error(
        "holds {found}, but {algorithm} takes {}. Store one{}",
        .algorithm.key_kind(),
        instead(*.found)
    )]
    OtherKind {
        /// What the key is.
        found: KeyKind,
        /// What it was to be used for.
        algorithm: Algorithm,
    },
    /// A key that can be guessed (RFC 7518 §3.2).
    #[error("holds a key of {bits} bits, but {algorithm} takes one of {least} bits or more")]
    TooShort {
        /// Its length.
        bits: usize,
        /// What its length must be at least.
        least: usize,
        /// What it was to be used for.
        algorithm: Algorithm,
    },
    /// Nothing that is known, or it is damaged.
    #[error(
        "holds no private key that can be read. Store {}",
        wanted(.0.key_kind())
    )]
    Unreadable(Algorithm),
    /// Not in the format that was asked for.
    #[error("is not {0}. Store that, or leave keyFormat out")]
    NotOfFormat(&'static str),
}

/// What people store instead of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Found {
    /// `-----BEGIN CERTIFICATE-----`.
    #[error("holds a certificate. Store the private key that belongs to it")]
    Certificate,
    /// `-----BEGIN CERTIFICATE REQUEST-----`.
    #[error("holds a request for a certificate. Store the private key that it was made with")]
    CertificateRequest,
    /// `-----BEGIN PUBLIC KEY-----`, or a JWK without a private half.
    #[error("holds a public key. Store the private key that belongs to it")]
    PublicKey,
    /// One that is protected by a password.
    #[error(
        "holds a private key that is protected by a password. Store it without one: \
         openssl pkey -in FILE -out FILE.plain removes it"
    )]
    Encrypted,
    /// `-----BEGIN OPENSSH PRIVATE KEY-----`.
    #[error("holds a private key as OpenSSH writes it. Convert it: ssh-keygen -p -m PKCS8 -f FILE")]
    OpenSsh,
    /// A PEM block without an end, or with something else than base64 in it.
    #[error("holds PEM that is broken: store the whole file, from -----BEGIN to -----END")]
    BrokenPem,
    /// A JWK Set (RFC 7517 §5).
    #[error("holds a set of JWKs. Store the one private key alone")]
    JwkSet,
    /// JSON in which the key is a member, by its pointer.
    #[error(
        "holds JSON, in which the key is at \"{0}\": write that after the key's name, as in ${{secret.KEY#{0}}}"
    )]
    Member(String),
    /// JSON without a key.
    #[error("holds JSON that is not a private key (RFC 7517)")]
    Json,
}

impl From<Found> for InvalidKey {
    fn from(found: Found) -> Self {
        Self::Found(found)
    }
}

fn instead(found: KeyKind) -> String {
    found
        .algorithm()
        .map(|algorithm| format!(", or write algorithm: {algorithm}"))
        .unwrap_or_default()
}

const fn wanted(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa => {
            "an RSA key of 2048 bits or more, as PEM (-----BEGIN PRIVATE KEY-----) or as a JWK"
        }
        KeyKind::P256 => {
            "an EC key of the curve P-256, as PEM (-----BEGIN PRIVATE KEY-----) or as a JWK"
        }
        KeyKind::P384 | KeyKind::P521 => {
            "an EC key of the curve P-384, as PEM (-----BEGIN PRIVATE KEY-----) or as a JWK"
        }
        KeyKind::Ed25519 => "an Ed25519 key, as PEM (-----BEGIN PRIVATE KEY-----) or as a JWK",
        KeyKind::Shared => "the shared key, as text or in the format that keyFormat says",
    }
}
