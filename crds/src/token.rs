//! How a token is obtained, and where it goes.

mod client;
mod oauth2;
mod placement;
mod request;
mod response;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

pub use client::{ClientAuthentication, TokenClient};
pub use oauth2::{
    JwtBearer, Oauth2ClientCredentials, Oauth2CustomToken, Oauth2Password, Oauth2RefreshToken,
    ServiceAccountToken, TokenExchange,
};
pub use placement::{TokenPlace, TokenPlacement};
pub use request::{TokenRefresh, TokenStep};
pub use response::{Capture, ExpiresKind, Success, TokenLifetime, TokenResponse};

/// How a token is obtained, and where it goes. The request is made by the
/// operator (or credence run): what is in it goes to no pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::token()))]
pub struct Token {
    /// The token endpoint: an https URL (or an http one, where the environment
    /// sets allowInsecureHttp). May hold ${values.NAME}, ${secret.KEY} and
    /// ${baseUrl}; values are escaped for the path or query that they stand in.
    /// Beside a jwt block also ${jwt} and ${jwt.keyFingerprint}.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,

    /// The hosts that url may lead to, where it begins with what a step has
    /// answered, ${step.NAME.FIELD}: login.example.com, *.example.com.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16, "items" = rule::text(1, 253), "x-kubernetes-list-type" = "set"))]
    pub url_allow: Vec<String>,

    /// Requests before this one, in this order. What they capture is
    /// ${step.NAME.FIELD} in url, headers, params and body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<TokenStep>,

    /// How the token is asked for with the refresh token that came with the one
    /// before. Without it that is done as RFC 6749 has it by oauth2Password and
    /// oauth2RefreshToken, and not at all by the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<TokenRefresh>,

    /// Who asks for the token, as the provider has registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<TokenClient>,

    /// The field grant_type, where the provider wants another than the
    /// method's own (client_credentials, password, refresh_token,
    /// urn:ietf:params:oauth:grant-type:jwt-bearer or token-exchange; none
    /// for oauth2CustomToken). Write "" for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub grant_type: Option<String>,

    /// What the token is to allow: the field scope. May hold ${values.NAME}.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64, "items" = rule::text(1, 512), "x-kubernetes-list-type" = "set"))]
    pub scopes: Vec<String>,

    /// What stands between two scopes.
    #[serde(default = "space")]
    #[schemars(length(max = 8))]
    pub scope_separator: String,

    /// For whom the token is: the field audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub audience: Option<String>,

    /// Further fields of the request. Values may hold ${secret.KEY},
    /// ${values.NAME}, ${baseUrl}, ${uuid}, ${now.unix} and ${now.iso8601}, and
    /// beside a jwt block ${jwt} and ${jwt.keyFingerprint}; with bodyFormat Json
    /// they may be objects and lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = rule::anything()))]
    pub params: BTreeMap<String, serde_json::Value>,

    /// The method of HTTP: POST, GET or PUT. With GET all fields go to the
    /// query.
    #[serde(default)]
    pub method: HttpMethod,

    /// How the fields are written: Form (a form in the body), Json (a JSON
    /// object in the body) or Query (the query of the URL). With body it says
    /// what that is: Json or Raw. Left out, it means Form, and Json for
    /// oauth2CustomToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_format: Option<BodyFormat>,

    /// The whole body, instead of fields. With Json each variable is escaped
    /// for where it stands: in quotes as text, elsewhere as a value. With Raw
    /// nothing is escaped, and a header Content-Type says what it is. May hold
    /// the variables of params; in oauth2CustomToken also <NAME>, a name of
    /// values or else a key of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub body: Option<String>,

    /// Headers of the request. Accept: application/json is sent unless it is
    /// set here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<TokenHeader>,

    /// What the answer means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<TokenResponse>,

    /// Where the token goes on calls. Left out, it is the header
    /// Authorization, with "Bearer " before the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<TokenPlacement>,

    /// How long a token is good for, and when it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<TokenLifetime>,

    /// Shows the certificate of the environment's tlsSecretRef to the token
    /// endpoint, too (RFC 8705). The API is shown it in any case.
    #[serde(default)]
    pub mtls: bool,
}

/// A header of a request for a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::named_value()))]
pub struct TokenHeader {
    /// Name of the header.
    #[schemars(length(min = 1, max = 256))]
    #[schemars(extend("x-kubernetes-validations" = rule::header_name()))]
    pub name: String,

    /// The value. May hold the variables of params; in oauth2CustomToken also
    /// <NAME>, a name of values or else a key of the Secret.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// With everything in the query.
    Get,
    /// As the standard wants it.
    #[default]
    Post,
    /// For providers of their own mind.
    Put,
}

/// How a request for a token says what it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BodyFormat {
    /// A form in the body.
    Form,
    /// JSON in the body.
    Json,
    /// The query of the URL.
    Query,
    /// The body as it is written.
    Raw,
}

fn space() -> String {
    " ".to_owned()
}
