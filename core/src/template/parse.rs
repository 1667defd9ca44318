//! Text to template.

use super::filter::{self, BytesFilter, Encoding, Filter, KeyName};
use super::template_error::{TemplateError, TemplateProblem};
use super::variable::{JWT, REFRESH_TOKEN, STEP};
use super::{CallVariable, LateVariable, Part, Primary, Term, Variable};
use crate::closest::closest;

/// The variable of that name.
const BASE_URL: &str = "baseUrl";
/// The variable of that name, and what begins those of its fields.
const TOKEN: &str = "token";
/// What follows `jwt.`.
const KEY_FINGERPRINT: &str = "keyFingerprint";

/// How deep compositions may be nested: far more than anybody writes, and few
/// enough for any stack.
const MAX_DEPTH: usize = 8;

/// What is a variable beside `${…}`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aliases {
    /// Nothing.
    None,
    /// `<name>`.
    Angles,
}

/// Reads a whole template.
pub(super) fn template(text: &str, aliases: Aliases) -> Result<Vec<Part>, TemplateError> {
    let mut parser = Parser { text, at: 0 };
    let mut parts = Vec::new();
    let mut literal = String::new();
    while let Some(next) = parser.peek() {
        if parser.accept("$${") {
            literal.push_str("${");
        } else if parser.rest().starts_with("${") {
            flush(&mut literal, &mut parts);
            parts.push(Part::Term(parser.placeholder()?));
        } else if aliases == Aliases::Angles
            && let Some(alias) = parser.alias()
        {
            flush(&mut literal, &mut parts);
            parts.push(Part::Term(alias));
        } else {
            literal.push(next);
            parser.at += next.len_utf8();
        }
    }
    flush(&mut literal, &mut parts);
    Ok(parts)
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of what comes next.
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn accept(&mut self, token: &str) -> bool {
        let accepted = self.rest().starts_with(token);
        if accepted {
            self.at += token.len();
        }
        accepted
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Everything up to a character that ends a name.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || "|(){}\"".contains(c))
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn error(&self, at: usize, problem: TemplateProblem) -> TemplateError {
        let before = self.text.get(..at).unwrap_or(self.text);
        TemplateError {
            position: before.chars().count() + 1,
            problem,
        }
    }

    /// `${…}`
    fn placeholder(&mut self) -> Result<Term, TemplateError> {
        let start = self.at;
        self.at += "${".len();
        self.skip_space();
        if self.peek().is_none() {
            return Err(self.error(start, TemplateProblem::Unclosed));
        }
        let term = self.term(0)?;
        match self.peek() {
            Some('}') => {
                self.at += 1;
                Ok(term)
            }
            Some(other) => Err(self.error(self.at, TemplateProblem::Unexpected(other))),
            None => Err(self.error(start, TemplateProblem::Unclosed)),
        }
    }

    /// `<name>`, if that is what comes next: a `<` of another meaning is none.
    fn alias(&mut self) -> Option<Term> {
        let (name, _) = self.rest().strip_prefix('<')?.split_once('>')?;
        let alias = key(name).ok()?;
        self.at += name.len() + "<>".len();
        Some(Term {
            primary: Primary::Variable(Variable::Alias(alias)),
            filters: Vec::new(),
        })
    }

    fn term(&mut self, depth: usize) -> Result<Term, TemplateError> {
        let primary = if self.peek() == Some('(') {
            Primary::Composition(self.composition(depth)?)
        } else {
            Primary::Variable(self.variable()?)
        };
        self.skip_space();
        let mut filters = Vec::new();
        while self.accept("|") {
            self.skip_space();
            filters.push(self.filter()?);
            self.skip_space();
        }
        Ok(Term { primary, filters })
    }

    /// `(secret.id ":" secret.key)`
    fn composition(&mut self, depth: usize) -> Result<Vec<Part>, TemplateError> {
        let start = self.at;
        if depth == MAX_DEPTH {
            return Err(self.error(start, TemplateProblem::TooDeep(MAX_DEPTH)));
        }
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(')') if parts.is_empty() => {
                    return Err(self.error(self.at, TemplateProblem::Empty));
                }
                Some(')') => {
                    self.at += 1;
                    return Ok(parts);
                }
                Some('"') => parts.push(Part::Literal(self.string()?.into())),
                Some('}') | None => {
                    return Err(self.error(start, TemplateProblem::UnclosedComposition));
                }
                Some(_) => parts.push(Part::Term(self.term(depth + 1)?)),
            }
        }
    }

    /// `":"`
    fn string(&mut self) -> Result<String, TemplateError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + offset + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(self.error(start, TemplateProblem::UnclosedString))
    }

    fn variable(&mut self) -> Result<Variable, TemplateError> {
        let start = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(match self.peek() {
                Some('}' | '|') | None => self.error(start, TemplateProblem::Empty),
                Some(other) => self.error(start, TemplateProblem::Unexpected(other)),
            });
        }
        let unknown = || TemplateProblem::UnknownVariable {
            name: word.to_owned(),
            meant: meant(word),
        };
        let parsed = match word.split_once('.') {
            Some(("secret", rest)) => secret_variable(rest),
            Some(("values", name)) => key(name).map(Variable::Value),
            Some((TOKEN, field)) => {
                key(field).map(|field| of_call(CallVariable::Token(Some(field))))
            }
            Some((STEP, rest)) => step_variable(rest),
            Some((JWT, KEY_FINGERPRINT)) => Ok(Variable::KeyFingerprint),
            None if word == REFRESH_TOKEN => Ok(Variable::Late(LateVariable::RefreshToken)),
            None if word == JWT => Ok(Variable::Late(LateVariable::Jwt)),
            Some(_) | None if word == BASE_URL => Ok(Variable::BaseUrl),
            Some(_) | None => late(word).ok_or_else(unknown),
        };
        parsed.map_err(|problem| self.error(start, problem))
    }

    fn filter(&mut self) -> Result<Filter<KeyName>, TemplateError> {
        let start = self.at;
        let word = self.word();
        let (name, argument) = match word.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (word, None),
        };
        if name == filter::HMAC {
            let key = match argument {
                None | Some("") => Err(TemplateProblem::ArgumentMissing),
                Some(argument) => key(argument),
            }
            .map_err(|problem| self.error(start, problem))?;
            let encoding = self.encoding();
            return encoding
                .map(|encoding| Filter::Bytes(BytesFilter::HmacSha256 { key, encoding }))
                .ok_or_else(|| self.error(start, TemplateProblem::RawBytes));
        }
        let problem = match (Filter::of_name(name), argument) {
            (Some(filter), None) => return Ok(filter),
            (Some(_), Some(_)) => TemplateProblem::ArgumentUnexpected(name.to_owned()),
            (None, _) => TemplateProblem::UnknownFilter {
                name: name.to_owned(),
                meant: closest(name, filter::NAMES).map(str::to_owned),
            },
        };
        Err(self.error(start, problem))
    }

    /// The filter that must follow raw bytes.
    fn encoding(&mut self) -> Option<Encoding> {
        self.skip_space();
        self.accept("|").then_some(())?;
        self.skip_space();
        Encoding::of_name(self.word())
    }
}

fn of_call(variable: CallVariable) -> Variable {
    Variable::Late(LateVariable::Call(variable))
}

/// A late variable without a field.
fn late(word: &str) -> Option<Variable> {
    let per_call = CallVariable::PER_CALL.into_iter();
    per_call
        .chain([CallVariable::Token(None)])
        .find(|variable| variable.as_str() == word)
        .map(of_call)
}

/// What follows `step.`.
fn step_variable(rest: &str) -> Result<Variable, TemplateProblem> {
    let (step, field) = rest.split_once('.').unwrap_or((rest, ""));
    let [step, field] = [key(step)?, key(field)?];
    Ok(Variable::Late(LateVariable::Step { step, field }))
}

/// What follows `secret.`.
fn secret_variable(rest: &str) -> Result<Variable, TemplateProblem> {
    let Some((name, pointer)) = rest.split_once('#') else {
        return Ok(Variable::Secret {
            key: key(rest)?,
            pointer: None,
        });
    };
    let key = key(name)?;
    // RFC 6901 §3: "~" begins an escape, of which there are two.
    let escapes = pointer.split('~').skip(1);
    let valid =
        pointer.starts_with('/') && escapes.into_iter().all(|rest| rest.starts_with(['0', '1']));
    if !valid {
        return Err(TemplateProblem::InvalidPointer(format!("#{pointer}")));
    }
    Ok(Variable::Secret {
        key,
        pointer: Some(pointer.into()),
    })
}

/// A key as Secrets and ConfigMaps allow it.
fn key(name: &str) -> Result<Box<str>, TemplateProblem> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(TemplateProblem::InvalidKey(name.to_owned()));
    }
    Ok(name.into())
}

/// What was meant by a variable that does not exist.
fn meant(word: &str) -> Option<String> {
    let calls = CallVariable::PER_CALL;
    let names = calls.iter().map(CallVariable::as_str);
    if let Some(name) = closest(word, names.chain([BASE_URL])) {
        return Some(name.to_owned());
    }
    match word.split_once(['.', ':', '/']) {
        Some((head, rest)) => {
            closest(head, ["secret", "values"]).map(|head| format!("{head}.{rest}"))
        }
        // `${secret}` lacks a key, `${api-key}` the word before it.
        None if word == "secret" => Some("secret.KEY".to_owned()),
        None if word == "values" => Some("values.NAME".to_owned()),
        None if word == "now" => Some(CallVariable::NowUnix.as_str().to_owned()),
        None => key(word).ok().map(|key| format!("secret.{key}")),
    }
}
