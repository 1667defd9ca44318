//! How calls are authenticated.

mod aws_sig_v4;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::jwt::SignedJwt;
use crate::rule;
use crate::token::{
    JwtBearer, Oauth2ClientCredentials, Oauth2CustomToken, Oauth2Password, Oauth2RefreshToken,
    TokenExchange,
};

pub use aws_sig_v4::{AwsSigV4, SignedPayload};

/// How calls are authenticated: exactly one member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::one_method()))]
pub struct Auth {
    /// No credential but what headers and query hold. Write none: {}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<NoCredential>,

    /// A key in a header, the query, a cookie, the path or the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKey>,

    /// User name and password (HTTP Basic, RFC 7617).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,

    /// The certificate of each environment's tlsSecretRef is the whole
    /// credential. Write clientCertificate: {}. (A certificate beside another
    /// method needs tlsSecretRef only.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,

    /// A signature over each call, as AWS wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_sig_v4: Option<AwsSigV4>,

    /// A token for the client's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2_client_credentials: Option<Oauth2ClientCredentials>,

    /// A token for a user's name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2_password: Option<Oauth2Password>,

    /// A token for a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2_refresh_token: Option<Oauth2RefreshToken>,

    /// A token by a request of the collection's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2_custom_token: Option<Oauth2CustomToken>,

    /// A token for a JSON Web Token that is signed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt_bearer: Option<JwtBearer>,

    /// A token for another token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange: Option<TokenExchange>,

    /// A JSON Web Token that is signed here is itself the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_jwt: Option<SignedJwt>,
}

impl Auth {
    /// The members by their names, and whether each is there.
    pub(crate) fn members(&self) -> [(&'static str, bool); 12] {
        [
            ("none", self.none.is_some()),
            ("apiKey", self.api_key.is_some()),
            ("basic", self.basic.is_some()),
            ("clientCertificate", self.client_certificate.is_some()),
            ("awsSigV4", self.aws_sig_v4.is_some()),
            (
                "oauth2ClientCredentials",
                self.oauth2_client_credentials.is_some(),
            ),
            ("oauth2Password", self.oauth2_password.is_some()),
            ("oauth2RefreshToken", self.oauth2_refresh_token.is_some()),
            ("oauth2CustomToken", self.oauth2_custom_token.is_some()),
            ("jwtBearer", self.jwt_bearer.is_some()),
            ("tokenExchange", self.token_exchange.is_some()),
            ("signedJwt", self.signed_jwt.is_some()),
        ]
    }

    /// What it takes, for a sentence.
    pub(crate) fn takes() -> String {
        let names = Self::default().members().map(|(name, _)| name);
        let listed = match names.split_last() {
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        };
        format!("takes exactly one of {listed}")
    }
}

/// No credential.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoCredential {}

/// The certificate of tlsSecretRef.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCertificate {}

/// A key in a header, the query, a cookie, the path or the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::api_key()))]
pub struct ApiKey {
    /// Where the key goes: Header, Query, Cookie, Path or Body. Prefer Header
    /// where the provider leaves the choice: URLs are logged more often than
    /// headers, and Body works only for calls that have one.
    #[serde(rename = "in")]
    pub place: Place,

    /// Name of the header (such as Authorization), query parameter, cookie or
    /// member of the body. Left out for Path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,

    /// The value, with the key taken from the Secret: "Bearer ${secret.api-key}".
    /// For Path: one or more segments that follow the path of baseUrl, such as
    /// "/bot${secret.token}".
    #[schemars(length(min = 1, max = 4096))]
    pub value: String,
}

/// Where a credential goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Place {
    /// A header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie; other cookies of the caller are left alone.
    Cookie,
    /// Segments of the path, between that of baseUrl and the caller's.
    Path,
    /// A top-level member of a JSON object, or a field of a form.
    Body,
}

/// User name and password (HTTP Basic, RFC 7617).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::basic()))]
pub struct Basic {
    /// The user name, which must not hold a colon. May be empty or literal.
    #[serde(default = "default_username")]
    #[schemars(length(max = 4096))]
    pub username: String,

    /// The password. May be empty, or literal where the user name comes from
    /// the Secret: some providers want a constant here.
    #[serde(default = "default_password")]
    #[schemars(length(max = 4096))]
    pub password: String,
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn default_username() -> String {
    "${secret.username}".to_owned()
}

/// The key of a Secret of type kubernetes.io/basic-auth.
fn default_password() -> String {
    "${secret.password}".to_owned()
}

impl Default for Basic {
    fn default() -> Self {
        Self {
            username: default_username(),
            password: default_password(),
        }
    }
}
