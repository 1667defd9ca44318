//! Texts with variables: `Bearer ${secret.api-key}`.
//!
//! ```text
//! template    = *( literal / "$${" / "${" term "}" )     "$${" is a literal "${"
//! term        = ( variable / "(" 1*( string / term ) ")" ) *( "|" filter )
//! variable    = "secret." KEY [ "#" JSON-pointer ] / "values." NAME / "baseUrl" /
//!               "uuid" / "now.unix" / "now.iso8601" / "token" [ "." FIELD ] /
//!               "jwt.keyFingerprint" / "jwt"
//! alias       = "<" NAME ">"                             a value, or else a key of the Secret
//! string      = DQUOTE … DQUOTE                          \" and \\ inside
//! filter      = "base64" / "base64url" / "hex" / "sha256hex" / "sha256base64" /
//!               "hmacSha256:" KEY / "urlencode" / "upper" / "lower" / "trim"
//! ```
//!
//! A template is parsed once, so that whatever is wrong with the text itself is
//! found when the manifest is read. What it refers to is looked up when it is
//! rendered, and a name that is not there is an error, never an empty string.
//! `uuid`, `now`, `token` and `jwt` are known late, when a call is made or a
//! token is asked for or there: what they are in is rendered as far as it is
//! known, and the rest is left to the sidecar ([`Varying`]) or to whoever asks for a token
//! ([`LateText`]). An alias is read only where [`Template::parse_with_aliases`]
//! is asked to.

pub(crate) mod filter;
mod late_text;
mod parse;
mod piece;
mod place;
mod scope;
mod template_error;
mod variable;
mod varying;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::bundle::Value;
use crate::{Secret, percent};
use filter::{Filter, KeyName};
use place::Escape;

pub use late_text::{Captured, LateText, LateValues, NoValueYet};
pub use template_error::{TemplateError, TemplateProblem};
pub use variable::{CallVariable, LateVariable};
pub use varying::{FieldMissing, Moment, Varying};

pub(crate) use piece::{Piece, concatenated};
pub(crate) use place::{Place, json_string};
pub(crate) use scope::{RenderError, Scope};

/// A parsed text with variables.
///
/// Two templates are equal when their texts are. The text is not a secret: it
/// is what the manifest says.
#[derive(Clone)]
pub struct Template {
    text: Box<str>,
    parts: Vec<Part>,
}

/// What a template, or a parenthesised composition in it, is made of.
#[derive(Clone)]
enum Part {
    Literal(Box<str>),
    Term(Term),
}

#[derive(Clone)]
struct Term {
    primary: Primary,
    filters: Vec<Filter<KeyName>>,
}

#[derive(Clone)]
enum Primary {
    Variable(Variable),
    Composition(Vec<Part>),
}

#[derive(Clone)]
enum Variable {
    Secret {
        key: Box<str>,
        pointer: Option<Box<str>>,
    },
    Value(Box<str>),
    BaseUrl,
    /// Of the public key that JWTs are signed with.
    KeyFingerprint,
    /// One of `values`, or else a key of the Secret.
    Alias(Box<str>),
    Late(LateVariable),
}

/// What a template refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References<'a> {
    /// Keys of the environment's Secret, those of `hmacSha256:KEY` too.
    pub secret_keys: BTreeSet<&'a str>,
    /// Names in the environment's `values`.
    pub values: BTreeSet<&'a str>,
    /// Whether `baseUrl` is among them.
    pub base_url: bool,
    /// Names in `values`, or where they are not there keys of the Secret.
    pub aliases: BTreeSet<&'a str>,
    /// Whether `jwt.keyFingerprint` is among them.
    pub key_fingerprint: bool,
    /// Variables that are known late.
    pub late: BTreeSet<&'a LateVariable>,
}

impl References<'_> {
    /// Whether the JWT of a request is among them.
    pub fn refers_to_jwt(&self) -> bool {
        self.late.contains(&LateVariable::Jwt)
    }
}

impl Template {
    /// Reads a text with variables.
    ///
    /// # Errors
    /// [`TemplateError`], with the position and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            text: text.into(),
            parts: parse::template(text, parse::Aliases::None)?,
        })
    }

    /// Reads a text in which `<name>` is a variable, too.
    ///
    /// # Errors
    /// As of [`Template::parse`].
    pub fn parse_with_aliases(text: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            text: text.into(),
            parts: parse::template(text, parse::Aliases::Angles)?,
        })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The resulting text, where it depends on nothing.
    pub fn as_literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_ref()),
                Part::Term(_) => None,
            })
            .collect()
    }

    /// The first character of the text itself, outside variables, that no path
    /// may hold unescaped (RFC 3986 §3.3).
    pub fn offending_in_path(&self) -> Option<char> {
        self.parts.iter().find_map(|part| match part {
            Part::Literal(text) => percent::offending_in_path(text),
            Part::Term(_) => None,
        })
    }

    /// Every name it refers to.
    pub fn references(&self) -> References<'_> {
        let mut references = References::default();
        collect(&self.parts, &mut references);
        references
    }

    /// Whether it refers to a key of the Secret, whatever `values` holds.
    pub fn refers_to_secret(&self) -> bool {
        !self.references().secret_keys.is_empty()
    }

    /// Whether it refers to a token or a field of one.
    pub fn refers_to_token(&self) -> bool {
        let of_token = |variable: &&LateVariable| {
            matches!(variable, LateVariable::Call(CallVariable::Token(_)))
        };
        self.references().late.iter().any(of_token)
    }

    /// The keys of the Secret that it refers to, given what is in `values`.
    pub(crate) fn secret_keys<'a>(
        &'a self,
        values: &'a BTreeMap<String, String>,
    ) -> BTreeSet<&'a str> {
        let references = self.references();
        let mut keys = references.secret_keys;
        let aliases = references.aliases.into_iter();
        keys.extend(aliases.filter(|name| !values.contains_key(*name)));
        keys
    }

    /// Whether the text is JSON, whatever its variables stand for. They may
    /// stand in strings, and for whole values.
    pub fn is_json(&self) -> bool {
        let mut place = Place::JSON;
        let mut sample = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    place.pass(text);
                    sample.push_str(text);
                }
                Part::Term(_) => sample.push_str(match place.variable() {
                    Escape::JsonValue => "null",
                    _ => "x",
                }),
            }
        }
        serde_json::from_str::<serde::de::IgnoredAny>(&sample).is_ok()
    }

    /// The text with every variable replaced, but those that are known late.
    ///
    /// # Errors
    /// [`RenderError`], naming what is missing, never a value.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Value, RenderError> {
        let pieces = evaluate(&self.parts, scope)?;
        let of_calls = |variable: &LateVariable| match variable {
            LateVariable::Call(variable) => Ok(Piece::Variable(variable.clone())),
            LateVariable::RefreshToken
            | LateVariable::Jwt
            | LateVariable::Step { .. }
            | LateVariable::ClientAssertion
            | LateVariable::SubjectToken => Err(RenderError::NotHere(variable.clone())),
        };
        piece::replaced(&pieces, &of_calls).map(Value::of_pieces)
    }

    /// The text for a token request, with every variable replaced but those
    /// that are known late, and each value escaped for where it stands.
    ///
    /// # Errors
    /// As of [`Template::render`].
    pub(crate) fn render_late(
        &self,
        scope: &Scope<'_>,
        mut place: Place,
    ) -> Result<LateText, RenderError> {
        let mut text = LateText::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => {
                    place.pass(literal);
                    text.push(vec![Piece::text(literal)], Escape::None);
                }
                Part::Term(term) => text.push(term.evaluate(scope)?, place.variable()),
            }
        }
        Ok(text)
    }

    /// Whether a step's answer says to which host this URL leads.
    pub fn is_host_from_step(&self) -> bool {
        let mut place = Place::URL;
        self.parts.iter().any(|part| match part {
            Part::Literal(literal) => {
                place.pass(literal);
                false
            }
            Part::Term(_) => {
                let before_path = place.is_before_path();
                place.variable();
                let mut references = References::default();
                collect(std::slice::from_ref(part), &mut references);
                let of_step = |it: &&LateVariable| matches!(it, LateVariable::Step { .. });
                before_path && references.late.iter().any(of_step)
            }
        })
    }

    /// The text with every variable replaced.
    ///
    /// # Errors
    /// [`RenderError`], also where a variable is new on each call.
    pub(crate) fn render_fixed(&self, scope: &Scope<'_>) -> Result<Secret, RenderError> {
        known(evaluate(&self.parts, scope)?).map(Secret::from)
    }

    /// The text with every variable replaced by its value, escaped for one
    /// segment of a path. A slash in the text itself separates segments.
    ///
    /// # Errors
    /// As of [`Template::render_fixed`].
    pub(crate) fn render_path(&self, scope: &Scope<'_>) -> Result<Secret, RenderError> {
        let escaped = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Ok(Piece::text(text)),
            Part::Term(term) => {
                let value = known(term.evaluate(scope)?)?;
                let escaped = utf8_percent_encode(&value, percent::SEGMENT);
                // Room for all at once: growing would leave copies behind.
                let mut text = Zeroizing::new(String::with_capacity(value.len() * 3));
                text.extend(escaped);
                Ok(Piece::Text(text))
            }
        });
        known(escaped.collect::<Result<_, _>>()?).map(Secret::from)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text).finish()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn collect<'a>(parts: &'a [Part], references: &mut References<'a>) {
    for part in parts {
        let Part::Term(term) = part else { continue };
        match &term.primary {
            Primary::Variable(Variable::Secret { key, .. }) => {
                references.secret_keys.insert(key);
            }
            Primary::Variable(Variable::Value(name)) => {
                references.values.insert(name);
            }
            Primary::Variable(Variable::BaseUrl) => references.base_url = true,
            Primary::Variable(Variable::KeyFingerprint) => references.key_fingerprint = true,
            Primary::Variable(Variable::Alias(name)) => {
                references.aliases.insert(name);
            }
            Primary::Variable(Variable::Late(variable)) => {
                references.late.insert(variable);
            }
            Primary::Composition(parts) => collect(parts, references),
        }
        references
            .secret_keys
            .extend(term.filters.iter().filter_map(Filter::secret_key));
    }
}

fn evaluate(parts: &[Part], scope: &Scope<'_>) -> Result<Vec<Piece<LateVariable>>, RenderError> {
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Literal(text) => pieces.push(Piece::text(text)),
            Part::Term(term) => pieces.extend(term.evaluate(scope)?),
        }
    }
    Ok(pieces)
}

fn known(pieces: Vec<Piece<LateVariable>>) -> Result<Zeroizing<String>, RenderError> {
    piece::joined(pieces).map_err(|_| RenderError::Late)
}

impl Term {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Vec<Piece<LateVariable>>, RenderError> {
        let (pieces, filters) = match (&self.primary, self.filters.split_first()) {
            (Primary::Variable(Variable::Late(variable)), _) => {
                (vec![Piece::Variable(variable.clone())], &*self.filters)
            }
            // A value that is not text can be used if it is encoded first.
            (Primary::Variable(variable), Some((Filter::Bytes(first), rest))) => {
                let bytes = scope.bytes(variable)?;
                let text = first.resolve(scope)?.apply(&bytes);
                (vec![Piece::Text(text)], rest)
            }
            (Primary::Variable(variable), _) => {
                (vec![Piece::Text(scope.text(variable)?)], &*self.filters)
            }
            (Primary::Composition(parts), _) => (evaluate(parts, scope)?, &*self.filters),
        };
        if filters.is_empty() {
            return Ok(pieces);
        }
        let filters = filters.iter().map(|filter| filter.resolve(scope));
        let filters = filters.collect::<Result<_, _>>()?;
        Ok(vec![Piece::filtered(pieces, filters)])
    }
}

#[cfg(test)]
mod tests;
