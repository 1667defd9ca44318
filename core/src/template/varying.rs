//! Texts that are put on calls and are not the same on each.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::filter::{BytesFilter, Encoding, Filter};
use super::piece::{self, Piece};
use super::variable::CallVariable;
use crate::Secret;
use crate::bundle::{Token, Value};

/// A template of which everything is known but the variables of a call. Its
/// `Debug` shows nothing: what is known may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Varying(pub(crate) Vec<Piece<CallVariable>>);

/// What the variables of one call stand for: every template that is rendered
/// for it gets the same.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix_seconds: i64,
    /// Random bytes.
    pub random: [u8; 16],
}

/// A token has no field of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token has no field \"{0}\"")]
pub struct FieldMissing(pub String);

/// Some call, to see what others will be like: the characters that a template
/// can give do not depend on which.
const SAMPLE: Moment = Moment {
    unix_seconds: 0,
    random: [0; 16],
};

impl Varying {
    /// The text of one call. A variable of a token stands for itself, as the
    /// template has it: [`Varying::bind`] comes first.
    pub fn render(&self, moment: &Moment) -> Zeroizing<String> {
        piece::rendered(&self.0, &|variable| {
            variable
                .at(moment)
                .unwrap_or_else(|| Zeroizing::new(format!("${{{variable}}}")))
        })
    }

    /// Whether something of a token is in it.
    pub fn needs_token(&self) -> bool {
        let of_token = |variable: &CallVariable| matches!(variable, CallVariable::Token(_));
        self.0.iter().any(|piece| piece.any(&of_token))
    }

    /// The text with a token in it: fixed, where nothing else varies.
    ///
    /// # Errors
    /// [`FieldMissing`].
    pub fn bind(&self, token: &Token) -> Result<Value, FieldMissing> {
        let bound = piece::replaced(&self.0, &|variable| match variable {
            CallVariable::Token(None) => Ok(Piece::text(token.value.expose())),
            CallVariable::Token(Some(field)) => token
                .fields
                .get(&**field)
                .map(|value| Piece::text(value.expose()))
                .ok_or_else(|| FieldMissing(field.to_string())),
            other @ (CallVariable::Uuid | CallVariable::NowUnix | CallVariable::NowIso8601) => {
                Ok(Piece::Variable(other.clone()))
            }
        })?;
        Ok(Value::of_pieces(bound))
    }
}

impl Value {
    /// The value, fixed where nothing in it varies.
    pub(crate) fn of_pieces(pieces: Vec<Piece<CallVariable>>) -> Self {
        match piece::joined(pieces) {
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

    /// An access token with a text before it.
    pub(crate) fn token(prefix: &str) -> Self {
        let token = Piece::Variable(CallVariable::Token(None));
        Self::of_pieces(vec![Piece::text(prefix), token])
    }

    /// The value of `Authorization` by RFC 7617 §2, in UTF-8.
    pub(crate) fn basic(username: Self, password: Self) -> Self {
        let mut pair = username.into_pieces();
        pair.push(Piece::text(":"));
        pair.extend(password.into_pieces());
        let encoded = match piece::joined(pair) {
            Ok(pair) => Piece::Text(Zeroizing::new(STANDARD.encode(pair.as_bytes()))),
            Err(pieces) => Piece::Filtered {
                pieces,
                filters: vec![Filter::Bytes(BytesFilter::Encode(Encoding::Base64))],
            },
        };
        Self::of_pieces(vec![Piece::text("Basic "), encoded])
    }

    fn into_pieces(self) -> Vec<Piece<CallVariable>> {
        match self {
            Self::Fixed(secret) => vec![Piece::text(secret.expose())],
            Self::Varying(Varying(pieces)) => pieces,
        }
    }
}

impl fmt::Debug for Varying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Varying(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn moment() -> Moment {
        Moment {
            unix_seconds: 1_795_294_800,
            random: [0xff; 16],
        }
    }

    fn text(text: &str) -> Piece<CallVariable> {
        Piece::text(text)
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

    fn token() -> Token {
        Token {
            fields: BTreeMap::from([("realm".to_owned(), Secret::new("9"))]),
            ..Token::new(Secret::new("t0k"), 1)
        }
    }

    fn of_token(field: Option<&str>) -> Piece<CallVariable> {
        Piece::Variable(CallVariable::Token(field.map(Into::into)))
    }

    #[test]
    fn a_token_is_put_in_and_what_is_new_on_each_call_stays() {
        let whole = Varying(vec![text("Bearer "), of_token(None)]);
        assert!(whole.needs_token());
        assert_eq!(whole.bind(&token()).unwrap().fixed(), Some("Bearer t0k"));

        let encoded = Varying(vec![Piece::Filtered {
            pieces: vec![of_token(Some("realm")), text(":"), of_token(None)],
            filters: vec![Filter::Bytes(BytesFilter::Encode(Encoding::Base64))],
        }]);
        assert!(encoded.needs_token());
        assert_eq!(encoded.bind(&token()).unwrap().fixed(), Some("OTp0MGs="));

        let mixed = Varying(vec![
            of_token(None),
            text("-"),
            Piece::Variable(CallVariable::NowUnix),
        ]);
        let Value::Varying(bound) = mixed.bind(&token()).unwrap() else {
            panic!("fixed");
        };
        assert!(!bound.needs_token());
        assert_eq!(*bound.render(&moment()), "t0k-1795294800");
    }

    #[test]
    fn what_a_token_lacks_is_an_error_and_never_an_empty_text() {
        let varying = Varying(vec![of_token(Some("shop"))]);
        let missing = FieldMissing("shop".to_owned());
        assert_eq!(varying.bind(&token()), Err(missing));
        assert_eq!(*varying.render(&moment()), "${token.shop}");
    }
}
