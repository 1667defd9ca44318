//! How keys are written.

/// How the text of a key is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// By its looks; a shared key that does not look like a JWK is taken as it
    /// is.
    #[default]
    Auto,
    /// PEM (RFC 7468) with PKCS#8, PKCS#1 or SEC1.
    Pem,
    /// JSON Web Key (RFC 7517).
    Jwk,
    /// A shared key: the bytes of the text.
    Utf8,
    /// Base64 of any alphabet: of a shared key, or of PEM or DER.
    Base64,
    /// Two digits for each byte of a shared key.
    Hex,
}
