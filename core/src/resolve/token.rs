//! What is asked of a token endpoint.

mod granted;
mod known;
mod request;

use std::sync::Arc;

use super::jwt::{Block, Usual};
use super::placing::Source;
use super::{Case, SecretObject, Unresolved};
use crate::Secret;
use crate::bundle::{ClientCertificate, Route};
use crate::collection::{
    Client, ClientAuthentication, ContentSettings, FieldValue, Flow, Method, Subject, TokenMethod,
};
use crate::jwt::SigningKey;
use crate::template::{LateText, LateVariable, Place, Scope, Template};
use crate::token::fingerprint::Fingerprint;
use crate::token::{Content, Order, Renewal, Signers, Terms, TokenRequest, TokenStep};

use known::Known;
use request::Described;

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
    let mut sources = match &method.flow {
        Flow::ClientCredentials | Flow::Custom { .. } | Flow::JwtBearer { .. } => vec![],
        Flow::Password { username, password } => {
            vec![source("username", username), source("password", password)]
        }
        Flow::RefreshToken { refresh_token } => vec![source("refreshToken", refresh_token)],
        Flow::TokenExchange { subject, .. } => match subject {
            Subject::Held(token) => vec![source(SUBJECT_TOKEN, token)],
            Subject::ServiceAccount(_) => vec![],
        },
    };
    for block in [Block::of_method(method), Block::of_client(method)] {
        sources.extend(block.iter().flat_map(Block::sources));
    }
    if let Some(client) = &method.client {
        sources.push(source(CLIENT_ID, &client.id));
        let secret = client.secret.iter();
        sources.extend(secret.map(|secret| source(CLIENT_SECRET, secret)));
    }
    for described in described(method) {
        described.templates(|at, template| sources.push(source(&at, template)));
    }
    sources
}

const SUBJECT_TOKEN: &str = "subjectToken";
const CLIENT_ID: &str = "token.client.id";
const CLIENT_SECRET: &str = "token.client.secret";

/// All requests of a method: first the steps, last the one for a token, and
/// that by refresh token.
fn described(method: &TokenMethod) -> impl Iterator<Item = Described<'_>> {
    let steps = method.steps.iter().enumerate();
    let steps = steps.map(|(at, step)| Described {
        at: format!("token.steps[{at}]"),
        settings: &step.request,
    });
    let refresh = method.refresh.iter().map(|refresh| Described {
        at: "token.refresh".to_owned(),
        settings: &refresh.request,
    });
    steps.chain([the_request(method)]).chain(refresh)
}

fn the_request(method: &TokenMethod) -> Described<'_> {
    Described {
        at: "token".to_owned(),
        settings: &method.request,
    }
}

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
        let granted = self.granted()?;
        let unproved = self.requests(
            granted.unproved(),
            client.as_ref().map(Known::unproved).as_ref(),
        )?;
        let requests = self.requests(granted.fields, client.as_ref())?;
        let signers = self.signers(key, client.as_ref(), &requests.request.url)?;
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
        for request in requests.for_tokens() {
            lineage.text(&request.url.sample());
            lineage.hosts(&request.url_allow);
        }
        let id = client.as_ref().map(|client| client.id.expose());
        lineage.text(id.unwrap_or_default());
        lineage.text(granted_by);
        if let Some(account) = &granted.account {
            account.add_subject_to(&mut lineage);
        }
        let refresh_shape = self.method.refresh.as_ref();
        let refresh_shape = refresh_shape.and_then(|refresh| refresh.response.clone());
        let client_certificate = self.client_certificate(route)?;
        let printed = |requests: &Requests| {
            let mut print = Fingerprint::new();
            print.text(self.method.flow.as_str());
            print.text(granted_by);
            requests.add_to(&mut print);
            for shape in std::iter::once(&self.method.response).chain(&refresh_shape) {
                print.shape(shape);
            }
            print.hosts(&self.method.base_url_allow);
            if let Some(shown) = &client_certificate {
                // A token can be bound to it (RFC 8705 §3).
                print.text(&shown.chain);
            }
            print
        };
        let mut order = printed(&requests);
        signers.add_to(&mut order);
        let mut identity = printed(&unproved);
        signers.add_claims_to(&mut identity);
        if let Some(account) = &granted.account {
            account.add_to(&mut order);
            account.add_subject_to(&mut identity);
        }
        identity.text(&route.base_url.to_string());
        let scopes = self.scopes(&the_request(self.method))?;
        let scopes = scopes.iter().map(|scope| scope.expose().to_owned());
        Ok(Order {
            method: self.method.flow.as_str(),
            terms: Terms {
                order: order.finish(),
                identity: identity.finish(),
                lineage: lineage.finish(),
                shape: self.method.response.clone(),
                refresh_shape,
                lifetime: self.method.lifetime.clone(),
                renewal,
                seed,
                refreshes: requests.refresh.is_some(),
                scopes: scopes.collect(),
                base_url: Some(route.base_url.clone()),
                base_url_allow: self.method.base_url_allow.clone(),
            },
            steps: requests.steps,
            request: Some(requests.request),
            refresh: requests.refresh,
            signers,
            subject: granted.account,
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

    fn requests(
        &self,
        of_grant: Vec<Field>,
        client: Option<&Known<'_>>,
    ) -> Result<Requests, Unresolved> {
        let request = self.request(&the_request(self.method), of_grant, client)?;
        Ok(Requests {
            steps: self.steps()?,
            refresh: self.refresh(&request, client)?,
            request,
        })
    }

    fn steps(&self) -> Result<Vec<TokenStep>, Unresolved> {
        let described = described(self.method);
        let steps = self.method.steps.iter().zip(described);
        steps
            .map(|(step, described)| {
                Ok(TokenStep {
                    name: step.name.clone(),
                    request: self.request(&described, vec![], None)?,
                    capture: step.capture.clone(),
                    success: step.success.clone(),
                })
            })
            .collect()
    }

    /// The request with a refresh token, where one is used.
    fn refresh(
        &self,
        request: &TokenRequest,
        client: Option<&Known<'_>>,
    ) -> Result<Option<TokenRequest>, Unresolved> {
        if let Some(refresh) = &self.method.refresh {
            let described = Described {
                at: "token.refresh".to_owned(),
                settings: &refresh.request,
            };
            return match (&self.method.flow, &refresh.request.content) {
                // Nothing is added to what it says.
                (Flow::Custom { .. }, _)
                | (_, ContentSettings::Json(_) | ContentSettings::Raw(_)) => {
                    self.request(&described, vec![], client).map(Some)
                }
                (_, ContentSettings::Fields(format)) => {
                    self.refresh_request(&described, *format, client).map(Some)
                }
            };
        }
        match (&self.method.flow, &request.content) {
            (Flow::RefreshToken { .. }, _) => Ok(Some(request.clone())),
            // What a body says instead of its fields, nobody knows.
            (Flow::Password { .. }, Content::Fields(format, _)) => self
                .refresh_request(&the_request(self.method), *format, client)
                .map(Some),
            (
                Flow::Password { .. }
                | Flow::ClientCredentials
                | Flow::Custom { .. }
                | Flow::TokenExchange { .. }
                | Flow::JwtBearer { .. },
                _,
            ) => Ok(None),
        }
    }
}

/// All that a method asks.
struct Requests {
    steps: Vec<TokenStep>,
    request: TokenRequest,
    refresh: Option<TokenRequest>,
}

impl Requests {
    fn for_tokens(&self) -> impl Iterator<Item = &TokenRequest> {
        std::iter::once(&self.request).chain(&self.refresh)
    }

    fn add_to(&self, print: &mut Fingerprint) {
        print.count(self.steps.len());
        self.steps.iter().for_each(|step| step.add_to(print));
        self.for_tokens().for_each(|request| request.add_to(print));
    }
}

fn known(name: &str, value: &Secret) -> Field {
    (name.to_owned(), FieldValue::Text(LateText::known(value)))
}

fn late_field(name: &str, variable: LateVariable) -> Field {
    (name.to_owned(), FieldValue::Text(LateText::of(variable)))
}
