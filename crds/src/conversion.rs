//! From an object to a collection.

mod auth;
mod fields;
mod jwt;
mod refusal;
mod scope;
mod settings;
mod token;
mod verification;

use credence_core::collection::{
    Collection, DevelopmentFallback, Method, Placement, Scope, TokenPlacement,
};
use credence_core::template::{CallVariable, LateVariable, Template};
use credence_core::{BaseUrl, CollectionName};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api_collection::{self, ApiCollection, ApiCollectionSpec};
use crate::cluster_api_collection::ClusterApiCollection;
use crate::rejected::{Problem, Rejected};

impl TryFrom<&ApiCollection> for Collection {
    type Error = Rejected;

    fn try_from(object: &ApiCollection) -> Result<Self, Self::Error> {
        Reader::default().collection(&object.metadata, &object.spec, object.scope())
    }
}

impl TryFrom<&ClusterApiCollection> for Collection {
    type Error = Rejected;

    fn try_from(object: &ClusterApiCollection) -> Result<Self, Self::Error> {
        let mut reader = Reader::default();
        let scope = reader.cluster_scope(&object.spec);
        reader.collection(&object.metadata, &object.spec.api, scope)
    }
}

/// Reads on after a problem, so that all of them are reported at once.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            field: field.into(),
            message: message.into(),
        });
    }

    fn keep<T, E: ToString>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.problem(field, error.to_string()))
            .ok()
    }

    fn collection(
        mut self,
        metadata: &ObjectMeta,
        spec: &ApiCollectionSpec,
        scope: Scope,
    ) -> Result<Collection, Rejected> {
        let name = metadata.name.as_deref().unwrap_or_default();
        let name = self.keep("metadata.name", name.parse::<CollectionName>());
        let base_url = self.base_url("spec.baseUrl", spec.base_url.as_deref());
        let method = self.method(spec.auth.as_ref(), &spec.base_url_allow);
        let headers = self.headers(&spec.headers);
        let query = self.query(&spec.query);
        let live = spec
            .live
            .as_ref()
            .map(|live| self.settings("spec.live", live));
        let development = spec
            .development
            .as_ref()
            .map(|development| self.settings("spec.development", development));
        let forwarding = settings::forwarding(spec.forwarding.as_ref());
        let timeouts = self.timeouts(spec.timeouts.as_ref());
        let refusal = self.refusal(spec, method.as_ref());
        let sidecar_port = self.sidecar_port(spec.sidecar_port);
        let verification = self.verification(spec.verification.as_ref());
        let (Some(name), Some(method)) = (name, method) else {
            return Err(self.rejected());
        };
        let collection = Collection {
            name,
            scope,
            base_url,
            method,
            headers,
            query,
            live,
            development,
            development_fallback: match spec.development_fallback {
                api_collection::DevelopmentFallback::Deny => DevelopmentFallback::Deny,
                api_collection::DevelopmentFallback::UseLive => DevelopmentFallback::UseLive,
            },
            forwarding,
            timeouts,
            refusal,
            sidecar_port,
            verification,
        };
        self.as_a_whole(&collection);
        match self.problems.is_empty() {
            true => Ok(collection),
            false => Err(self.rejected()),
        }
    }

    fn rejected(self) -> Rejected {
        Rejected {
            problems: self.problems,
        }
    }

    /// What concerns more than one field.
    fn as_a_whole(&mut self, collection: &Collection) {
        let fallback = "spec.developmentFallback";
        match (&collection.scope, collection.development_fallback) {
            (Scope::Cluster { .. }, DevelopmentFallback::UseLive) => self.problem(
                fallback,
                "UseLive is for ApiCollection only: name Secrets for development in spec.development",
            ),
            (Scope::Namespace { .. }, DevelopmentFallback::UseLive)
                if collection.development.is_some() =>
            {
                self.problem(
                    fallback,
                    "UseLive is only used without spec.development: remove one of the two",
                );
            }
            (Scope::Namespace { .. } | Scope::Cluster { .. }, _) => {}
        }
        match &collection.method {
            Method::ClientCertificate => self.certificates(collection),
            Method::ApiKey {
                placement: Placement::Cookie(_),
                ..
            } => self.no_cookies_beside("spec.auth.apiKey", collection),
            Method::Token(method) => {
                if let Some(TokenPlacement {
                    placement: Placement::Cookie(_),
                    ..
                }) = &method.placement
                {
                    let field = format!("spec.auth.{}.token.placement", method.flow.as_str());
                    self.no_cookies_beside(&field, collection);
                }
            }
            Method::SignedJwt(method) => {
                if let Some(TokenPlacement {
                    placement: Placement::Cookie(_),
                    ..
                }) = &method.placement
                {
                    self.no_cookies_beside("spec.auth.signedJwt.placement", collection);
                }
            }
            Method::None | Method::ApiKey { .. } | Method::Basic { .. } | Method::AwsSigV4(_) => {}
        }
        self.tokens_in_fields(collection);
        self.verification_without_body(collection);
    }

    fn no_cookies_beside(&mut self, method: &str, collection: &Collection) {
        let cookie = |name: &str| name.eq_ignore_ascii_case("cookie");
        if let Some(index) = collection.headers.iter().position(|h| cookie(&h.name)) {
            self.problem(
                format!("spec.headers[{index}].name"),
                format!(
                    "must not be Cookie beside {method} in: Cookie: remove it, cookies of the \
                     caller are left alone"
                ),
            );
        }
    }

    fn certificates(&mut self, collection: &Collection) {
        let blocks = [
            ("spec.live", &collection.live),
            ("spec.development", &collection.development),
        ];
        if blocks.iter().all(|(_, block)| block.is_none()) {
            self.problem(
                "spec.auth.clientCertificate",
                "takes the certificate of tlsSecretRef: add it to spec.live and spec.development",
            );
        }
        for (path, block) in blocks {
            if block
                .as_ref()
                .is_some_and(|block| block.tls_secret.is_none())
            {
                self.problem(
                    format!("{path}.tlsSecretRef"),
                    "is required by spec.auth.clientCertificate: name a Secret of type kubernetes.io/tls",
                );
            }
        }
    }

    fn base_url(&mut self, field: &str, text: Option<&str>) -> Option<Template> {
        let template = self.keep(field, Template::parse(text?))?;
        let references = template.references();
        if references.key_fingerprint {
            self.without_jwt(field, &template);
        } else if template.refers_to_secret() {
            self.problem(field, "must not refer to a Secret: write ${values.NAME}");
        } else if references.base_url {
            self.problem(field, "must not refer to ${baseUrl}, which is made from it");
        } else if let Some(variable) = references.late.first() {
            self.problem(field, late(variable));
        } else if let Some(literal) = template.as_literal() {
            self.keep(field, literal.parse::<BaseUrl>());
        }
        Some(template)
    }

    /// A template on one line, where there is no JWT.
    fn one_line(&mut self, field: &str, text: &str) -> Option<Template> {
        let template = self.line(field, text)?;
        self.outside_requests(field, &template);
        Some(template)
    }

    /// What only requests for a token have.
    fn outside_requests(&mut self, field: &str, template: &Template) {
        self.without_jwt(field, template);
        self.without_earlier(field, template);
    }

    /// What the requests before one for a token have given.
    fn without_earlier(&mut self, field: &str, template: &Template) {
        for variable in template.references().late {
            if let LateVariable::Step { .. } | LateVariable::RefreshToken = variable {
                self.problem(
                    field,
                    format!(
                        "must not refer to ${{{variable}}}: it can be used in requests for a token"
                    ),
                );
            }
        }
    }

    fn without_jwt(&mut self, field: &str, template: &Template) {
        let references = template.references();
        for (name, there) in [
            ("jwt", references.refers_to_jwt()),
            ("jwt.keyFingerprint", references.key_fingerprint),
        ] {
            if there {
                self.problem(
                    field,
                    format!("must not refer to ${{{name}}}: no JWT is signed here"),
                );
            }
        }
    }

    /// A template on one line.
    fn line(&mut self, field: &str, text: &str) -> Option<Template> {
        if text.chars().any(char::is_control) {
            self.problem(field, "must be one line, without control characters");
            return None;
        }
        self.keep(field, Template::parse(text))
    }

    /// A template that is put on a call, by a method that obtains no token.
    fn value(&mut self, field: &str, text: &str) -> Option<Template> {
        let template = self.one_line(field, text)?;
        if template.refers_to_token() {
            self.problem(
                field,
                "must not refer to ${token}: no method here obtains one",
            );
        }
        Some(template)
    }

    /// A template of which all is known when the collection is resolved.
    fn fixed(&mut self, field: &str, text: &str) -> Option<Template> {
        let template = self.one_line(field, text)?;
        let references = template.references();
        let mut late_ones = references.late.iter();
        // Of the others it was said already.
        if let Some(variable) = late_ones.find(|it| matches!(it, LateVariable::Call(_))) {
            self.problem(field, late(variable));
        }
        Some(template)
    }
}

/// About a variable that is used where everything must be known.
fn late(variable: &LateVariable) -> String {
    match variable {
        LateVariable::Call(CallVariable::Token(_)) => {
            format!("must not refer to ${{{variable}}}: it can be used in headers and query")
        }
        LateVariable::Jwt
        | LateVariable::Step { .. }
        | LateVariable::RefreshToken
        | LateVariable::ClientAssertion
        | LateVariable::SubjectToken => {
            format!("must not refer to ${{{variable}}}: it can be used in requests for a token")
        }
        LateVariable::Call(_) => {
            format!(
                "must not refer to ${{{variable}}}, which is new on each call: it can be used in headers, query, cookies and body"
            )
        }
    }
}

#[cfg(test)]
mod tests;
