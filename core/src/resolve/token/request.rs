//! One request of a method.

use super::super::Unresolved;
use super::super::message;
use super::super::placing::Source;
use super::{Asking, Field, Known, known, late_field};
use crate::Secret;
use crate::base_url::Scheme;
use crate::bundle::control;
use crate::collection::{ContentSettings, FieldFormat, Placement, RequestSettings};
use crate::template::{LateText, LateVariable, Place};
use crate::token::{Content, Endpoint, TokenRequest};

/// A request that a manifest describes.
pub(super) struct Described<'c> {
    /// Where it does so: `token`, `token.refresh`, `token.steps[0]`.
    pub(super) at: String,
    pub(super) settings: &'c RequestSettings,
}

impl<'c> Described<'c> {
    /// What stands at each field that a template is written into.
    pub(super) fn templates(&self, mut add: impl FnMut(String, &'c crate::template::Template)) {
        let (at, settings) = (&self.at, self.settings);
        add(format!("{at}.url"), &settings.url);
        for (index, scope) in settings.scopes.iter().enumerate() {
            add(format!("{at}.scopes[{index}]"), scope);
        }
        if let Some(audience) = &settings.audience {
            add(format!("{at}.audience"), audience);
        }
        for (name, value) in &settings.params {
            let mut each = |path: &str, template| {
                add(format!("{at}.params.{name}{path}"), template);
                Ok::<_, std::convert::Infallible>(())
            };
            let Ok(_) = value.map("", &mut each);
        }
        for (index, header) in settings.headers.iter().enumerate() {
            add(format!("{at}.headers[{index}].value"), &header.value);
        }
        match &settings.content {
            ContentSettings::Fields(_) => {}
            ContentSettings::Json(body) | ContentSettings::Raw(body) => {
                add(format!("{at}.body"), body);
            }
        }
    }
}

impl<'c> Asking<'c, '_> {
    /// The request with the fields that its grant has, and its client's proof.
    pub(super) fn request(
        &self,
        described: &Described<'c>,
        of_grant: Vec<Field>,
        client: Option<&Known<'_>>,
    ) -> Result<TokenRequest, Unresolved> {
        Ok(TokenRequest {
            url: self.url(described)?,
            url_allow: described.settings.url_allow.clone(),
            method: described.settings.method,
            headers: self.headers(described, client)?,
            content: self.content(described, of_grant, client)?,
        })
    }

    /// The same with a refresh token (RFC 6749 §6). Whoever asked for scopes
    /// gets the same again.
    pub(super) fn refresh_request(
        &self,
        described: &Described<'c>,
        format: FieldFormat,
        client: Option<&Known<'_>>,
    ) -> Result<TokenRequest, Unresolved> {
        let mut fields = vec![
            known("grant_type", &Secret::new("refresh_token")),
            late_field("refresh_token", LateVariable::RefreshToken),
        ];
        fields.extend(client.into_iter().flat_map(Known::fields));
        fields.extend(self.further(described)?);
        Ok(TokenRequest {
            url: self.url(described)?,
            url_allow: described.settings.url_allow.clone(),
            method: described.settings.method,
            headers: self.headers(described, client)?,
            content: Content::Fields(format, fields),
        })
    }

    fn url(&self, described: &Described<'c>) -> Result<LateText, Unresolved> {
        let url = &described.settings.url;
        let source = self.source(&format!("{}.url", described.at), url);
        let text = self.late(&source, Place::URL)?;
        if url.is_host_from_step() {
            // It is looked at when it is known.
            return Ok(text);
        }
        let endpoint =
            Endpoint::parse(&text.sample()).map_err(|error| message::token_url(&source, error))?;
        match endpoint.scheme() {
            Scheme::Http if self.method.mtls => Err(message::token_url_without_tls(&source)),
            Scheme::Http if !self.case.selected.settings.allow_insecure_http => {
                Err(self.case.insecure_token_url(&source))
            }
            Scheme::Http | Scheme::Https => Ok(text),
        }
    }

    fn headers(
        &self,
        described: &Described<'c>,
        client: Option<&Known<'_>>,
    ) -> Result<Vec<(String, LateText)>, Unresolved> {
        let mut headers = Vec::with_capacity(described.settings.headers.len() + 1);
        for (index, header) in described.settings.headers.iter().enumerate() {
            let at = format!("{}.headers[{index}].value", described.at);
            let source = self.source(&at, &header.value);
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

    fn content(
        &self,
        described: &Described<'c>,
        of_grant: Vec<Field>,
        client: Option<&Known<'_>>,
    ) -> Result<Content, Unresolved> {
        let settings = described.settings;
        let at = format!("{}.body", described.at);
        let format = match &settings.content {
            ContentSettings::Fields(format) => *format,
            ContentSettings::Json(body) => {
                let body = self.late(&self.source(&at, body), Place::JSON)?;
                return Ok(Content::Json(body));
            }
            ContentSettings::Raw(body) => {
                let body = self.late(&self.source(&at, body), Place::Plain)?;
                return Ok(Content::Raw(body));
            }
        };
        let mut fields = Vec::new();
        let grant_type = settings.grant_type.iter().map(Secret::new);
        fields.extend(grant_type.map(|grant_type| known("grant_type", &grant_type)));
        fields.extend(of_grant);
        fields.extend(client.into_iter().flat_map(Known::fields));
        let scopes = self.scopes(described)?;
        if !scopes.is_empty() {
            let scopes: Vec<&str> = scopes.iter().map(Secret::expose).collect();
            let scope = Secret::new(scopes.join(&settings.scope_separator));
            fields.push(known("scope", &scope));
        }
        fields.extend(self.further(described)?);
        Ok(Content::Fields(format, fields))
    }

    pub(super) fn scopes(&self, described: &Described<'c>) -> Result<Vec<Secret>, Unresolved> {
        let scopes = described.settings.scopes.iter().enumerate();
        scopes
            .map(|(index, scope)| self.fixed(&format!("{}.scopes[{index}]", described.at), scope))
            .collect()
    }

    /// Audience and params.
    fn further(&self, described: &Described<'c>) -> Result<Vec<Field>, Unresolved> {
        let Described { at, settings } = described;
        let mut fields = Vec::new();
        let source = |member: String, template| self.source(&member, template);
        if let Some(audience) = &settings.audience {
            let audience = self.late(&source(format!("{at}.audience"), audience), Place::Plain)?;
            fields.push(("audience".to_owned(), super::FieldValue::Text(audience)));
        }
        for (name, value) in &settings.params {
            let value = value.map("", &mut |path, template| {
                let source = source(format!("{at}.params.{name}{path}"), template);
                self.late(&source, Place::Plain)
            })?;
            fields.push((name.clone(), value));
        }
        Ok(fields)
    }
}
