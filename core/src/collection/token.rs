//! Methods that obtain a token and put that on calls.

use super::{JwtSettings, Placement, Subject};
use crate::template::Template;
use crate::token::{Capture, HostPattern, Lifetime, ResponseShape, Success};

/// How a token is obtained, what its answer means, and where it goes.
#[derive(Clone, Debug)]
pub struct TokenMethod {
    /// What is exchanged for the token.
    pub flow: Flow,
    /// Where and how it is asked for.
    pub request: RequestSettings,
    /// Who asks.
    pub client: Option<Client>,
    /// What is asked before that, in this order.
    pub steps: Vec<StepSettings>,
    /// How a token is asked for with a refresh token, where the manifest says
    /// so itself.
    pub refresh: Option<RefreshSettings>,
    /// What the answer means.
    pub response: ResponseShape,
    /// Which hosts a base URL of the answer may lead to.
    pub base_url_allow: Vec<HostPattern>,
    /// Where the token goes on calls; absent where only headers and query
    /// parameters of the collection refer to it.
    pub placement: Option<TokenPlacement>,
    /// How long a token is good for.
    pub lifetime: Lifetime,
    /// Whether the token endpoint is shown the environment's client
    /// certificate, too (RFC 8705).
    pub mtls: bool,
}

/// What is exchanged for a token.
#[derive(Clone, Debug)]
pub enum Flow {
    /// The client's own credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// A user's (RFC 6749 §4.3).
    Password {
        /// The user's name.
        username: Template,
        /// The user's password.
        password: Template,
    },
    /// A refresh token that a person has obtained (RFC 6749 §6).
    RefreshToken {
        /// The first one: providers may replace it with each answer.
        refresh_token: Template,
    },
    /// Whatever the request says.
    Custom {
        /// The JWT that it may refer to.
        jwt: Option<Box<JwtSettings>>,
    },
    /// Another token (RFC 8693).
    TokenExchange {
        /// That one.
        subject: Subject,
        /// What kind of token it is, as a URI (RFC 8693 §3).
        subject_token_type: String,
    },
    /// A JWT (RFC 7523 §2.1).
    JwtBearer {
        /// What it says.
        jwt: Box<JwtSettings>,
    },
}

impl Flow {
    /// As manifests spell the method.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "oauth2ClientCredentials",
            Self::Password { .. } => "oauth2Password",
            Self::RefreshToken { .. } => "oauth2RefreshToken",
            Self::Custom { .. } => "oauth2CustomToken",
            Self::TokenExchange { .. } => "tokenExchange",
            Self::JwtBearer { .. } => "jwtBearer",
        }
    }

    /// The value of `grant_type`, where the manifest does not say another.
    pub const fn grant_type(&self) -> Option<&'static str> {
        match self {
            Self::ClientCredentials => Some("client_credentials"),
            Self::Password { .. } => Some("password"),
            Self::RefreshToken { .. } => Some("refresh_token"),
            Self::Custom { .. } => None,
            Self::TokenExchange { .. } => Some("urn:ietf:params:oauth:grant-type:token-exchange"),
            Self::JwtBearer { .. } => Some("urn:ietf:params:oauth:grant-type:jwt-bearer"),
        }
    }

    /// The JWT that is signed for each request, if there is one.
    pub fn jwt(&self) -> Option<&JwtSettings> {
        match self {
            Self::Custom { jwt } => jwt.as_deref(),
            Self::JwtBearer { jwt } => Some(jwt),
            Self::ClientCredentials
            | Self::Password { .. }
            | Self::RefreshToken { .. }
            | Self::TokenExchange { .. } => None,
        }
    }
}

/// A request whose answer the request for the token needs.
#[derive(Clone, Debug)]
pub struct StepSettings {
    /// Its name in `${step.NAME.FIELD}`.
    pub name: String,
    /// Where and how it is made; without a grant, scopes and an audience.
    pub request: RequestSettings,
    /// What is kept of the answer.
    pub capture: Vec<Capture>,
    /// What an answer must say to be a success, besides its status.
    pub success: Option<Success>,
}

/// A request for a token with a refresh token. What the manifest does not say of
/// it is that of the request for a token.
#[derive(Clone, Debug)]
pub struct RefreshSettings {
    /// Where and how it is made.
    pub request: RequestSettings,
    /// What the answer means, where it differs.
    pub response: Option<ResponseShape>,
}

/// A request to a token endpoint.
#[derive(Clone, Debug)]
pub struct RequestSettings {
    /// Where it goes.
    pub url: Template,
    /// The hosts that it may go to, where an earlier answer says which.
    pub url_allow: Vec<HostPattern>,
    /// By which method of HTTP.
    pub method: RequestMethod,
    /// Headers besides those that every request has.
    pub headers: Vec<RequestHeader>,
    /// The value of `grant_type`, if there is one.
    pub grant_type: Option<String>,
    /// What is asked for (RFC 6749 §3.3); of `values` only.
    pub scopes: Vec<Template>,
    /// What stands between two scopes.
    pub scope_separator: String,
    /// For whom the token is.
    pub audience: Option<Template>,
    /// Further fields.
    pub params: Vec<(String, FieldValue<Template>)>,
    /// How the fields are written.
    pub content: ContentSettings,
}

/// Methods of HTTP by which tokens are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestMethod {
    /// All fields go to the query.
    Get,
    /// As RFC 6749 §3.2 wants it.
    #[default]
    Post,
    /// For providers of their own mind.
    Put,
}

impl RequestMethod {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A header of a request to a token endpoint.
#[derive(Clone, Debug)]
pub struct RequestHeader {
    /// Spelled as the manifest spells it.
    pub name: String,
    /// The value.
    pub value: Template,
}

/// How a request says what it has to say.
#[derive(Clone, Debug)]
pub enum ContentSettings {
    /// By its fields.
    Fields(FieldFormat),
    /// By a body of JSON, in which the fields are not.
    Json(Template),
    /// By a body of any kind, in which the fields are not.
    Raw(Template),
}

/// How fields are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldFormat {
    /// A form in the body (RFC 6749 Appendix B).
    #[default]
    Form,
    /// A JSON object in the body.
    Json,
    /// The query of the URL.
    Query,
}

/// What a field holds: JSON with texts of a kind in it. In forms and queries
/// there are no lists and no objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue<T> {
    /// A text.
    Text(T),
    /// A number, a boolean or null.
    Literal(Literal),
    /// Several values.
    List(Vec<Self>),
    /// Named values.
    Object(Vec<(String, Self)>),
}

/// A value of JSON that is written without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// The literal of a value that is neither a text nor made of others.
    pub fn of(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                Some(Self(value.to_string()))
            }
            serde_json::Value::String(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => None,
        }
    }

    /// An integer.
    pub fn number(number: i64) -> Self {
        Self(number.to_string())
    }

    /// As JSON writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> FieldValue<T> {
    /// The same with other texts. `path` is where a text stands below this
    /// value, such as `.credentials[0].name`.
    ///
    /// # Errors
    /// The first of `with`.
    pub fn map<'a, U, E>(
        &'a self,
        path: &str,
        with: &mut impl FnMut(&str, &'a T) -> Result<U, E>,
    ) -> Result<FieldValue<U>, E> {
        Ok(match self {
            Self::Text(text) => FieldValue::Text(with(path, text)?),
            Self::Literal(literal) => FieldValue::Literal(literal.clone()),
            Self::List(values) => {
                let values = values.iter().enumerate();
                let values = values.map(|(at, value)| value.map(&format!("{path}[{at}]"), with));
                FieldValue::List(values.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    Ok((name.clone(), value.map(&format!("{path}.{name}"), with)?))
                });
                FieldValue::Object(members.collect::<Result<_, E>>()?)
            }
        })
    }
}

/// Who asks for a token (RFC 6749 §2).
#[derive(Clone, Debug)]
pub struct Client {
    /// Its identifier.
    pub id: Template,
    /// Its secret, where it is sent, or is a part of what is.
    pub secret: Option<Template>,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// The JWT by which it does so, signed with its key or with its secret.
    pub assertion: Option<Box<JwtSettings>>,
    /// The name of the field with the identifier.
    pub id_field: String,
    /// The name of the field with the secret.
    pub secret_field: String,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// By HTTP Basic, both parts written as in a form (RFC 6749 §2.3.1).
    Basic,
    /// By HTTP Basic, both parts as they are (RFC 7617).
    BasicRaw,
    /// By two fields of the request.
    Body,
    /// By a JWT that is signed with its private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// By a JWT that is signed with its secret (RFC 7523 §2.2).
    ClientSecretJwt,
    /// By its certificate, with its identifier as a field (RFC 8705 §2).
    TlsClientAuth,
    /// Not at all: a public client, whose identifier is a field.
    None,
}

impl ClientAuthentication {
    /// As manifests spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::BasicRaw => "BasicRaw",
            Self::Body => "Body",
            Self::PrivateKeyJwt => "PrivateKeyJwt",
            Self::ClientSecretJwt => "ClientSecretJwt",
            Self::TlsClientAuth => "TlsClientAuth",
            Self::None => "None",
        }
    }

    /// Whether something of the client is a field of the request.
    pub const fn is_in_fields(self) -> bool {
        match self {
            Self::Body
            | Self::PrivateKeyJwt
            | Self::ClientSecretJwt
            | Self::TlsClientAuth
            | Self::None => true,
            Self::Basic | Self::BasicRaw => false,
        }
    }
}

/// Where a token goes on calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlacement {
    /// A header, a query parameter or a cookie.
    pub placement: Placement,
    /// What stands before it.
    pub prefix: String,
}

impl Default for TokenPlacement {
    /// RFC 6750 §2.1.
    fn default() -> Self {
        Self {
            placement: Placement::Header("Authorization".to_owned()),
            prefix: "Bearer ".to_owned(),
        }
    }
}
