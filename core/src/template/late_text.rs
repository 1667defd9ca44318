//! Texts of which a part is known only when they are sent.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::piece::{self, Piece};
use super::place::Escape;
use super::variable::{CallVariable, LateVariable};
use super::varying::Moment;
use crate::Secret;

/// A text of a token request, escaped for the place where each variable
/// stands. Its `Debug` shows nothing: what is known may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct LateText(Vec<Part>);

#[derive(Clone, PartialEq, Eq)]
enum Part {
    /// Escaped already, where it had to be.
    Known(Zeroizing<String>),
    Late {
        pieces: Vec<Piece<LateVariable>>,
        escape: Escape,
    },
}

/// What the late variables of one request stand for.
#[derive(Clone, Copy, Debug)]
pub struct LateValues<'a> {
    /// For what is new on each request.
    pub moment: Moment,
    /// The refresh token in use, where there is one.
    pub refresh_token: Option<&'a Secret>,
    /// The JWT that was signed for the request.
    pub jwt: Option<&'a Secret>,
    /// The JWT by which the client proves who it is.
    pub client_assertion: Option<&'a Secret>,
    /// The token of a ServiceAccount that was issued for the request.
    pub subject_token: Option<&'a Secret>,
    /// What the requests before this one have captured.
    pub steps: Option<&'a Captured>,
}

/// What requests have captured: by the name of the request, and of the field.
pub type Captured = BTreeMap<String, BTreeMap<String, Secret>>;

/// A variable has no value yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("${{{0}}} has no value yet")]
pub struct NoValueYet(pub LateVariable);

impl LateText {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// A text that is known.
    pub fn known(text: &Secret) -> Self {
        Self(vec![Part::Known(Zeroizing::new(text.expose().to_owned()))])
    }

    /// The variable alone.
    pub fn of(variable: LateVariable) -> Self {
        Self(vec![Part::Late {
            pieces: vec![Piece::Variable(variable)],
            escape: Escape::None,
        }])
    }

    pub(super) fn push(&mut self, pieces: Vec<Piece<LateVariable>>, escape: Escape) {
        self.0.push(match piece::joined(pieces) {
            Ok(text) => Part::Known(escape.apply(text)),
            Err(pieces) => Part::Late { pieces, escape },
        });
    }

    /// The text of one request.
    ///
    /// # Errors
    /// [`NoValueYet`], about the first variable of which that is so.
    pub fn render(&self, values: &LateValues<'_>) -> Result<Zeroizing<String>, NoValueYet> {
        let parts = self.0.iter().map(|part| match part {
            Part::Known(text) => Ok(text.clone()),
            Part::Late { pieces, escape } => {
                let known = |variable: &LateVariable| match values.of(variable) {
                    Some(value) => Ok(Piece::<LateVariable>::Text(value)),
                    None => Err(NoValueYet(variable.clone())),
                };
                let pieces = piece::replaced(pieces, &known)?;
                let text = piece::rendered(&pieces, &LateVariable::placeholder);
                Ok(escape.apply(text))
            }
        });
        let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
        Ok(piece::concatenated(&parts))
    }

    /// Whether it waits for what an earlier answer gives.
    pub(crate) fn refers_to_step(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Known(_) => false,
            Part::Late { pieces, .. } => {
                let of_step = |it: &LateVariable| matches!(it, LateVariable::Step { .. });
                pieces.iter().any(|piece| piece.any(&of_step))
            }
        })
    }

    /// What the text will be like: each variable stands for itself. Equal
    /// samples mean equal texts, whatever the late values are.
    pub(crate) fn sample(&self) -> Zeroizing<String> {
        let parts: Vec<_> = self
            .0
            .iter()
            .map(|part| match part {
                Part::Known(text) => text.clone(),
                Part::Late { pieces, escape } => {
                    escape.apply(piece::rendered(pieces, &LateVariable::placeholder))
                }
            })
            .collect();
        piece::concatenated(&parts)
    }
}

impl LateValues<'_> {
    /// Those of a moment alone.
    pub const fn at(moment: Moment) -> Self {
        Self {
            moment,
            refresh_token: None,
            jwt: None,
            client_assertion: None,
            subject_token: None,
            steps: None,
        }
    }

    fn of(&self, variable: &LateVariable) -> Option<Zeroizing<String>> {
        match variable {
            LateVariable::Call(CallVariable::Token(_)) => None,
            LateVariable::Call(variable) => variable.at(&self.moment),
            LateVariable::RefreshToken => self.refresh_token.map(copied),
            LateVariable::Jwt => self.jwt.map(copied),
            LateVariable::ClientAssertion => self.client_assertion.map(copied),
            LateVariable::SubjectToken => self.subject_token.map(copied),
            LateVariable::Step { step, field } => {
                self.steps?.get(&**step)?.get(&**field).map(copied)
            }
        }
    }
}

fn copied(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

impl LateVariable {
    /// As templates have it.
    fn placeholder(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("${{{self}}}"))
    }
}

impl fmt::Debug for LateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LateText(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Place, RenderError, Scope, Template};
    use super::*;

    const MOMENT: Moment = Moment {
        unix_seconds: 1_795_294_800,
        random: [0; 16],
    };

    fn values(refresh_token: Option<&Secret>) -> LateValues<'_> {
        LateValues {
            refresh_token,
            ..LateValues::at(MOMENT)
        }
    }

    fn text(text: &str, place: Place) -> Result<LateText, RenderError> {
        let secret = BTreeMap::from(
            [("odd", "a\"b/c&d"), ("n", "7"), ("id", "shadowed")]
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec().into())),
        );
        let values = BTreeMap::from([("id".to_owned(), "i1".to_owned())]);
        let scope = Scope {
            secret: Some(&secret),
            values: &values,
            base_url: None,
            key_fingerprint: None,
            empty_allowed: false,
        };
        Template::parse_with_aliases(text)
            .unwrap()
            .render_late(&scope, place)
    }

    fn rendered(template: &str, place: Place) -> String {
        let text = text(template, place).unwrap();
        assert_eq!(format!("{text:?}"), "LateText(…)");
        text.render(&values(None)).unwrap().to_string()
    }

    #[test]
    fn each_value_is_written_as_its_place_wants_it() {
        for (template, place, expected) in [
            ("${secret.odd}", Place::Plain, "a\"b/c&d"),
            (
                r#"{"a": "x${secret.odd}", "n": ${secret.n}, "t": ${secret.odd}}"#,
                Place::JSON,
                r#"{"a": "xa\"b/c&d", "n": 7, "t": "a\"b/c&d"}"#,
            ),
            (
                "https://${values.id}.test/${secret.odd}?k=${secret.odd}",
                Place::URL,
                "https://i1.test/a%22b%2Fc&d?k=a%22b%2Fc%26d",
            ),
        ] {
            assert_eq!(rendered(template, place), expected);
        }
    }

    #[test]
    fn late_values_are_written_as_their_places_want_them_too() {
        for (template, place, expected) in [
            (
                r#"{"at": ${now.unix}, "on": "${now.iso8601}", "id": ${uuid}}"#,
                Place::JSON,
                r#"{"at": 1795294800, "on": "2026-11-21T21:00:00Z", "id": "00000000-0000-4000-8000-000000000000"}"#,
            ),
            (
                r#"{"k": "${(secret.odd now.unix)}"}"#,
                Place::JSON,
                r#"{"k": "a\"b/c&d1795294800"}"#,
            ),
            (
                "https://a.test/${(\"x/\" now.unix)}?at=${now.iso8601}",
                Place::URL,
                "https://a.test/x%2F1795294800?at=2026-11-21T21%3A00%3A00Z",
            ),
        ] {
            assert_eq!(rendered(template, place), expected);
        }
    }

    #[test]
    fn an_alias_is_a_value_or_else_a_key_of_the_secret() {
        assert_eq!(rendered("<id> <n>", Place::Plain), "i1 7");
        assert_eq!(
            rendered(r#"{"id": "<id>", "k": "<odd>"}"#, Place::JSON),
            r#"{"id": "i1", "k": "a\"b/c&d"}"#
        );
        let missing = text("<none>", Place::Plain);
        let key = "none".to_owned();
        assert_eq!(missing, Err(RenderError::KeyMissing { key }));
    }

    #[test]
    fn angles_around_anything_else_are_no_alias() {
        for literal in ["a < b > c", "<>", "<a b>", "x <", "${(\"<id>\")}"] {
            let expected = literal.replace("${(\"", "").replace("\")}", "");
            assert_eq!(rendered(literal, Place::Plain), expected);
        }
    }

    #[test]
    fn what_has_no_value_yet_is_an_error_that_names_it() {
        let refresh = LateText::of(LateVariable::RefreshToken);
        let missing = refresh.render(&values(None)).unwrap_err();
        assert_eq!(missing.to_string(), "${refreshToken} has no value yet");
        let token = Secret::new("r1");
        let text = refresh.render(&values(Some(&token))).unwrap();
        assert_eq!(*text, "r1");
        let own = text_of_token().render(&values(Some(&token))).unwrap_err();
        assert_eq!(own.to_string(), "${token} has no value yet");
    }

    fn text_of_token() -> LateText {
        text("${token|upper}", Place::Plain).unwrap()
    }

    #[test]
    fn a_sample_has_every_variable_as_it_is_written() {
        let text = text("k=${secret.n}&at=${now.unix|lower}", Place::Plain).unwrap();
        assert_eq!(*text.sample(), "k=7&at=${now.unix}");
    }
}
