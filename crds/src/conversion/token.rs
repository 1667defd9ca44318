//! Methods that obtain a token.

mod client;
mod content;
mod exchange;
mod response;
mod steps;
mod uses;

use credence_core::collection::{
    Client, ClientAuthentication, Flow, JwtSettings, Method, Placement, RequestHeader,
    RequestMethod, RequestSettings, TokenMethod, TokenPlacement,
};
use credence_core::header_name;
use credence_core::jwt::algorithm::KeyKind;
use credence_core::template::{CallVariable, LateVariable, Template};
use credence_core::token::{Endpoint, HostPattern};

use super::Reader;
use super::jwt::JwtBlock;
use crate::auth::Auth;
use crate::jwt::Jwt;
use crate::token::{self, HttpMethod, Token, TokenHeader, TokenPlace, TokenStep};

/// A token method that is being read.
struct Subject<'a> {
    flow: &'a Flow,
    part: Part,
    token: &'a Token,
    /// The steps that are done before.
    steps: &'a [TokenStep],
}

/// Which of its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Token,
    Step(usize),
    Refresh,
}

impl Subject<'_> {
    /// The path of something of the request.
    fn field(&self, member: &str) -> String {
        let part = match self.part {
            Part::Token => String::new(),
            Part::Step(at) => format!(".steps[{at}]"),
            Part::Refresh => ".refresh".to_owned(),
        };
        format!("spec.auth.{}.token{part}.{member}", self.flow.as_str())
    }

    const fn is_custom(&self) -> bool {
        matches!(self.flow, Flow::Custom { .. })
    }
}

impl Reader {
    /// The method of `auth` that obtains a token, if it is one.
    pub(super) fn token_method(
        &mut self,
        auth: &Auth,
        base_url_allow: &[String],
    ) -> Option<Option<Method>> {
        let (flow, token) = if let Some(method) = &auth.oauth2_client_credentials {
            (Some(Flow::ClientCredentials), &method.token)
        } else if let Some(method) = &auth.oauth2_password {
            let of = "spec.auth.oauth2Password";
            let username = self.fixed(&format!("{of}.username"), &method.username);
            let field = format!("{of}.password");
            let password = self.of_secret(&field, "password", &method.password);
            let flow = username
                .zip(password)
                .map(|(username, password)| Flow::Password { username, password });
            (flow, &method.token)
        } else if let Some(method) = &auth.oauth2_refresh_token {
            let field = "spec.auth.oauth2RefreshToken.refreshToken";
            let first = self.of_secret(field, "refresh-token", &method.refresh_token);
            let flow = first.map(|refresh_token| Flow::RefreshToken { refresh_token });
            (flow, &method.token)
        } else if let Some(method) = &auth.token_exchange {
            (self.exchange(method), &method.token)
        } else if let Some(method) = &auth.jwt_bearer {
            let jwt = self.jwt_of(&method.token, "jwtBearer", &method.jwt);
            let flow = jwt.map(|jwt| Flow::JwtBearer { jwt: Box::new(jwt) });
            (flow, &method.token)
        } else {
            let method = auth.oauth2_custom_token.as_ref()?;
            let jwt = match &method.jwt {
                Some(jwt) => self
                    .jwt_of(&method.token, "oauth2CustomToken", jwt)
                    .map(Some),
                None => Some(None),
            };
            (
                jwt.map(|jwt| Flow::Custom {
                    jwt: jwt.map(Box::new),
                }),
                &method.token,
            )
        };
        Some(flow.and_then(|flow| {
            let method = self.token(&flow, token, base_url_allow)?;
            Some(Method::Token(Box::new(method)))
        }))
    }

    fn token(
        &mut self,
        flow: &Flow,
        token: &Token,
        base_url_allow: &[String],
    ) -> Option<TokenMethod> {
        let subject = Subject {
            flow,
            part: Part::Token,
            token,
            steps: &token.steps,
        };
        let client = self.client(&subject);
        let by_certificate = client
            .as_ref()
            .is_some_and(|client| client.authentication == ClientAuthentication::TlsClientAuth);
        let steps = self.steps(&subject);
        let request = self.request(&subject, client.as_ref());
        let refresh = token.refresh.as_ref();
        let refresh = refresh.map(|refresh| self.refresh(&subject, refresh, client.as_ref()));
        let response = self.response(&subject);
        let base_url_allow = self.base_url_allow(&subject, base_url_allow);
        let placement = self.placed(&subject.field("placement"), token.placement.as_ref());
        let lifetime = self.lifetime(&subject);
        Some(TokenMethod {
            flow: flow.clone(),
            steps: steps?,
            request: request?,
            refresh: match refresh {
                Some(refresh) => Some(refresh?),
                None => None,
            },
            client,
            response,
            base_url_allow,
            placement: placement?,
            lifetime,
            mtls: token.mtls || by_certificate,
        })
    }

    /// What a request says.
    fn request(
        &mut self,
        subject: &Subject<'_>,
        client: Option<&Client>,
    ) -> Option<RequestSettings> {
        let token = subject.token;
        let url = self.token_url(subject);
        let url_allow = self.url_allow(subject, url.as_ref());
        let headers = token.headers.iter().enumerate();
        let headers = headers
            .filter_map(|(at, header)| self.token_header(subject, at, header))
            .collect::<Vec<_>>();
        self.distinct_headers(subject, &headers, client);
        let scopes = self.scopes(subject);
        let audience = token.audience.as_deref();
        let audience =
            audience.and_then(|text| self.requested(subject, &subject.field("audience"), text));
        let params = self.params(subject, client);
        let content = self.content(subject);
        let given = token.grant_type.as_deref();
        let given = given.or_else(|| subject.flow.grant_type());
        Some(RequestSettings {
            url: url?,
            url_allow,
            method: match token.method {
                HttpMethod::Get => RequestMethod::Get,
                HttpMethod::Post => RequestMethod::Post,
                HttpMethod::Put => RequestMethod::Put,
            },
            headers,
            grant_type: given.filter(|text| !text.is_empty()).map(str::to_owned),
            scopes,
            scope_separator: token.scope_separator.clone(),
            audience,
            params,
            content: content?,
        })
    }

    fn token_url(&mut self, subject: &Subject<'_>) -> Option<Template> {
        let field = subject.field("url");
        let url = self.requested(subject, &field, &subject.token.url)?;
        if let Some(literal) = url.as_literal() {
            self.keep(&field, Endpoint::parse(&literal));
        }
        Some(url)
    }

    /// Where a URL may lead that an earlier answer begins.
    fn url_allow(&mut self, subject: &Subject<'_>, url: Option<&Template>) -> Vec<HostPattern> {
        let field = subject.field("urlAllow");
        let allowed = &subject.token.url_allow;
        match (url.map(Template::is_host_from_step), allowed.is_empty()) {
            (Some(true), true) => self.problem(
                &field,
                "is required where url begins with ${step.NAME.FIELD}: write the hosts that it may lead to, such as *.example.com",
            ),
            (Some(false), false) => self.problem(
                &field,
                "is used only where url begins with ${step.NAME.FIELD}: remove it",
            ),
            (Some(true), false) | (Some(false), true) | (None, _) => {}
        }
        self.host_patterns(&field, allowed)
    }

    fn host_patterns(&mut self, field: &str, texts: &[String]) -> Vec<HostPattern> {
        let texts = texts.iter().enumerate();
        texts
            .filter_map(|(at, text)| self.keep(&format!("{field}[{at}]"), text.parse()))
            .collect()
    }

    fn token_header(
        &mut self,
        subject: &Subject<'_>,
        at: usize,
        header: &TokenHeader,
    ) -> Option<RequestHeader> {
        self.keep(
            &subject.field(&format!("headers[{at}].name")),
            header_name::check(&header.name),
        );
        let field = subject.field(&format!("headers[{at}].value"));
        if header.value.chars().any(char::is_control) {
            self.problem(field, "must be one line, without control characters");
            return None;
        }
        Some(RequestHeader {
            name: header.name.clone(),
            value: self.aliased(subject, &field, &header.value)?,
        })
    }

    fn distinct_headers(
        &mut self,
        subject: &Subject<'_>,
        headers: &[RequestHeader],
        client: Option<&Client>,
    ) {
        for (at, header) in headers.iter().enumerate() {
            let same = |other: &RequestHeader| other.name.eq_ignore_ascii_case(&header.name);
            let field = subject.field(&format!("headers[{at}].name"));
            let name = &header.name;
            if headers.iter().take(at).any(same) {
                self.problem(
                    field,
                    format!("\"{name}\" is there already: keep one of them"),
                );
            } else if name.eq_ignore_ascii_case("Authorization")
                && client.is_some_and(|client| !client.authentication.is_in_fields())
            {
                self.problem(
                    field,
                    "must not be Authorization beside client.authentication: Basic, which sets it: remove one of the two",
                );
            }
        }
    }

    fn scopes(&mut self, subject: &Subject<'_>) -> Vec<Template> {
        let scopes = subject.token.scopes.iter().enumerate();
        scopes
            .filter_map(|(at, text)| {
                let field = subject.field(&format!("scopes[{at}]"));
                let scope = self.fixed(&field, text)?;
                if scope.refers_to_secret() {
                    self.problem(field, "must not refer to a Secret: write ${values.NAME}");
                }
                Some(scope)
            })
            .collect()
    }

    fn base_url_allow(&mut self, subject: &Subject<'_>, allowed: &[String]) -> Vec<HostPattern> {
        let field = subject.field("response.baseUrlPath");
        let response = subject.token.response.as_ref();
        let has_path = response.is_some_and(|response| response.base_url_path.is_some());
        match (has_path, allowed.is_empty()) {
            (true, true) => self.problem(
                field,
                "needs spec.baseUrlAllow: write the hosts that the answer may lead to, such as *.example.com",
            ),
            (false, false) => self.problem(
                "spec.baseUrlAllow",
                format!("is used only with {field}: add that or remove this"),
            ),
            (true, false) | (false, true) => {}
        }
        self.host_patterns("spec.baseUrlAllow", allowed)
    }

    pub(super) fn placed(
        &mut self,
        at: &str,
        placement: Option<&token::TokenPlacement>,
    ) -> Option<Option<TokenPlacement>> {
        let Some(placement) = placement else {
            return Some(Some(TokenPlacement::default()));
        };
        let field = format!("{at}.name");
        let name = placement.name.clone();
        let place = match (placement.place, name) {
            (TokenPlace::None, None) if placement.prefix.is_none() => return Some(None),
            (TokenPlace::None, _) => {
                self.problem(
                    at,
                    "takes neither name nor prefix for None: remove them, and write ${token} into spec.headers or spec.query",
                );
                return None;
            }
            (TokenPlace::Header, name) => {
                Placement::Header(name.unwrap_or_else(|| "Authorization".to_owned()))
            }
            (_, None) => {
                self.problem(
                    field,
                    "is required: write the name of the query parameter or cookie",
                );
                return None;
            }
            (TokenPlace::Query, Some(name)) => Placement::Query(name),
            (TokenPlace::Cookie, Some(name)) => Placement::Cookie(name),
        };
        self.name(&field, &place);
        let authorization = Placement::Header("Authorization".to_owned());
        let prefix = placement.prefix.clone().unwrap_or_else(|| {
            let usual = TokenPlacement::default().prefix;
            if place.is_same(&authorization) {
                usual
            } else {
                String::new()
            }
        });
        if prefix.chars().any(char::is_control) {
            self.problem(
                format!("{at}.prefix"),
                "must be one line, without control characters",
            );
        }
        Some(Some(TokenPlacement {
            placement: place,
            prefix,
        }))
    }

    /// A template of a request for a token, on one line.
    fn requested(&mut self, subject: &Subject<'_>, field: &str, text: &str) -> Option<Template> {
        let template = self.line(field, text)?;
        self.in_request(subject, field, &template);
        Some(template)
    }

    /// Likewise, with aliases where the method has them.
    fn aliased(&mut self, subject: &Subject<'_>, field: &str, text: &str) -> Option<Template> {
        let parsed = match subject.is_custom() {
            true => Template::parse_with_aliases(text),
            false => Template::parse(text),
        };
        let template = self.keep(field, parsed)?;
        self.in_request(subject, field, &template);
        Some(template)
    }

    /// What the requests of a method may refer to.
    fn in_request(&mut self, subject: &Subject<'_>, field: &str, template: &Template) {
        self.without_token(field, template);
        for variable in template.references().late {
            self.earlier(subject, field, variable);
        }
        match subject.flow.jwt() {
            None => self.without_jwt(field, template),
            Some(jwt) if jwt.algorithm.key_kind() == KeyKind::Shared => {
                if template.references().key_fingerprint {
                    self.problem(
                        field,
                        "must not refer to ${jwt.keyFingerprint}: a shared key has no public half",
                    );
                }
            }
            Some(_) => {}
        }
    }

    /// The block of a JWT that is signed for each request.
    fn jwt_of(&mut self, token: &Token, method: &str, jwt: &Jwt) -> Option<JwtSettings> {
        self.jwt(&JwtBlock {
            audience_needed: needed_beside(&token.url),
            ..JwtBlock::new(format!("spec.auth.{method}.jwt"), jwt)
        })
    }

    pub(super) fn without_token(&mut self, field: &str, template: &Template) {
        let of_token = |variable: &&&LateVariable| {
            matches!(variable, LateVariable::Call(CallVariable::Token(_)))
        };
        if let Some(variable) = template.references().late.iter().find(of_token) {
            self.problem(
                field,
                format!("must not refer to ${{{variable}}}, which is what the request asks for"),
            );
        }
    }

    /// A template that must take its value from the Secret.
    pub(super) fn of_secret(&mut self, field: &str, key: &str, text: &str) -> Option<Template> {
        let template = self.fixed(field, text)?;
        if !template.refers_to_secret() {
            self.problem(
                field,
                format!("must come from the Secret, such as \"${{secret.{key}}}\""),
            );
        }
        Some(template)
    }
}

/// A URL that refers to the JWT cannot also be what that says.
fn needed_beside(url: &str) -> Option<&'static str> {
    let url = Template::parse(url).ok()?;
    let refers = url.references().refers_to_jwt();
    refers.then_some("is required where token.url refers to ${jwt}: write whom the JWT is for")
}

impl From<token::ClientAuthentication> for ClientAuthentication {
    fn from(authentication: token::ClientAuthentication) -> Self {
        match authentication {
            token::ClientAuthentication::Basic => Self::Basic,
            token::ClientAuthentication::BasicRaw => Self::BasicRaw,
            token::ClientAuthentication::Body => Self::Body,
            token::ClientAuthentication::PrivateKeyJwt => Self::PrivateKeyJwt,
            token::ClientAuthentication::ClientSecretJwt => Self::ClientSecretJwt,
            token::ClientAuthentication::TlsClientAuth => Self::TlsClientAuth,
            token::ClientAuthentication::None => Self::None,
        }
    }
}
