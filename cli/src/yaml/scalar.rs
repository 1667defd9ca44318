//! What a plain scalar means.
//!
//! `kubectl` reads YAML 1.1 (`yes` is a boolean, `0o17` and `017` are fifteen)
//! and sends JSON; a manifest must mean the same here. The rules are those of
//! the parser that it uses, go-yaml 2.

use serde_json::{Number, Value};

/// The scalar cannot be sent to an API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadScalar {
    /// `.inf` or `.nan`: JSON has neither.
    #[error("is not a finite number: put it in quotes if it is a text")]
    NotFinite,
    /// An explicit tag that the text does not fit.
    #[error("does not fit its tag")]
    NotOfTag,
    /// A tag that JSON has no type for.
    #[error("has a tag that manifests cannot have")]
    UnknownTag,
}

/// The value of a scalar without quotes and without a tag.
pub(crate) fn plain(text: &str) -> Result<Value, BadScalar> {
    if let Some(value) = word(text) {
        return Ok(value);
    }
    let digits = text.replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(Value::String(text.to_owned()));
    }
    if let Some(number) = integer(&digits) {
        return Ok(Value::Number(number));
    }
    if is_infinite_or_nan(text) {
        return Err(BadScalar::NotFinite);
    }
    match float(&digits) {
        Some(float) => Number::from_f64(float)
            .map(Value::Number)
            .ok_or(BadScalar::NotFinite),
        None => Ok(Value::String(text.to_owned())),
    }
}

/// The value of a scalar with a tag of YAML's core schema.
pub(crate) fn tagged(text: &str, tag: &str) -> Result<Value, BadScalar> {
    let value = match tag {
        "str" => return Ok(Value::String(text.to_owned())),
        "null" | "bool" | "int" | "float" => plain(text)?,
        _ => return Err(BadScalar::UnknownTag),
    };
    let fits = match (&value, tag) {
        (Value::Null, "null") | (Value::Bool(_), "bool") | (Value::Number(_), "float") => true,
        (Value::Number(number), "int") => !number.is_f64(),
        _ => false,
    };
    fits.then_some(value).ok_or(BadScalar::NotOfTag)
}

fn word(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        _ => None,
    }
}

fn is_infinite_or_nan(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn integer(digits: &str) -> Option<Number> {
    let (negative, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (radix, body) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // from_str_radix would take a second sign.
    if !body.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(body, radix).ok()?;
    if negative {
        0i64.checked_sub_unsigned(magnitude).map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`: what Rust reads as a
/// number, without its words.
fn float(digits: &str) -> Option<f64> {
    let shaped = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if shaped { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_mean_what_they_mean_to_kubectl() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("5", json!(5)),
            ("-5", json!(-5)),
            ("+5", json!(5)),
            ("017", json!(15)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("2023-06-01", json!("2023-06-01")),
            ("1.2.3", json!("1.2.3")),
            ("09", json!(9.0)),
            ("--5", json!("--5")),
            ("0x", json!("0x")),
            ("truely", json!("truely")),
            ("sk_live_1", json!("sk_live_1")),
            ("infinity", json!("infinity")),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
        for text in [".inf", "-.Inf", ".nan", "1e999"] {
            assert_eq!(plain(text), Err(BadScalar::NotFinite), "{text}");
        }
    }

    #[test]
    fn tags_decide_and_must_fit() {
        assert_eq!(tagged("5", "str"), Ok(json!("5")));
        assert_eq!(tagged("5", "int"), Ok(json!(5)));
        assert_eq!(tagged("x", "int"), Err(BadScalar::NotOfTag));
        assert_eq!(tagged("eA==", "binary"), Err(BadScalar::UnknownTag));
    }
}
