//! Who asks for a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::jwt::Jwt;
use crate::rule;

/// Who asks for a token, as the provider has registered it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::token_client()))]
pub struct TokenClient {
    /// The client's identifier, such as "${secret.client-id}". It is no secret:
    /// it may be written here.
    #[schemars(length(min = 1, max = 4096))]
    pub id: String,

    /// The client's secret, taken from the Secret: "${secret.client-secret}".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub secret: Option<String>,

    /// How the client proves who it is: Basic (the header Authorization, both
    /// parts form-encoded as RFC 6749 wants it), BasicRaw (the same, not
    /// encoded), Body (two fields of the request), PrivateKeyJwt (a JSON Web
    /// Token, signed with the key of assertion; RFC 7523), ClientSecretJwt (the
    /// same, signed with the secret), TlsClientAuth (the certificate of
    /// tlsSecretRef; RFC 8705) or None (the identifier alone, as a field). Left out, it means Basic where there is a secret,
    /// else None. Never both are tried: a refused try can cost a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<ClientAuthentication>,

    /// The JSON Web Token of PrivateKeyJwt, which needs its key, and of
    /// ClientSecretJwt. Each has a jti of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Jwt>,

    /// The name of the field with the identifier, where it is not client_id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub id_field: Option<String>,

    /// The name of the field with the secret, where it is not client_secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub secret_field: Option<String>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientAuthentication {
    /// HTTP Basic, both parts form-encoded.
    Basic,
    /// HTTP Basic, both parts as they are.
    BasicRaw,
    /// Two fields of the request.
    Body,
    /// A JWT that is signed with a private key.
    PrivateKeyJwt,
    /// A JWT that is signed with the secret.
    ClientSecretJwt,
    /// The client certificate.
    TlsClientAuth,
    /// Not at all.
    None,
}
