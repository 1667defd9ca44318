//! What the operator reports.

use credence_core::Environment;
use credence_core::collection::{Flow, Method};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What the operator found and did. Never holds a value of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::without_null)]
pub struct ApiCollectionStatus {
    /// The metadata.generation that the rest of the status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// The environment of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,

    /// How calls are authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodName>,

    /// The environments in use, and where each takes its credential from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub environments: Vec<EnvironmentStatus>,

    /// When the first of the tokens and client certificates in use expires
    /// (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub expires: Option<String>,

    /// Sidecars by replica of the operator; each replica writes its own entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["replica"]))]
    pub feeds: Vec<FeedStatus>,

    /// All sidecars: the sum of feeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<SidecarStatus>,

    /// Accepted: the object can be understood. CredentialsResolved: what it
    /// refers to is there. Ready: both. Programmed: every connected sidecar uses
    /// the current version. Verified: the API accepts the credential.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// An environment in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// Live or Development.
    pub name: EnvironmentName,

    /// Name of the Secret in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,

    /// The token that calls are made with; never its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatus>,

    /// The client certificate in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,

    /// Whether calls of this environment can be made.
    pub ready: bool,
}

/// A token, as far as anybody may know it. Times are in RFC 3339; those of a
/// token that lives for less than twenty minutes in steps of ten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// When it was obtained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub obtained_at: Option<String>,

    /// When it ends, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub expires_at: Option<String>,

    /// The scopes that were asked for and granted (RFC 6749 §3.3), with spaces
    /// between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub scope: Option<String>,

    /// About when the token endpoint is asked next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub next_refresh_at: Option<String>,

    /// When it was asked last and gave no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_attempt_at: Option<String>,

    /// How many times in a row it gave no token.
    #[schemars(range(min = 0))]
    pub failures: i32,

    /// What it called that, if it did (RFC 6749 §5.2): invalid_grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub error: Option<String>,
}

/// A client certificate in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// When it expires (RFC 3339).
    #[schemars(length(max = 64))]
    pub not_after: String,
}

/// The sidecars connected to one replica of the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    /// Name of the replica's pod.
    #[schemars(length(min = 1, max = 253))]
    pub replica: String,

    /// Sidecars that are connected and may use this collection.
    #[schemars(range(min = 0))]
    pub connected: i32,

    /// Those of them that use what this replica sent last.
    #[schemars(range(min = 0))]
    pub current: i32,

    /// Those of them that cannot use it.
    #[schemars(range(min = 0))]
    pub refused: i32,

    /// Which versions of the collection and its Secrets this replica sent last:
    /// one for each environment. They tell whether it has seen the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 64)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub revisions: Vec<String>,

    /// What the provider says to them who refuses their credential.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["revision"]))]
    pub rejected: Vec<RejectedCredential>,
}

impl FeedStatus {
    /// As many revisions as an entry may tell of: two environments, and
    /// sidecars that are one change behind.
    pub const MOST_REVISIONS: usize = 8;
}

/// A credential that the provider refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::without_null)]
pub struct RejectedCredential {
    /// Which version of the collection and its Secrets it is of.
    #[schemars(length(max = 64))]
    pub revision: String,

    /// The status of the provider's answer; left out when it refused the client
    /// certificate before there could be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<i32>,

    /// Whether the provider accepted it before.
    pub worked: bool,
}

/// The sidecars of all replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SidecarStatus {
    /// Sidecars that are connected and may use this collection.
    #[schemars(range(min = 0))]
    pub connected: i32,

    /// Those of them that use the current version.
    #[schemars(range(min = 0))]
    pub current: i32,

    /// Both as text, current first: 4/4.
    #[schemars(length(max = 32))]
    pub summary: String,
}

impl SidecarStatus {
    /// The counts with their summary.
    pub fn new(connected: i32, current: i32) -> Self {
        Self {
            connected,
            current,
            summary: format!("{current}/{connected}"),
        }
    }
}

/// An environment, as objects spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvironmentName {
    /// No real effect.
    Development,
    /// Real money, mail and records.
    Live,
}

impl From<Environment> for EnvironmentName {
    fn from(environment: Environment) -> Self {
        match environment {
            Environment::Development => Self::Development,
            Environment::Live => Self::Live,
        }
    }
}

/// A method, as spec.auth spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MethodName {
    /// No credential.
    None,
    /// A key in a header, the query, a cookie, the path or the body.
    ApiKey,
    /// User name and password.
    Basic,
    /// A client certificate.
    ClientCertificate,
    /// A token for the client's own credentials.
    Oauth2ClientCredentials,
    /// A token for a user's name and password.
    Oauth2Password,
    /// A token for a refresh token.
    Oauth2RefreshToken,
    /// A token by a request of the collection's own.
    Oauth2CustomToken,
    /// A token for a JSON Web Token.
    JwtBearer,
    /// A token for another token.
    TokenExchange,
    /// A JSON Web Token that is itself the token.
    SignedJwt,
    /// A signature over each call.
    AwsSigV4,
}

impl From<&Method> for MethodName {
    fn from(method: &Method) -> Self {
        match method {
            Method::None => Self::None,
            Method::ApiKey { .. } => Self::ApiKey,
            Method::Basic { .. } => Self::Basic,
            Method::ClientCertificate => Self::ClientCertificate,
            Method::Token(method) => match method.flow {
                Flow::ClientCredentials => Self::Oauth2ClientCredentials,
                Flow::Password { .. } => Self::Oauth2Password,
                Flow::RefreshToken { .. } => Self::Oauth2RefreshToken,
                Flow::Custom { .. } => Self::Oauth2CustomToken,
                Flow::JwtBearer { .. } => Self::JwtBearer,
                Flow::TokenExchange { .. } => Self::TokenExchange,
            },
            Method::SignedJwt(_) => Self::SignedJwt,
            Method::AwsSigV4(_) => Self::AwsSigV4,
        }
    }
}
