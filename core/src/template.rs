//! Texts with variables: `Bearer ${secret.api-key}`.
//!
//! ```text
//! template    = *( literal / "$${" / "${" term "}" )     "$${" is a literal "${"
//! term        = ( variable / "(" 1*( string / term ) ")" ) *( "|" filter )
//! variable    = "secret." KEY [ "#" JSON-pointer ] / "values." NAME
//! string      = DQUOTE … DQUOTE                          \" and \\ inside
//! filter      = "base64" / "base64url" / "hex" / "sha256hex" / "sha256base64" /
//!               "hmacSha256:" KEY / "urlencode" / "upper" / "lower" / "trim"
//! ```
//!
//! A template is parsed once, so that whatever is wrong with the text itself is
//! found when the manifest is read. What it refers to is looked up when it is
//! rendered, and a name that is not there is an error, never an empty string.

mod filter;
mod parse;
mod scope;
mod template_error;
mod varying;

use std::collections::BTreeSet;
use std::fmt;

use percent_encoding::{AsciiSet, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::{Secret, percent};
use filter::Filter;

pub use template_error::{TemplateError, TemplateProblem};
pub use varying::{Moment, Varying};

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
    filters: Vec<Filter>,
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
}

/// What a template refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References<'a> {
    /// Keys of the environment's Secret, those of `hmacSha256:KEY` too.
    pub secret_keys: BTreeSet<&'a str>,
    /// Names in the environment's `values`.
    pub values: BTreeSet<&'a str>,
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

    /// The text with every variable replaced.
    ///
    /// # Errors
    /// [`RenderError`], naming what is missing, never a value.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Secret, RenderError> {
        render(&self.parts, scope, None).map(Secret::from)
    }

    /// The text with every variable replaced by its value, escaped for one
    /// segment of a path. A slash in the text itself separates segments.
    ///
    /// # Errors
    /// [`RenderError`], naming what is missing, never a value.
    pub(crate) fn render_path(&self, scope: &Scope<'_>) -> Result<Secret, RenderError> {
        render(&self.parts, scope, Some(percent::SEGMENT)).map(Secret::from)
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
            Primary::Composition(parts) => collect(parts, references),
        }
        references
            .secret_keys
            .extend(term.filters.iter().filter_map(Filter::secret_key));
    }
}

fn render(
    parts: &[Part],
    scope: &Scope<'_>,
    escaped: Option<&'static AsciiSet>,
) -> Result<Zeroizing<String>, RenderError> {
    let rendered = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => Ok(Zeroizing::new(text.to_string())),
            Part::Term(term) => term.render(scope).map(|text| match escaped {
                Some(set) => Zeroizing::new(utf8_percent_encode(&text, set).to_string()),
                None => text,
            }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    // One allocation of the final size: growing would leave copies behind.
    let length = rendered.iter().map(|text| text.len()).sum();
    let mut whole = Zeroizing::new(String::with_capacity(length));
    for text in &rendered {
        whole.push_str(text);
    }
    Ok(whole)
}

impl Term {
    fn render(&self, scope: &Scope<'_>) -> Result<Zeroizing<String>, RenderError> {
        let (mut text, filters) = match (&self.primary, self.filters.split_first()) {
            // A value that is not text can be used if it is encoded first.
            (Primary::Variable(variable), Some((Filter::Bytes(first), rest))) => {
                (first.apply(&scope.bytes(variable)?, scope)?, rest)
            }
            (Primary::Variable(variable), _) => (scope.text(variable)?, &*self.filters),
            (Primary::Composition(parts), _) => (render(parts, scope, None)?, &*self.filters),
        };
        for filter in filters {
            text = match filter {
                Filter::Bytes(filter) => filter.apply(text.as_bytes(), scope)?,
                Filter::Text(filter) => filter.apply(&text),
            };
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
