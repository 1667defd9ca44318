//! What is asked of a token endpoint.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::jwt::{Block, Usual};
use super::placing::Source;
use super::{Case, SecretObject, Unresolved};
use crate::Secret;
use crate::base_url::Scheme;
use crate::bundle::{ClientCertificate, Route, control};
use crate::collection::{
    Client, ClientAuthentication, ContentSettings, FieldValue, Flow, Method, Placement, TokenMethod,
};
use crate::jwt::SigningKey;
use crate::template::{LateText, LateVariable, Place, Scope, Template};
use crate::token::fields::form_encoded;
use crate::token::fingerprint::Fingerprint;
use crate::token::{Content, Endpoint, Order, Renewal, Signers, Terms, TokenRequest};

/// The templates of the method that may refer to the Secret.
pub(super) fn sources(method: &Method) -> Vec<Source<'_>> {
    let method = match method {
        Method::Token(method) => method,
        Method::SignedJwt(method) => return Block::of_token(method).sources(),
        Method::None
        | Method::ApiKey { .. }
        | Method::Basic { .. }
        | Method::ClientCertificate
        | Method::AwsSigV4(_) => return Vec::new(),
    };
    let source = |member: &str, template| source(method, member, template);
    let request = &method.request;
    let mut sources = match &method.flow {
        Flow::ClientCredentials | Flow::Custom { .. } | Flow::JwtBearer { .. } => vec![],
        Flow::Password { username, password } => {
            vec![source("username", username), source("password", password)]
        }
        Flow::RefreshToken { refresh_token } => vec![source("refreshToken", refresh_token)],
        Flow::TokenExchange { subject_token, .. } => vec![source(SUBJECT_TOKEN, subject_token)],
    };
    for block in [Block::of_method(method), Block::of_client(method)] {
        sources.extend(block.iter().flat_map(Block::sources));
    }
    sources.push(source("token.url", &request.url));
    if let Some(client) = &method.client {
        sources.push(source(CLIENT_ID, &client.id));
        let secret = client.secret.iter();
        sources.extend(secret.map(|secret| source(CLIENT_SECRET, secret)));
    }
    let scopes = request.scopes.iter().enumerate();
    sources.extend(scopes.map(|(at, scope)| source(&format!("token.scopes[{at}]"), scope)));
    let audience = request.audience.iter();
    sources.extend(audience.map(|audience| source(AUDIENCE, audience)));
    for (name, value) in &request.params {
        let mut add = |path: &str, template| {
            sources.push(source(&format!("token.params.{name}{path}"), template));
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(_) = value.map("", &mut add);
    }
    for (at, header) in request.headers.iter().enumerate() {
        sources.push(source(&format!("token.headers[{at}].value"), &header.value));
    }
    match &request.content {
        ContentSettings::Fields(_) => {}
        ContentSettings::Json(body) | ContentSettings::Raw(body) => {
            sources.push(source(BODY, body));
        }
    }
    sources
}

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SUBJECT_TOKEN: &str = "subjectToken";
const CLIENT_ID: &str = "token.client.id";
const CLIENT_SECRET: &str = "token.client.secret";
const AUDIENCE: &str = "token.audience";
const BODY: &str = "token.body";

fn source<'a>(method: &TokenMethod, member: &str, template: &'a Template) -> Source<'a> {
    Source {
        field: format!("spec.auth.{}.{member}", method.flow.as_str()),
        template,
    }
}

/// A field of a request.
type Field = (String, FieldValue<LateText>);

/// What the requests of one method have in common.
struct Asking<'c, 's> {
    case: &'c Case<'c>,
    method: &'c TokenMethod,
    scope: Scope<'s>,
}

impl Case<'_> {
    /// How a token is obtained for the route, if it needs one.
    pub(super) fn order(
        &self,
        secret: Option<&SecretObject>,
        route: &Route,
    ) -> Result<Option<Order>, Unresolved> {
        let scope = self.scope(secret, Some(&route.base_url));
        let method = match &self.collection.method {
            Method::Token(method) => method,
            Method::SignedJwt(signed) => return self.signed_jwt(signed, scope, route).map(Some),
            Method::None
            | Method::ApiKey { .. }
            | Method::Basic { .. }
            | Method::ClientCertificate
            | Method::AwsSigV4(_) => return Ok(None),
        };
        let block = Block::of_method(method);
        let key = block.map(|block| self.signing_key_of(&block, scope));
        let key = key.transpose()?;
        let fingerprint = key.as_ref().and_then(SigningKey::fingerprint);
        let asking = Asking {
            case: self,
            method,
            scope: Scope {
                key_fingerprint: fingerprint.as_deref(),
                ..scope
            },
        };
        asking.order(route, key).map(Some)
    }
}

impl<'c> Asking<'c, '_> {
    fn order(&self, route: &Route, key: Option<SigningKey>) -> Result<Order, Unresolved> {
        let settings = self.case.selected.settings;
        let client = self.client()?;
        let url = self.url()?;
        let signers = self.signers(key, client.as_ref(), &url)?;
        let headers = self.headers(client.as_ref())?;
        let granted = self.granted()?;
        let request = TokenRequest {
            url: url.clone(),
            method: self.method.request.method,
            content: self.content(granted.fields, client.as_ref())?,
            headers,
        };
        let refresh = match (&self.method.flow, &request.content) {
            (Flow::RefreshToken { .. }, _) => Some(request.clone()),
            // What a body says instead of its fields, nobody knows.
            (Flow::Password { .. }, Content::Fields(format, _)) => Some(TokenRequest {
                content: Content::Fields(*format, self.refresh_fields(client.as_ref())?),
                ..request.clone()
            }),
            (
                Flow::Password { .. }
                | Flow::ClientCredentials
                | Flow::Custom { .. }
                | Flow::TokenExchange { .. }
                | Flow::JwtBearer { .. },
                _,
            ) => None,
        };
        let (renewal, seed) = match &self.method.flow {
            Flow::RefreshToken { .. } => (Renewal::ByRefreshToken, granted.by.clone()),
            Flow::Password { .. }
            | Flow::ClientCredentials
            | Flow::Custom { .. }
            | Flow::TokenExchange { .. }
            | Flow::JwtBearer { .. } => (Renewal::Anew, None),
        };
        let granted_by = granted.by.as_ref().map(Secret::expose).unwrap_or_default();
        let mut lineage = Fingerprint::new();
        lineage.text(self.method.flow.as_str());
        lineage.text(&url.sample());
        let id = client.as_ref().map(|client| client.id.expose());
        lineage.text(id.unwrap_or_default());
        lineage.text(granted_by);
        let mut order = Fingerprint::new();
        order.text(self.method.flow.as_str());
        order.text(granted_by);
        request.add_to(&mut order);
        signers.add_to(&mut order);
        order.shape(&self.method.response);
        order.hosts(&self.method.base_url_allow);
        let client_certificate = self.client_certificate(route)?;
        if let Some(shown) = &client_certificate {
            // A token can be bound to it (RFC 8705 §3).
            order.text(&shown.chain);
        }
        let scopes = self.scopes()?;
        let scopes = scopes.iter().map(|scope| scope.expose().to_owned());
        Ok(Order {
            terms: Terms {
                order: order.finish(),
                lineage: lineage.finish(),
                shape: self.method.response.clone(),
                lifetime: self.method.lifetime.clone(),
                renewal,
                seed,
                refreshes: refresh.is_some(),
                scopes: scopes.collect(),
                base_url: Some(route.base_url.clone()),
                base_url_allow: self.method.base_url_allow.clone(),
            },
            request: Some(request),
            refresh,
            signers,
            trust: route.trust.clone(),
            client_certificate,
            allow_private_networks: settings.allow_private_networks,
            allow_insecure_http: settings.allow_insecure_http,
        })
    }

    fn signers(
        &self,
        key: Option<SigningKey>,
        client: Option<&Known<'_>>,
        url: &LateText,
    ) -> Result<Signers, Unresolved> {
        let jwt = Block::of_method(self.method).zip(key).map(|(block, key)| {
            let usual = Usual {
                audience: Some(url.clone()),
                ..Usual::default()
            };
            self.case.signer(&block, key, self.scope, usual, false)
        });
        let assertion = Block::of_client(self.method).zip(client);
        let assertion = assertion.map(|(block, client)| {
            let key = self.case.signing_key_of(&block, self.scope)?;
            let fingerprint = key.fingerprint();
            let scope = Scope {
                key_fingerprint: fingerprint.as_deref(),
                ..self.scope
            };
            // RFC 7523 §3.
            let usual = Usual {
                issuer: Some(LateText::known(&client.id)),
                subject: Some(LateText::known(&client.id)),
                audience: Some(url.clone()),
            };
            self.case.signer(&block, key, scope, usual, true)
        });
        Ok(Signers {
            jwt: jwt.transpose()?,
            client_assertion: assertion.transpose()?,
        })
    }

    fn client_certificate(
        &self,
        route: &Route,
    ) -> Result<Option<Arc<ClientCertificate>>, Unresolved> {
        match (self.method.mtls, &route.client_certificate) {
            (false, _) => Ok(None),
            (true, Some(certificate)) => Ok(Some(Arc::clone(certificate))),
            (true, None) => {
                let by_certificate =
                    |client: &Client| client.authentication == ClientAuthentication::TlsClientAuth;
                let member = match &self.method.client {
                    Some(client) if by_certificate(client) => "client.authentication",
                    Some(_) | None => "mtls",
                };
                let flow = self.method.flow.as_str();
                let field = format!("spec.auth.{flow}.token.{member}");
                Err(self.case.no_tls_secret_ref(&field))
            }
        }
    }

    fn source(&self, member: &str, template: &'c Template) -> Source<'c> {
        source(self.method, member, template)
    }

    fn fixed(&self, member: &str, template: &'c Template) -> Result<Secret, Unresolved> {
        let source = self.source(member, template);
        self.case.render_fixed(&source, self.scope)
    }

    fn late(&self, source: &Source<'_>, place: Place) -> Result<LateText, Unresolved> {
        self.case.late(source, place, self.scope)
    }

    fn url(&self) -> Result<LateText, Unresolved> {
        let source = self.source("token.url", &self.method.request.url);
        let url = self.late(&source, Place::URL)?;
        let endpoint = Endpoint::parse(&url.sample())
            .map_err(|error| super::message::token_url(&source, error))?;
        match endpoint.scheme() {
            Scheme::Http if self.method.mtls => Err(super::message::token_url_without_tls(&source)),
            Scheme::Http if !self.case.selected.settings.allow_insecure_http => {
                Err(self.case.insecure_token_url(&source))
            }
            Scheme::Http | Scheme::Https => Ok(url),
        }
    }

    /// What is exchanged for the token.
    fn granted(&self) -> Result<Granted, Unresolved> {
        Ok(match &self.method.flow {
            Flow::ClientCredentials | Flow::Custom { .. } => Granted {
                by: None,
                fields: vec![],
            },
            // RFC 8693 §2.1.
            Flow::TokenExchange {
                subject_token,
                subject_token_type,
            } => {
                let subject_token = self.fixed(SUBJECT_TOKEN, subject_token)?;
                let kind = Secret::new(subject_token_type);
                Granted {
                    fields: vec![
                        known("subject_token", &subject_token),
                        known("subject_token_type", &kind),
                    ],
                    by: Some(subject_token),
                }
            }
            Flow::JwtBearer { .. } => Granted {
                by: None,
                fields: vec![late_field("assertion", LateVariable::Jwt)],
            },
            Flow::Password { username, password } => {
                let username = self.fixed("username", username)?;
                let password = self.fixed("password", password)?;
                Granted {
                    fields: vec![known("username", &username), known("password", &password)],
                    by: Some(username),
                }
            }
            Flow::RefreshToken { refresh_token } => Granted {
                by: Some(self.fixed("refreshToken", refresh_token)?),
                fields: vec![refresh_token_field()],
            },
        })
    }

    fn client(&self) -> Result<Option<Known<'c>>, Unresolved> {
        let Some(client) = &self.method.client else {
            return Ok(None);
        };
        let secret = client.secret.as_ref();
        Ok(Some(Known {
            client,
            id: self.fixed(CLIENT_ID, &client.id)?,
            secret: secret
                .map(|secret| self.fixed(CLIENT_SECRET, secret))
                .transpose()?,
        }))
    }

    fn headers(&self, client: Option<&Known<'_>>) -> Result<Vec<(String, LateText)>, Unresolved> {
        let mut headers = Vec::with_capacity(self.method.request.headers.len() + 1);
        for (at, header) in self.method.request.headers.iter().enumerate() {
            let source = self.source(&format!("token.headers[{at}].value"), &header.value);
            let value = self.late(&source, Place::Plain)?;
            self.one_line(&source, &value.sample())?;
            headers.push((header.name.clone(), value));
        }
        if let Some(authorization) = self.authorization(client)? {
            headers.push(("Authorization".to_owned(), LateText::known(&authorization)));
        }
        Ok(headers)
    }

    fn one_line(&self, source: &Source<'_>, value: &str) -> Result<(), Unresolved> {
        let header = Placement::Header(String::new());
        control(value).map_or(Ok(()), |found| {
            Err(self.case.bad_character(source, &header, found))
        })
    }

    /// RFC 6749 §2.3.1, and what many take for it.
    fn authorization(&self, client: Option<&Known<'_>>) -> Result<Option<Secret>, Unresolved> {
        let Some(known) = client else {
            return Ok(None);
        };
        let secret = known
            .secret
            .as_ref()
            .map(Secret::expose)
            .unwrap_or_default();
        let (id, secret) = match known.client.authentication {
            ClientAuthentication::Body
            | ClientAuthentication::PrivateKeyJwt
            | ClientAuthentication::ClientSecretJwt
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => return Ok(None),
            ClientAuthentication::Basic => (form_encoded(known.id.expose()), form_encoded(secret)),
            ClientAuthentication::BasicRaw => {
                let source = source(self.method, CLIENT_ID, &known.client.id);
                if known.id.expose().contains(':') {
                    return Err(self.case.colon_in_client_id(&source));
                }
                let owned = |text: &str| Zeroizing::new(text.to_owned());
                (owned(known.id.expose()), owned(secret))
            }
        };
        let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Ok(Some(Secret::new(format!("Basic {}", *encoded))))
    }

    fn content(
        &self,
        of_flow: Vec<Field>,
        client: Option<&Known<'_>>,
    ) -> Result<Content, Unresolved> {
        let request = &self.method.request;
        let format = match &request.content {
            ContentSettings::Fields(format) => *format,
            ContentSettings::Json(body) => {
                let body = self.late(&self.source(BODY, body), Place::JSON)?;
                return Ok(Content::Json(body));
            }
            ContentSettings::Raw(body) => {
                let body = self.late(&self.source(BODY, body), Place::Plain)?;
                return Ok(Content::Raw(body));
            }
        };
        let mut fields = Vec::new();
        let grant_type = request.grant_type.iter().map(Secret::new);
        fields.extend(grant_type.map(|grant_type| known("grant_type", &grant_type)));
        fields.extend(of_flow);
        fields.extend(client.into_iter().flat_map(Known::fields));
        let scopes = self.scopes()?;
        if !scopes.is_empty() {
            let scopes: Vec<&str> = scopes.iter().map(Secret::expose).collect();
            let scope = Secret::new(scopes.join(&request.scope_separator));
            fields.push(known("scope", &scope));
        }
        fields.extend(self.shared()?);
        Ok(Content::Fields(format, fields))
    }

    fn scopes(&self) -> Result<Vec<Secret>, Unresolved> {
        let scopes = self.method.request.scopes.iter().enumerate();
        scopes
            .map(|(at, scope)| self.fixed(&format!("token.scopes[{at}]"), scope))
            .collect()
    }

    /// RFC 6749 §6. Whoever asked for scopes gets the same again.
    fn refresh_fields(&self, client: Option<&Known<'_>>) -> Result<Vec<Field>, Unresolved> {
        let mut fields = vec![
            known("grant_type", &Secret::new("refresh_token")),
            refresh_token_field(),
        ];
        fields.extend(client.into_iter().flat_map(Known::fields));
        fields.extend(self.shared()?);
        Ok(fields)
    }

    /// What every request of the method says.
    fn shared(&self) -> Result<Vec<Field>, Unresolved> {
        let request = &self.method.request;
        let mut fields = Vec::new();
        if let Some(audience) = &request.audience {
            let audience = self.late(&self.source(AUDIENCE, audience), Place::Plain)?;
            fields.push(("audience".to_owned(), FieldValue::Text(audience)));
        }
        for (name, value) in &request.params {
            let value = value.map("", &mut |path, template| {
                let source = self.source(&format!("token.params.{name}{path}"), template);
                self.late(&source, Place::Plain)
            })?;
            fields.push((name.clone(), value));
        }
        Ok(fields)
    }
}

/// What is exchanged for a token.
struct Granted {
    /// Who or what gives it, as far as one can be told from another.
    by: Option<Secret>,
    fields: Vec<Field>,
}

/// A client of which all is known.
struct Known<'a> {
    client: &'a Client,
    id: Secret,
    secret: Option<Secret>,
}

impl Known<'_> {
    /// What of it the fields of a request say.
    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if self.client.authentication.is_in_fields() {
            fields.push(known(&self.client.id_field, &self.id));
        }
        match self.client.authentication {
            ClientAuthentication::Body => {
                let secret = self.secret.iter();
                fields.extend(secret.map(|secret| known(&self.client.secret_field, secret)));
            }
            // RFC 7521 §4.2.
            ClientAuthentication::PrivateKeyJwt | ClientAuthentication::ClientSecretJwt => {
                fields.extend([
                    known("client_assertion_type", &Secret::new(JWT_BEARER)),
                    late_field("client_assertion", LateVariable::ClientAssertion),
                ]);
            }
            ClientAuthentication::Basic
            | ClientAuthentication::BasicRaw
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => {}
        }
        fields
    }
}

fn known(name: &str, value: &Secret) -> Field {
    (name.to_owned(), FieldValue::Text(LateText::known(value)))
}

fn refresh_token_field() -> Field {
    late_field("refresh_token", LateVariable::RefreshToken)
}

fn late_field(name: &str, variable: LateVariable) -> Field {
    (name.to_owned(), FieldValue::Text(LateText::of(variable)))
}
