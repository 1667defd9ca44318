//! Answers that are ours and not the provider's (RFC 9457).

use std::borrow::Cow;

use credence_core::{CollectionName, names};
use serde::Serialize;

use crate::http1::{HeadError, Version};
use crate::slug::Slug;
use crate::target::TargetError;

/// An answer of ours, not yet written.
///
/// `detail` is for the app's developer: it holds no secret and nothing that a
/// provider said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Which kind.
    pub(crate) slug: Slug,
    /// What happened and what to do.
    pub(crate) detail: Cow<'static, str>,
    /// The collection that was called, once it is known.
    pub(crate) collection: Option<CollectionName>,
    /// The methods that would be allowed, where that is the problem.
    pub(crate) allow: &'static str,
    /// Seconds after which it may be over, where that can be (RFC 9110
    /// §10.2.3).
    pub(crate) retry_after: u64,
}

/// What the request that failed leaves open about its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerForm {
    /// It is the answer to HEAD: there is no body, but its length is told.
    pub(crate) to_head: bool,
    /// The version of the caller.
    pub(crate) version: Version,
    /// The connection is closed after it.
    pub(crate) close: bool,
}

impl Problem {
    /// A problem that concerns no collection.
    pub(crate) fn new(slug: Slug, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            slug,
            detail: detail.into(),
            collection: None,
            allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            // What is missing may be there in a moment.
            retry_after: 1,
        }
    }

    /// The same problem, of this collection.
    pub(crate) fn of(self, collection: &CollectionName) -> Self {
        Self {
            collection: Some(collection.clone()),
            ..self
        }
    }

    /// Writes the whole answer.
    pub(crate) fn write(&self, form: AnswerForm, out: &mut Vec<u8>) {
        let body = Members {
            r#type: format!("urn:credence:error:{}", self.slug.as_str()),
            title: self.slug.title(),
            status: self.slug.code(),
            detail: &self.detail,
            collection: self.collection.as_ref().map(CollectionName::as_str),
            code: self.slug.as_str().to_ascii_uppercase().replace('-', "_"),
        };
        // Strings and a number: there is nothing in it that could fail.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut fields = format!("{}: {}\r\n", names::ERROR_HEADER, self.slug.as_str());
        match self.slug {
            // RFC 9110 §15.5.6.
            Slug::MethodNotAllowed => fields += &format!("Allow: {}\r\n", self.allow),
            Slug::NotReady | Slug::Overloaded | Slug::TokenUnavailable => {
                fields += &format!("Retry-After: {}\r\n", self.retry_after);
            }
            Slug::BadRequest
            | Slug::ConflictingHeader
            | Slug::ForbiddenOrigin
            | Slug::UnknownCollection
            | Slug::HeadTimeout
            | Slug::BodyTooLarge
            | Slug::ForbiddenHost
            | Slug::HeadTooLarge
            | Slug::NotImplemented
            | Slug::UpstreamUnreachable
            | Slug::UpstreamTls
            | Slug::ClientCertificateRejected
            | Slug::CredentialsMissing
            | Slug::ReauthorizationRequired
            | Slug::Unsupported
            | Slug::UpstreamTimeout => {}
        }
        write_answer(
            self.slug.status(),
            "application/problem+json",
            &fields,
            &body,
            form,
            out,
        );
    }
}

impl From<HeadError> for Problem {
    fn from(error: HeadError) -> Self {
        Self::new(
            error.into(),
            format!("The request is not one of HTTP/1.1: {error}."),
        )
    }
}

impl From<TargetError> for Problem {
    fn from(error: TargetError) -> Self {
        Self::new(error.into(), error.to_string())
    }
}

/// Writes an answer with a body of ours. `fields` are whole lines.
pub(crate) fn write_answer(
    status: &str,
    content_type: &str,
    fields: &str,
    body: &[u8],
    form: AnswerForm,
    out: &mut Vec<u8>,
) {
    let connection = match (form.close, form.version) {
        (true, _) => "Connection: close\r\n",
        (false, Version::Http10) => "Connection: keep-alive\r\n",
        (false, Version::Http11) => "",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\n{fields}{connection}\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    if !form.to_head {
        out.extend_from_slice(body);
    }
}

#[derive(Serialize)]
struct Members<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<&'a str>,
    code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: AnswerForm) -> String {
        let problem = Problem::new(Slug::NotReady, "Wait.").of(&"openai".parse().unwrap());
        let mut out = Vec::new();
        problem.write(form, &mut out);
        String::from_utf8(out).unwrap()
    }

    const FORM: AnswerForm = AnswerForm {
        to_head: false,
        version: Version::Http11,
        close: false,
    };

    #[test]
    fn an_answer_has_every_member_and_names_itself_in_a_header() {
        let answer = written(FORM);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(head.contains("\r\nCredence-Error: not-ready\r\nRetry-After: 1"));
        assert!(head.contains("\r\nContent-Type: application/problem+json\r\n"));
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        let members: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            members,
            serde_json::json!({
                "type": "urn:credence:error:not-ready",
                "title": "The collection is not ready",
                "status": 503,
                "detail": "Wait.",
                "collection": "openai",
                "code": "NOT_READY",
            })
        );
    }

    #[test]
    fn the_answer_to_head_has_the_length_but_no_body() {
        let answer = written(AnswerForm {
            to_head: true,
            ..FORM
        });
        assert!(answer.ends_with("\r\n\r\n"));
        assert!(!answer.contains("Content-Length: 0"));
    }

    #[test]
    fn closing_and_keeping_are_said_where_the_version_needs_it() {
        assert!(!written(FORM).contains("Connection:"));
        let close = AnswerForm {
            close: true,
            ..FORM
        };
        assert!(written(close).contains("\r\nConnection: close\r\n"));
        let old = AnswerForm {
            version: Version::Http10,
            ..FORM
        };
        assert!(written(old).contains("\r\nConnection: keep-alive\r\n"));
    }
}
