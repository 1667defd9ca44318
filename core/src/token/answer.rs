//! What a token endpoint's answer means (RFC 6749 §5, and what providers make
//! of it).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::answer_error::{AnswerError, AnswerProblem};
use super::document::{Document, Odd};
use super::error_code::ErrorCode;
use super::expiry::{self, Clock};
use super::path::FieldPath;
use super::raw_answer::{RawAnswer, RoundTrip};
use super::shape::{Capture, CaptureFrom, Lifetime, Renewal, ResponseShape, Success};
use crate::Secret;

/// The longest token, or captured field, in bytes: half of what a request's
/// head may be long, and far more than servers accept.
const LONGEST: usize = 32 * 1024;

/// The name of a refresh token, however its words are written.
const REFRESH_TOKEN: &str = "refreshtoken";

/// Types of tokens that are worth nothing without a proof that we do not make
/// (RFC 9449; the others were drafts). In lower case.
const PROOF_OF_POSSESSION: [&str; 4] = ["dpop", "mac", "pop", "hok"];

/// A token, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The token itself: free of control characters, and not empty.
    pub access_token: Secret,
    /// Its end by our clock; `None` where it holds until it is refused.
    pub expires_at: Option<Timestamp>,
    /// The refresh token that replaces the one known so far.
    pub refresh_token: Option<Secret>,
    /// The captured fields that were there, by name.
    pub captured: BTreeMap<String, Secret>,
    /// Where the API is, as the provider writes it.
    pub base_url: Option<String>,
    /// The scopes that were granted, separated by spaces, where the answer
    /// says so.
    pub scope: Option<String>,
}

/// What is needed to read an answer.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Where which field stands.
    pub shape: &'a ResponseShape,
    /// For answers that state no expiry.
    pub lifetime: &'a Lifetime,
    /// Likewise.
    pub renewal: Renewal,
    /// When it was asked and answered.
    pub round_trip: RoundTrip,
}

impl Answer {
    /// Reads an answer. A success has a status of success, no error in its
    /// body, the field that says so where there is one, and a token.
    ///
    /// # Errors
    /// [`AnswerError`], which quotes nothing of the body.
    pub fn read(raw: &RawAnswer, reading: &Reading<'_>) -> Result<Self, AnswerError> {
        read(raw, reading).map_err(|problem| AnswerError {
            problem,
            retry_after: raw.retry_after(reading.round_trip.received),
        })
    }
}

/// The refresh token of an answer of success, whatever else is wrong with it:
/// the provider may already have forgotten the one before.
pub fn salvaged_refresh_token(raw: &RawAnswer, shape: &ResponseShape) -> Option<Secret> {
    if !raw.is_success() {
        return None;
    }
    let document = Document::read(&raw.body, false).ok()?;
    refresh_token(&document, shape)?.ok()
}

/// Whether an answer of success has a text by the name of a refresh token
/// anywhere.
pub(super) fn names_refresh_token(raw: &RawAnswer) -> bool {
    raw.is_success() && Document::read(&raw.body, false).is_ok_and(|it| it.has(REFRESH_TOKEN))
}

fn read(raw: &RawAnswer, reading: &Reading<'_>) -> Result<Answer, AnswerProblem> {
    let shape = reading.shape;
    let whole = shape.access_token.is_whole();
    let document = success(raw, whole, shape.success.as_ref())?.map_err(of_odd(raw.status))?;
    let access_token = document
        .text(&shape.access_token)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .ok_or_else(|| AnswerProblem::Missing {
            path: shape.access_token.to_string(),
        })?;
    let access_token = placeable(access_token, shape.access_token.as_str())?;
    check_token_type(&document)?;
    let skew = raw.clock_skew(reading.round_trip);
    let expires_at = expiry::expires_at(
        document.value(&shape.expires).as_ref(),
        shape.expires_kind,
        access_token.expose(),
        reading.lifetime,
        reading.renewal,
        Clock::new(reading.round_trip, skew),
    );
    let refresh_token = match (reading.renewal, refresh_token(&document, shape)) {
        (Renewal::ByRefreshToken, None)
            if document.has_beside(&shape.access_token, REFRESH_TOKEN) =>
        {
            return Err(AnswerProblem::Elsewhere {
                path: shape.refresh_token.to_string(),
            });
        }
        (Renewal::ByRefreshToken, found) => found.transpose()?,
        // One that cannot be used is not needed.
        (Renewal::Anew, found) => found.and_then(Result::ok),
    };
    Ok(Answer {
        access_token,
        expires_at,
        refresh_token,
        captured: captured(raw, Some(&document), &shape.capture)?,
        base_url: shape
            .base_url
            .as_ref()
            .and_then(|path| document.text(path))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty()),
        scope: scope(&document),
    })
}

/// What an answer to a step gives: every field that it is to capture. A body is
/// read only where one of them, or the success, is in it: a session's cookie
/// comes with any.
pub(super) fn step_fields(
    raw: &RawAnswer,
    capture: &[Capture],
    success_when: Option<&Success>,
) -> Result<BTreeMap<String, Secret>, AnswerProblem> {
    let document = success(raw, false, success_when)?;
    let in_body = |capture: &Capture| matches!(capture.from, CaptureFrom::Body(_));
    let document = match document {
        Err(odd) if capture.iter().any(in_body) => return Err(of_odd(raw.status)(odd)),
        document => document.ok(),
    };
    let captured = captured(raw, document.as_ref(), capture)?;
    match capture.iter().find(|it| !captured.contains_key(&it.name)) {
        Some(missing) => Err(AnswerProblem::Missing {
            path: missing.from.to_string(),
        }),
        None => Ok(captured),
    }
}

const fn of_odd(status: u16) -> impl Fn(Odd) -> AnswerProblem {
    move |odd| match odd {
        Odd::Empty => AnswerProblem::Empty { status },
        Odd::Markup => AnswerProblem::Markup,
        Odd::Unreadable => AnswerProblem::Unreadable,
    }
}

/// The body of an answer that is a success, as far as it can be read.
fn success(
    raw: &RawAnswer,
    whole: bool,
    success: Option<&Success>,
) -> Result<Result<Document, Odd>, AnswerProblem> {
    let status = raw.status;
    let document = Document::read(&raw.body, whole);
    // An error wins over everything: some come with 200, and some that have
    // another status are empty or pages.
    if let Ok(document) = &document
        && let Some(code) = error_code(document, success)
    {
        return Err(AnswerProblem::Refused { status, code });
    }
    if (300..400).contains(&status) {
        return Err(AnswerProblem::Redirected { status });
    }
    if !raw.is_success() {
        return Err(AnswerProblem::Status { status });
    }
    let Some(Success { path, equals }) = success else {
        return Ok(document);
    };
    let document = document.map_err(of_odd(status))?;
    match document.text(path).as_deref() == Some(equals) {
        true => Ok(Ok(document)),
        false => Err(AnswerProblem::NotSuccess {
            path: path.to_string(),
        }),
    }
}

/// The error that a body names. Where the manifest reads the member `error` as
/// the one that tells of success, it is no error by being there.
fn error_code(document: &Document, success: Option<&Success>) -> Option<ErrorCode> {
    if success.is_some_and(|success| success.path.as_name() == Some("error")) {
        return None;
    }
    let error = document.says("error")?;
    Some(error.as_str().map_or(ErrorCode::Other, ErrorCode::of_name))
}

/// RFC 6749 §7.1: a type that is not understood must not be used. In practice
/// everything is a bearer token, under many names, that is not bound to a proof.
fn check_token_type(document: &Document) -> Result<(), AnswerProblem> {
    match document.text(&FieldPath::of_name("token_type")) {
        Some(found) if PROOF_OF_POSSESSION.contains(&found.trim().to_lowercase().as_str()) => {
            Err(AnswerProblem::TokenType)
        }
        _ => Ok(()),
    }
}

fn refresh_token(
    document: &Document,
    shape: &ResponseShape,
) -> Option<Result<Secret, AnswerProblem>> {
    document
        .text(&shape.refresh_token)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .map(|text| placeable(text, shape.refresh_token.as_str()))
}

fn captured(
    raw: &RawAnswer,
    document: Option<&Document>,
    capture: &[Capture],
) -> Result<BTreeMap<String, Secret>, AnswerProblem> {
    let mut captured = BTreeMap::new();
    for capture in capture {
        let text = match &capture.from {
            CaptureFrom::Body(path) => document
                .and_then(|document| document.text(path))
                .map(String::from),
            CaptureFrom::Header(name) => raw.header(name).map(str::to_owned),
            CaptureFrom::Cookie(name) => raw.cookie(name).map(str::to_owned),
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            captured.insert(
                capture.name.clone(),
                placeable(text, &capture.from.to_string())?,
            );
        }
    }
    Ok(captured)
}

/// A value that can stand in the head of a request.
fn placeable(text: String, path: &str) -> Result<Secret, AnswerProblem> {
    let secret = Secret::new(text);
    let path = path.to_owned();
    if secret.expose().len() > LONGEST {
        Err(AnswerProblem::TooLong {
            path,
            limit: LONGEST,
        })
    } else if secret.expose().chars().any(char::is_control) {
        Err(AnswerProblem::ControlCharacter { path })
    } else {
        Ok(secret)
    }
}

/// A text (RFC 6749 §5.1), or a list of them.
fn scope(document: &Document) -> Option<String> {
    match document.says("scope")? {
        Value::String(text) => Some(text),
        Value::Array(items) => {
            let names: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Some(names.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// What was asked for and not granted. Providers separate what they grant by
/// spaces or by commas.
pub fn missing_scopes<'a>(asked: &'a [String], granted: &str) -> Vec<&'a str> {
    let granted: Vec<&str> = granted
        .split([' ', ','])
        .filter(|name| !name.is_empty())
        .collect();
    asked
        .iter()
        .map(String::as_str)
        // It asks for a refresh token and is no right of the token: hardly
        // anybody repeats it.
        .filter(|name| *name != "offline_access")
        .filter(|name| !granted.contains(name))
        .collect()
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
