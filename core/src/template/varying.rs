//! Texts that are new on each call.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A template of which everything is known but the variables of a call. Its
/// `Debug` shows nothing: what is known may be secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Varying(pub(crate) Vec<Piece>);

/// What it is made of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Piece {
    Text(Zeroizing<String>),
    Variable(CallVariable),
}

/// A variable whose value is new on each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

impl Varying {
    /// The text of one call.
    pub fn render(&self, moment: &Moment) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for piece in &self.0 {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Variable(variable) => text.push_str(&variable.value(moment)),
            }
        }
        text
    }
}

impl CallVariable {
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

    #[test]
    fn one_call_has_one_value_of_each_variable() {
        let moment = Moment {
            unix_seconds: 1_795_294_800,
            random: [0xff; 16],
        };
        let varying = Varying(vec![
            Piece::Text(Zeroizing::new("a ".to_owned())),
            Piece::Variable(CallVariable::Uuid),
            Piece::Text(Zeroizing::new(" ".to_owned())),
            Piece::Variable(CallVariable::NowUnix),
            Piece::Text(Zeroizing::new(" ".to_owned())),
            Piece::Variable(CallVariable::NowIso8601),
        ]);
        assert_eq!(
            *varying.render(&moment),
            "a ffffffff-ffff-4fff-bfff-ffffffffffff 1795294800 2026-11-21T21:00:00Z"
        );
        assert_eq!(format!("{varying:?}"), "Varying(…)");
    }
}
