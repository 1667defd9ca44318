//! How a JWT is made and signed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;
use crate::token::TokenPlacement;

/// How a JSON Web Token is made and signed (RFC 7519). It is signed anew each
/// time, by the operator (or credence run): the key goes to no pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::jwt()))]
pub struct Jwt {
    /// How it is signed. Left out, it means RS256, and HS256 for
    /// authentication: ClientSecretJwt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<JwtAlgorithm>,

    /// The key, taken from the Secret: "${secret.private-key}", or
    /// "${secret.key-file#/private_key}" where it is a member of a JSON file.
    /// For the HS algorithms it is the key that both sides share. Left out for
    /// authentication: ClientSecretJwt, where it is the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub key: Option<String>,

    /// How the key is written: Pem, Jwk, Utf8 (a shared key as it is), Base64
    /// or Hex. Auto finds PEM and JWK by their looks, and takes any other
    /// shared key as it is. PEM may be PKCS#1, PKCS#8 or SEC1; line breaks that
    /// were lost or written as \n are repaired.
    #[serde(default)]
    pub key_format: KeyFormat,

    /// The header kid, as the provider has registered the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub key_id: Option<String>,

    /// The header typ. Left out, it is JWT. Write "" for none.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    #[schemars(length(max = 256))]
    pub kind: Option<String>,

    /// Further headers. Texts in them may hold the variables of claims.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = rule::anything()))]
    pub headers: BTreeMap<String, serde_json::Value>,

    /// The certificate of the key, such as "${secret.tls.crt}": gives the
    /// headers x5t and x5t#S256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub certificate: Option<String>,

    /// The claim iss: who has signed it. Left out for a client's assertion, it
    /// is the client's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub issuer: Option<String>,

    /// The claim sub: on whose behalf. Left out for a client's assertion, it is
    /// the client's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub subject: Option<String>,

    /// The claim aud: for whom it is. Left out, it is the URL of the token
    /// endpoint, if there is one. Write "" for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub audience: Option<String>,

    /// What is asked for: the claim scope, with spaces between them. May hold
    /// ${values.NAME}.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64, "items" = rule::text(1, 512), "x-kubernetes-list-type" = "set"))]
    pub scopes: Vec<String>,

    /// Further claims: any JSON. Texts in it may hold ${secret.KEY},
    /// ${values.NAME}, ${baseUrl}, ${uuid}, ${now.unix}, ${now.iso8601} and
    /// ${jwt.keyFingerprint} (SHA256: and the digest of the public key).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = rule::anything()))]
    pub claims: BTreeMap<String, serde_json::Value>,

    /// From the claim iat to the claim exp. Providers have limits, from five
    /// minutes to an hour. Of a JWT that calls are made with (signedJwt), at
    /// least 30 more than backdateSeconds.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub lifetime_seconds: i32,

    /// How far before now the claim iat is, for providers whose clocks are
    /// behind. It is a part of the lifetime.
    #[serde(default = "minute")]
    #[schemars(range(min = 0, max = 3600))]
    pub backdate_seconds: i32,
}

/// An algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// RSA with SHA-256.
    RS256,
    /// RSA with SHA-384.
    RS384,
    /// RSA with SHA-512.
    RS512,
    /// RSA-PSS with SHA-256.
    PS256,
    /// RSA-PSS with SHA-384.
    PS384,
    /// RSA-PSS with SHA-512.
    PS512,
    /// ECDSA on the curve P-256.
    ES256,
    /// ECDSA on the curve P-384.
    ES384,
    /// Ed25519.
    EdDSA,
    /// A shared key, with SHA-256.
    HS256,
    /// A shared key, with SHA-384.
    HS384,
    /// A shared key, with SHA-512.
    HS512,
}

/// How a key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyFormat {
    /// By its looks.
    #[default]
    Auto,
    /// PKCS#1, PKCS#8 or SEC1, with a line before and after.
    Pem,
    /// A JSON Web Key.
    Jwk,
    /// A shared key as it is.
    Utf8,
    /// In base64.
    Base64,
    /// In hexadecimal.
    Hex,
}

/// A JSON Web Token that is itself the token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedJwt {
    /// What it says.
    pub jwt: Jwt,

    /// Where it goes on calls. Left out, it is the header Authorization, with
    /// "Bearer " before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<TokenPlacement>,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            algorithm: None,
            key: None,
            key_format: KeyFormat::Auto,
            key_id: None,
            kind: None,
            headers: BTreeMap::new(),
            certificate: None,
            issuer: None,
            subject: None,
            audience: None,
            scopes: Vec::new(),
            claims: BTreeMap::new(),
            lifetime_seconds: five_minutes(),
            backdate_seconds: minute(),
        }
    }
}

const fn five_minutes() -> i32 {
    300
}

const fn minute() -> i32 {
    60
}
