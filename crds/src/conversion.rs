//! From an object to a collection.

use std::collections::BTreeSet;

use credence_core::bundle;
use credence_core::collection::{
    Collection, DevelopmentFallback, Field, Method, Place, Settings, TrustKind, TrustRef,
};
use credence_core::template::Template;
use credence_core::{BaseUrl, CollectionName, header_name};

use crate::api_collection::{self, ApiCollection};
use crate::auth::{self, ApiKey, Auth, Basic};
use crate::environment_settings::{CaKind, CaRef, EnvironmentSettings};
use crate::named_value::OnConflict;
use crate::rejected::{Problem, Rejected};

impl TryFrom<&ApiCollection> for Collection {
    type Error = Rejected;

    fn try_from(object: &ApiCollection) -> Result<Self, Self::Error> {
        let spec = &object.spec;
        let mut reader = Reader::default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let name = reader.keep("metadata.name", name.parse::<CollectionName>());
        let base_url = reader.base_url("spec.baseUrl", spec.base_url.as_deref());
        let method = reader.method(spec.auth.as_ref());
        let headers = spec
            .headers
            .iter()
            .map(|h| (h.name.as_str(), h.value.as_str(), h.on_conflict));
        let headers = reader.fields(Place::Header, "spec.headers", headers);
        let query = spec
            .query
            .iter()
            .map(|q| (q.name.as_str(), q.value.as_str(), q.on_conflict));
        let query = reader.fields(Place::Query, "spec.query", query);
        let live = spec
            .live
            .as_ref()
            .map(|live| reader.settings("spec.live", live));
        let development = spec
            .development
            .as_ref()
            .map(|development| reader.settings("spec.development", development));
        let development_fallback = match spec.development_fallback {
            api_collection::DevelopmentFallback::Deny => DevelopmentFallback::Deny,
            api_collection::DevelopmentFallback::UseLive => DevelopmentFallback::UseLive,
        };
        if development_fallback == DevelopmentFallback::UseLive && development.is_some() {
            reader.problem(
                "spec.developmentFallback",
                "UseLive is only used without spec.development: remove one of the two",
            );
        }
        let service_accounts = spec
            .access
            .as_ref()
            .and_then(|access| access.service_accounts.clone());
        match (name, method) {
            (Some(name), Some(method)) if reader.problems.is_empty() => Ok(Self {
                name,
                base_url,
                method,
                headers,
                query,
                live,
                development,
                development_fallback,
                service_accounts,
            }),
            _ => Err(Rejected {
                problems: reader.problems,
            }),
        }
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

    fn base_url(&mut self, field: &str, text: Option<&str>) -> Option<Template> {
        let template = self.keep(field, Template::parse(text?))?;
        if template.refers_to_secret() {
            self.problem(field, "must not refer to a Secret: write ${values.NAME}");
        } else if let Some(literal) = template.as_literal() {
            self.keep(field, literal.parse::<BaseUrl>());
        }
        Some(template)
    }

    /// A template that ends up in a header or in the query.
    fn value(&mut self, field: &str, text: &str) -> Option<Template> {
        if text.chars().any(char::is_control) {
            self.problem(field, "must be one line, without control characters");
            return None;
        }
        self.keep(field, Template::parse(text))
    }

    fn method(&mut self, auth: Option<&Auth>) -> Option<Method> {
        let Some(auth) = auth else {
            return Some(Method::None);
        };
        match (&auth.none, &auth.api_key, &auth.basic) {
            (Some(_), None, None) => Some(Method::None),
            (None, Some(key), None) => self.api_key(key),
            (None, None, Some(basic)) => self.basic(basic),
            _ => {
                self.problem("spec.auth", "takes exactly one of none, apiKey and basic");
                None
            }
        }
    }

    fn api_key(&mut self, key: &ApiKey) -> Option<Method> {
        let field = "spec.auth.apiKey.value";
        let place = match key.place {
            auth::Place::Header => Place::Header,
            auth::Place::Query => Place::Query,
        };
        self.name(place, "spec.auth.apiKey.name", &key.name);
        let value = self.value(field, &key.value)?;
        if !value.refers_to_secret() {
            self.problem(
                field,
                "must take the key from the Secret, such as \"Bearer ${secret.api-key}\"",
            );
        }
        Some(Method::ApiKey {
            place,
            name: key.name.clone(),
            value,
        })
    }

    fn basic(&mut self, basic: &Basic) -> Option<Method> {
        let username = self.value("spec.auth.basic.username", &basic.username);
        let password = self.value("spec.auth.basic.password", &basic.password);
        let (username, password) = (username?, password?);
        if username
            .as_literal()
            .is_some_and(|literal| literal.contains(':'))
        {
            self.problem(
                "spec.auth.basic.username",
                "must not hold a colon: HTTP Basic ends the user name there (RFC 7617)",
            );
        }
        if !username.refers_to_secret() && !password.refers_to_secret() {
            self.problem(
                "spec.auth.basic",
                "username or password must come from the Secret, such as \"${secret.password}\"",
            );
        }
        Some(Method::Basic { username, password })
    }

    fn name(&mut self, place: Place, field: &str, name: &str) {
        match place {
            Place::Header => {
                self.keep(field, header_name::check(name));
            }
            Place::Query if name.is_empty() || name.chars().any(char::is_control) => {
                self.problem(field, "must be the name of a query parameter");
            }
            Place::Query => {}
        }
    }

    fn fields<'a>(
        &mut self,
        place: Place,
        list: &str,
        values: impl Iterator<Item = (&'a str, &'a str, OnConflict)>,
    ) -> Vec<Field> {
        let mut seen = BTreeSet::new();
        let mut fields = Vec::new();
        for (index, (name, value, on_conflict)) in values.enumerate() {
            self.name(place, &format!("{list}[{index}].name"), name);
            let same = match place {
                Place::Header => name.to_ascii_lowercase(),
                Place::Query => name.to_owned(),
            };
            if !seen.insert(same) {
                self.problem(
                    format!("{list}[{index}].name"),
                    format!("\"{name}\" is there already: keep one of them"),
                );
            }
            if let Some(value) = self.value(&format!("{list}[{index}].value"), value) {
                fields.push(Field {
                    name: name.to_owned(),
                    value,
                    on_conflict: on_conflict.into(),
                });
            }
        }
        fields
    }

    fn settings(&mut self, block: &str, settings: &EnvironmentSettings) -> Settings {
        for name in settings.values.keys() {
            // Only what a template can spell can be referred to.
            if Template::parse(&format!("${{values.{name}}}")).is_err() {
                self.problem(
                    format!("{block}.values"),
                    format!("\"{name}\" cannot be referred to: use letters, digits, \"-\", \"_\" and \".\""),
                );
            }
        }
        Settings {
            base_url: self.base_url(&format!("{block}.baseUrl"), settings.base_url.as_deref()),
            secret: settings
                .secret_ref
                .as_ref()
                .map(|secret| secret.name.clone()),
            trust: settings.ca_ref.as_ref().map(TrustRef::from),
            values: settings.values.clone(),
            allow_private_networks: settings.allow_private_networks,
        }
    }
}

impl From<&CaRef> for TrustRef {
    fn from(ca: &CaRef) -> Self {
        Self {
            kind: match ca.kind {
                CaKind::ConfigMap => TrustKind::ConfigMap,
                CaKind::Secret => TrustKind::Secret,
            },
            name: ca.name.clone(),
            key: ca.key.clone(),
        }
    }
}

impl From<OnConflict> for bundle::OnConflict {
    fn from(on_conflict: OnConflict) -> Self {
        match on_conflict {
            OnConflict::Replace => Self::Replace,
            OnConflict::IfAbsent => Self::IfAbsent,
            OnConflict::Reject => Self::Reject,
        }
    }
}

#[cfg(test)]
mod tests;
