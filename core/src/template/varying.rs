//! Texts that are new on each call.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::filter::{BytesFilter, Encoding, Filter, HmacKey};
use crate::Secret;
use crate::bundle::Value;

/// A template of which everything is known but the variables of a call. Its
/// `Debug` shows nothing: what is known may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Varying(pub(crate) Vec<Piece>);

/// What it is made of.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What is known.
    Text(Zeroizing<String>),
    /// What is not.
    Variable(CallVariable),
    /// What is made from both.
    Filtered {
        /// What goes into the first filter.
        pieces: Vec<Self>,
        /// One after the other.
        filters: Vec<Filter<HmacKey>>,
    },
}

/// A variable whose value is new on each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallVariable {
    /// A random UUID (RFC 9562 §5.4).
    Uuid,
    /// Seconds since 1970.
    NowUnix,
    /// `2026-11-21T20:00:00Z` (RFC 3339).
    NowIso8601,
}

/// What the variables of one call stand for: every template that is rendered
/// for it gets the same.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix_seconds: i64,
    /// Random bytes.
    pub random: [u8; 16],
}

/// Some call, to see what others will be like: the characters that a template
/// can give do not depend on which.
const SAMPLE: Moment = Moment {
    unix_seconds: 0,
    random: [0; 16],
};

impl Varying {
    /// The text of one call.
    pub fn render(&self, moment: &Moment) -> Zeroizing<String> {
        render(&self.0, moment)
    }
}

impl Value {
    /// The value, fixed where nothing in it varies.
    pub(crate) fn of_pieces(pieces: Vec<Piece>) -> Self {
        match joined(pieces) {
            Ok(text) => Self::Fixed(Secret::from(text)),
            Err(pieces) => Self::Varying(Varying(pieces)),
        }
    }

    /// The text of some call.
    pub(crate) fn sample(&self) -> Zeroizing<String> {
        match self {
            Self::Fixed(secret) => Zeroizing::new(secret.expose().to_owned()),
            Self::Varying(varying) => varying.render(&SAMPLE),
        }
    }

    /// The value of `Authorization` by RFC 7617 §2, in UTF-8.
    pub(crate) fn basic(username: Self, password: Self) -> Self {
        let text = |text: &str| Piece::Text(Zeroizing::new(text.to_owned()));
        let mut pair = username.into_pieces();
        pair.push(text(":"));
        pair.extend(password.into_pieces());
        let encoded = match joined(pair) {
            Ok(pair) => Piece::Text(Zeroizing::new(STANDARD.encode(pair.as_bytes()))),
            Err(pieces) => Piece::Filtered {
                pieces,
                filters: vec![Filter::Bytes(BytesFilter::Encode(Encoding::Base64))],
            },
        };
        Self::of_pieces(vec![text("Basic "), encoded])
    }

    fn into_pieces(self) -> Vec<Piece> {
        match self {
            Self::Fixed(secret) => vec![Piece::Text(Zeroizing::new(secret.expose().to_owned()))],
            Self::Varying(Varying(pieces)) => pieces,
        }
    }
}

/// The whole text, where all of it is known; else the pieces, with neighbours
/// that are known made one.
pub(super) fn joined(pieces: Vec<Piece>) -> Result<Zeroizing<String>, Vec<Piece>> {
    let mut known = Vec::new();
    let mut joined = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => known.push(text),
            other => {
                if !known.is_empty() {
                    joined.push(Piece::Text(concatenated(&known)));
                    known.clear();
                }
                joined.push(other);
            }
        }
    }
    if joined.is_empty() {
        return Ok(concatenated(&known));
    }
    if !known.is_empty() {
        joined.push(Piece::Text(concatenated(&known)));
    }
    Err(joined)
}

fn concatenated(texts: &[Zeroizing<String>]) -> Zeroizing<String> {
    // One allocation of the final size: growing would leave copies behind.
    let length = texts.iter().map(|text| text.len()).sum();
    let mut whole = Zeroizing::new(String::with_capacity(length));
    for text in texts {
        whole.push_str(text);
    }
    whole
}

fn render(pieces: &[Piece], moment: &Moment) -> Zeroizing<String> {
    let rendered: Vec<_> = pieces.iter().map(|piece| piece.render(moment)).collect();
    concatenated(&rendered)
}

impl Piece {
    fn render(&self, moment: &Moment) -> Zeroizing<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Variable(variable) => Zeroizing::new(variable.value(moment)),
            Self::Filtered { pieces, filters } => filters
                .iter()
                .fold(render(pieces, moment), |text, filter| filter.apply(&text)),
        }
    }
}

impl CallVariable {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Uuid, Self::NowUnix, Self::NowIso8601];

    /// As templates spell it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::NowUnix => "now.unix",
            Self::NowIso8601 => "now.iso8601",
        }
    }

    /// The variable of this name, if there is one.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|variable| variable.as_str() == name)
    }

    fn value(self, moment: &Moment) -> String {
        match self {
            Self::Uuid => uuid(moment.random),
            Self::NowUnix => moment.unix_seconds.to_string(),
            Self::NowIso8601 => jiff::Timestamp::from_second(moment.unix_seconds)
                .unwrap_or_default()
                .to_string(),
        }
    }
}

/// Version 4, variant 1 (RFC 9562 §5.4).
fn uuid(random: [u8; 16]) -> String {
    let mut bits = u128::from_be_bytes(random);
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(3 << 62) | 2 << 62;
    let digits = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| &digits[group]).join("-")
}

impl fmt::Debug for Varying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Varying(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment {
            unix_seconds: 1_795_294_800,
            random: [0xff; 16],
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn one_call_has_one_value_of_each_variable() {
        let varying = Varying(vec![
            text("a "),
            Piece::Variable(CallVariable::Uuid),
            text(" "),
            Piece::Variable(CallVariable::NowUnix),
            text(" "),
            Piece::Variable(CallVariable::NowIso8601),
        ]);
        assert_eq!(
            *varying.render(&moment()),
            "a ffffffff-ffff-4fff-bfff-ffffffffffff 1795294800 2026-11-21T21:00:00Z"
        );
        assert_eq!(format!("{varying:?}"), "Varying(…)");
    }

    #[test]
    fn what_is_known_is_one_piece() {
        let variable = || Piece::Variable(CallVariable::Uuid);
        let fixed = Value::of_pieces(vec![text("a"), text("b")]);
        assert_eq!(fixed.fixed(), Some("ab"));
        let varying = Value::of_pieces(vec![
            text("a"),
            text("b"),
            variable(),
            variable(),
            text("c"),
            text("d"),
        ]);
        let expected = vec![text("ab"), variable(), variable(), text("cd")];
        assert!(varying == Value::Varying(Varying(expected)));
    }

    /// RFC 7617 §2, of which the password is a time.
    #[test]
    fn basic_can_vary() {
        let password = Value::of_pieces(vec![Piece::Variable(CallVariable::NowUnix)]);
        let user = || Value::Fixed(Secret::new("Aladdin"));
        let Value::Varying(basic) = Value::basic(user(), password) else {
            panic!("fixed");
        };
        let expected = format!("Basic {}", STANDARD.encode("Aladdin:1795294800"));
        assert_eq!(*basic.render(&moment()), expected);

        let fixed = Value::basic(user(), Value::Fixed(Secret::new("open sesame")));
        assert_eq!(fixed.fixed(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }
}
