//! A request to a token endpoint.

use std::fmt;

use zeroize::Zeroizing;

use super::base_url_allow::HostPattern;
use super::endpoint::{Endpoint, InvalidEndpoint};
use super::fields;
use super::fingerprint::Fingerprint;
use crate::Secret;
use crate::base_url::Scheme;
use crate::call::USER_AGENT;
use crate::collection::{FieldFormat, FieldValue, RequestMethod};
use crate::template::{LateText, LateValues, NoValueYet};

/// A request to a token endpoint, in which only late variables are left. Its
/// `Debug` shows the method of HTTP alone.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Where it goes.
    pub url: LateText,
    /// The hosts that it may go to, where an earlier answer says which.
    pub url_allow: Vec<HostPattern>,
    /// By which method of HTTP.
    pub method: RequestMethod,
    /// Headers besides those that every request has.
    pub headers: Vec<(String, LateText)>,
    /// What it says.
    pub content: Content,
}

/// What a request says.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Fields; without any there is no body.
    Fields(FieldFormat, Vec<(String, FieldValue<LateText>)>),
    /// JSON as it is.
    Json(LateText),
    /// Anything as it is.
    Raw(LateText),
}

/// A request with everything filled in. Its `Debug` shows the host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The method of HTTP.
    pub method: &'static str,
    /// Where it goes; all of the query is there already.
    pub endpoint: Endpoint,
    /// All headers but those of the framing and `Host`.
    pub headers: Vec<(String, Secret)>,
    /// The body; without one there is no content type either.
    pub body: Option<Zeroizing<Vec<u8>>>,
}

/// A request cannot be made. Quotes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A variable has no value.
    #[error(transparent)]
    Late(#[from] NoValueYet),
    /// With its late values the URL is none.
    #[error("the URL of the token endpoint {0}")]
    Endpoint(#[from] InvalidEndpoint),
    /// It is one of `http`, and the collection does not allow that.
    #[error("the URL of the token endpoint begins with http://, which is not allowed here")]
    Insecure,
    /// An earlier answer says that it goes to a host that nobody allowed.
    #[error("an earlier answer leads to a host that urlAllow does not name")]
    Host,
}

impl TokenRequest {
    /// The request with its late values in it.
    ///
    /// # Errors
    /// [`MessageError`]. Nothing was sent then.
    pub fn message(
        &self,
        values: &LateValues<'_>,
        allow_insecure_http: bool,
    ) -> Result<Message, MessageError> {
        let mut url = self.url.render(values)?;
        let mut headers = Vec::with_capacity(self.headers.len() + 3);
        for (name, value) in &self.headers {
            headers.push((name.clone(), Secret::from(value.render(values)?)));
        }
        let body = match &self.content {
            Content::Fields(format, fields) => {
                let fields = fields::rendered(fields, values)?;
                match (self.method, format) {
                    _ if fields.is_empty() => None,
                    (RequestMethod::Get, _) | (_, FieldFormat::Query) => {
                        url = fields::in_url(&url, &fields);
                        None
                    }
                    (RequestMethod::Post | RequestMethod::Put, FieldFormat::Form) => {
                        Some((fields::form(&fields), Some(FORM)))
                    }
                    (RequestMethod::Post | RequestMethod::Put, FieldFormat::Json) => {
                        Some((fields::json(&fields), Some(JSON)))
                    }
                }
            }
            Content::Json(text) => Some((text.render(values)?, Some(JSON))),
            Content::Raw(text) => Some((text.render(values)?, None)),
        };
        let (body, kind) = match body {
            Some((mut body, kind)) => (
                Some(Zeroizing::new(std::mem::take(&mut *body).into_bytes())),
                kind,
            ),
            None => (None, None),
        };
        // Without it some providers answer in a form.
        default(&mut headers, "Accept", "application/json");
        // Without one some refuse to answer.
        default(&mut headers, "User-Agent", USER_AGENT);
        if let Some(kind) = kind {
            default(&mut headers, "Content-Type", kind);
        }
        let endpoint = Endpoint::parse(&url)?;
        if endpoint.scheme() == Scheme::Http && !allow_insecure_http {
            return Err(MessageError::Insecure);
        }
        let allows = |pattern: &HostPattern| pattern.allows(endpoint.host(), endpoint.port());
        if !self.url_allow.is_empty() && !self.url_allow.iter().any(allows) {
            return Err(MessageError::Host);
        }
        Ok(Message {
            method: self.method.as_str(),
            endpoint,
            headers,
            body,
        })
    }

    /// Whether it says something that an earlier answer has given.
    pub fn refers_to_steps(&self) -> bool {
        let in_fields = |fields: &[(String, FieldValue<LateText>)]| {
            let mut found = false;
            for (_, value) in fields {
                let mut look = |_: &str, text: &LateText| {
                    found |= text.refers_to_step();
                    Ok::<_, std::convert::Infallible>(())
                };
                let Ok(_) = value.map("", &mut look);
            }
            found
        };
        let in_headers = self.headers.iter().any(|(_, value)| value.refers_to_step());
        let in_content = match &self.content {
            Content::Fields(_, fields) => in_fields(fields),
            Content::Json(text) | Content::Raw(text) => text.refers_to_step(),
        };
        self.url.refers_to_step() || in_headers || in_content
    }

    /// Adds everything that decides what an answer will be to a fingerprint.
    pub(crate) fn add_to(&self, print: &mut Fingerprint) {
        print.text(&self.url.sample());
        print.hosts(&self.url_allow);
        print.text(self.method.as_str());
        print.count(self.headers.len());
        for (name, value) in &self.headers {
            print.text(name);
            print.text(&value.sample());
        }
        match &self.content {
            Content::Fields(format, fields) => {
                print.text(match format {
                    FieldFormat::Form => "form",
                    FieldFormat::Json => "json",
                    FieldFormat::Query => "query",
                });
                print.text(&fields::sample(fields));
            }
            Content::Json(text) => {
                print.text("json body");
                print.text(&text.sample());
            }
            Content::Raw(text) => {
                print.text("raw body");
                print.text(&text.sample());
            }
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Sets a header that is not there.
fn default(headers: &mut Vec<(String, Secret)>, name: &str, value: &str) {
    if !headers
        .iter()
        .any(|(other, _)| other.eq_ignore_ascii_case(name))
    {
        headers.push((name.to_owned(), Secret::new(value)));
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenRequest({} …)", self.method.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} {:?})", self.method, self.endpoint)
    }
}
