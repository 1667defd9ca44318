//! What a request for a token says.

use credence_core::collection::{
    Client, ClientAuthentication, ContentSettings, FieldFormat, FieldValue, Flow, Literal,
};
use credence_core::template::Template;
use serde_json::Value;

use super::{Part, Reader, Subject};
use crate::token::{BodyFormat, HttpMethod};

impl Reader {
    pub(super) fn content(&mut self, subject: &Subject<'_>) -> Option<ContentSettings> {
        let token = subject.token;
        let usual = match subject.is_custom() {
            true => BodyFormat::Json,
            false => BodyFormat::Form,
        };
        let format = token.body_format.unwrap_or(usual);
        let field = subject.field("body");
        let Some(body) = &token.body else {
            let format = match format {
                BodyFormat::Form => FieldFormat::Form,
                BodyFormat::Json => FieldFormat::Json,
                BodyFormat::Query => FieldFormat::Query,
                BodyFormat::Raw => {
                    self.problem(
                        field,
                        "is required by bodyFormat: Raw: write the whole body",
                    );
                    return None;
                }
            };
            return Some(ContentSettings::Fields(format));
        };
        if token.method == HttpMethod::Get {
            self.problem(&field, "is not sent by method: GET: write params");
        }
        let grant_type = token.grant_type.as_ref();
        for (member, there) in [
            ("grantType", grant_type.is_some_and(|text| !text.is_empty())),
            ("scopes", !token.scopes.is_empty()),
            ("audience", token.audience.is_some()),
            ("params", !token.params.is_empty()),
        ] {
            if there {
                self.problem(
                    subject.field(member),
                    "is not sent beside body: write it into body, or leave body out",
                );
            }
        }
        let is_grant = subject.part == Part::Token;
        if is_grant && matches!(subject.flow, Flow::JwtBearer { .. }) && !body.contains("${jwt}") {
            self.problem(&field, "must hold ${jwt}: no field is sent beside body");
        }
        match format {
            BodyFormat::Json => {
                let template = self.aliased(subject, &field, body)?;
                if !template.is_json() {
                    self.problem(
                        &field,
                        "is not JSON: variables stand within the quotes of a text, or alone for a value",
                    );
                }
                Some(ContentSettings::Json(template))
            }
            BodyFormat::Raw => {
                let template = self.keep(&field, Template::parse(body))?;
                self.in_request(subject, &field, &template);
                Some(ContentSettings::Raw(template))
            }
            BodyFormat::Form | BodyFormat::Query => {
                self.problem(
                    field,
                    "is used only with bodyFormat: Json or Raw: write one of them, or params instead of body",
                );
                None
            }
        }
    }

    pub(super) fn params(
        &mut self,
        subject: &Subject<'_>,
        client: Option<&Client>,
    ) -> Vec<(String, FieldValue<Template>)> {
        let mut params = Vec::new();
        for (name, value) in &subject.token.params {
            let field = subject.field(&format!("params.{name}"));
            if name.is_empty() || name.chars().any(char::is_control) {
                self.problem(&field, "must be the name of a field");
            }
            if let Some(owner) = owner(subject, client, name) {
                self.problem(
                    &field,
                    format!("is set by {owner} already: remove one of the two"),
                );
            }
            let is_nested = value.is_array() || value.is_object();
            let writes_json = subject.token.method != HttpMethod::Get
                && match subject.token.body_format {
                    Some(format) => format == BodyFormat::Json,
                    None => subject.is_custom(),
                };
            if is_nested && !writes_json {
                self.problem(
                    &field,
                    "is a list or an object, which only bodyFormat: Json can write: write a text",
                );
                continue;
            }
            let value = self.json(&field, value, &mut |reader, field, text| {
                let template = reader.keep(field, Template::parse(text))?;
                reader.in_request(subject, field, &template);
                Some(template)
            });
            params.extend(value.map(|value| (name.clone(), value)));
        }
        params
    }

    /// JSON with a template for each text.
    pub(in super::super) fn json(
        &mut self,
        field: &str,
        value: &Value,
        read: &mut impl FnMut(&mut Self, &str, &str) -> Option<Template>,
    ) -> Option<FieldValue<Template>> {
        if let Some(literal) = Literal::of(value) {
            return Some(FieldValue::Literal(literal));
        }
        match value {
            Value::String(text) => Some(FieldValue::Text(read(self, field, text)?)),
            Value::Array(values) => {
                let values = values.iter().enumerate();
                let values =
                    values.map(|(at, value)| self.json(&format!("{field}[{at}]"), value, read));
                Some(FieldValue::List(values.collect::<Option<_>>()?))
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    let value = self.json(&format!("{field}.{name}"), value, read)?;
                    Some((name.clone(), value))
                });
                Some(FieldValue::Object(members.collect::<Option<_>>()?))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
}

/// What sets a field of this name already (RFC 6749 §3.2: none is repeated).
fn owner(subject: &Subject<'_>, client: Option<&Client>, name: &str) -> Option<&'static str> {
    let token = subject.token;
    match subject.part {
        Part::Token => {}
        Part::Step(_) => return None,
        Part::Refresh if subject.is_custom() => return None,
        Part::Refresh => {
            if let "grant_type" | "refresh_token" = name {
                return Some("the method");
            }
        }
    }
    let given = token
        .grant_type
        .as_deref()
        .or_else(|| subject.flow.grant_type());
    let refreshes = matches!(
        subject.flow,
        Flow::Password { .. } | Flow::RefreshToken { .. }
    );
    let of_client = client.filter(|client| client.authentication.is_in_fields());
    let has_assertion = client.is_some_and(|client| client.assertion.is_some());
    let has_secret = |client: &&Client| client.authentication == ClientAuthentication::Body;
    match name {
        "grant_type" if refreshes || given.is_some_and(|text| !text.is_empty()) => {
            Some("grantType")
        }
        "scope" if !token.scopes.is_empty() => Some("scopes"),
        "audience" if token.audience.is_some() => Some("audience"),
        "username" | "password"
            if subject.part == Part::Token && matches!(subject.flow, Flow::Password { .. }) =>
        {
            Some("the method")
        }
        "refresh_token" if refreshes => Some("the method"),
        "subject_token" | "subject_token_type"
            if matches!(subject.flow, Flow::TokenExchange { .. }) =>
        {
            Some("the method")
        }
        "assertion"
            if subject.part == Part::Token && matches!(subject.flow, Flow::JwtBearer { .. }) =>
        {
            Some("the method")
        }
        "client_assertion" | "client_assertion_type" if has_assertion => Some("client.assertion"),
        name if of_client.is_some_and(|client| client.id_field == name) => Some("client.id"),
        name if of_client
            .filter(has_secret)
            .is_some_and(|client| client.secret_field == name) =>
        {
            Some("client.secret")
        }
        _ => None,
    }
}
