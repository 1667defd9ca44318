//! Texts with variables: `Bearer ${secret.api-key}`.
//!
//! ```text
//! template    = *( literal / "$${" / "${" term "}" )     "$${" is a literal "${"
//! term        = ( variable / "(" 1*( string / term ) ")" ) *( "|" filter )
//! variable    = "secret." KEY [ "#" JSON-pointer ] / "values." NAME / "baseUrl" /
//!               "uuid" / "now.unix" / "now.iso8601"
//! string      = DQUOTE … DQUOTE                          \" and \\ inside
//! filter      = "base64" / "base64url" / "hex" / "sha256hex" / "sha256base64" /
//!               "hmacSha256:" KEY / "urlencode" / "upper" / "lower" / "trim"
//! ```
//!
//! A template is parsed once, so that whatever is wrong with the text itself is
//! found when the manifest is read. What it refers to is looked up when it is
//! rendered, and a name that is not there is an error, never an empty string.
//! The last three variables are new on each call: what they are in is rendered
//! as far as it is known, and the rest is left to the sidecar ([`Varying`]).

pub(crate) mod filter;
mod parse;
mod scope;
mod template_error;
mod varying;

use std::collections::BTreeSet;
use std::fmt;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::bundle::Value;
use crate::{Secret, percent};
use filter::{Filter, KeyName};

pub use template_error::{TemplateError, TemplateProblem};
pub use varying::{Moment, Varying};

pub(crate) use scope::{RenderError, Scope};
pub(crate) use varying::{CallVariable, Piece};

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
    Call(CallVariable),
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
    /// Variables that are new on each call.
    pub per_call: BTreeSet<&'static str>,
}

impl Template {
    /// Reads a text with variables.
    ///
    /// # Errors
    /// [`TemplateError`], with the position and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            text: text.into(),
            parts: parse::template(text)?,
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

    /// Whether it refers to a key of the Secret.
    pub fn refers_to_secret(&self) -> bool {
        !self.references().secret_keys.is_empty()
    }

    /// The text with every variable replaced, but those that are new on each
    /// call.
    ///
    /// # Errors
    /// [`RenderError`], naming what is missing, never a value.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Value, RenderError> {
        evaluate(&self.parts, scope).map(Value::of_pieces)
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
            Part::Literal(text) => Ok(piece(text)),
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
            Primary::Variable(Variable::Call(variable)) => {
                references.per_call.insert(variable.as_str());
            }
            Primary::Composition(parts) => collect(parts, references),
        }
        references
            .secret_keys
            .extend(term.filters.iter().filter_map(Filter::secret_key));
    }
}

fn piece(text: &str) -> Piece {
    Piece::Text(Zeroizing::new(text.to_owned()))
}

fn evaluate(parts: &[Part], scope: &Scope<'_>) -> Result<Vec<Piece>, RenderError> {
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Literal(text) => pieces.push(piece(text)),
            Part::Term(term) => pieces.extend(term.evaluate(scope)?),
        }
    }
    Ok(pieces)
}

fn known(pieces: Vec<Piece>) -> Result<Zeroizing<String>, RenderError> {
    varying::joined(pieces).map_err(|_| RenderError::PerCall)
}

impl Term {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Vec<Piece>, RenderError> {
        let resolved = |filters: &[Filter<KeyName>]| {
            let resolved = filters.iter().map(|filter| filter.resolve(scope));
            resolved.collect::<Result<Vec<_>, _>>()
        };
        let (pieces, filters) = match (&self.primary, self.filters.split_first()) {
            (Primary::Variable(Variable::Call(variable)), _) => {
                (vec![Piece::Variable(*variable)], &*self.filters)
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
        let filters = resolved(filters)?;
        Ok(vec![match varying::joined(pieces) {
            Ok(text) => {
                let filtered = filters
                    .iter()
                    .fold(text, |text, filter| filter.apply(&text));
                Piece::Text(filtered)
            }
            Err(pieces) => Piece::Filtered { pieces, filters },
        }])
    }
}

#[cfg(test)]
mod tests;
