//! Where in a text a variable stands, and how its value is written there.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::percent::{SEGMENT, UNRESERVED};

/// What a text is, and how much of it was passed already.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// A text that is encoded as a whole, if at all.
    Plain,
    /// JSON (RFC 8259).
    Json(JsonPlace),
    /// A URL (RFC 3986).
    Url(UrlPlace),
}

/// Where in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JsonPlace {
    /// Between the tokens.
    #[default]
    Outside,
    /// In a string.
    String,
    /// In a string, after a backslash.
    Escaped,
}

/// Where in a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UrlPlace {
    /// In its scheme.
    #[default]
    Scheme,
    /// After `//`, or after a variable that begins the URL.
    Authority,
    /// After the first slash of the path.
    Path,
    /// After the question mark.
    Query,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As it is.
    None,
    /// Within the quotes of a JSON string.
    JsonString,
    /// As a JSON value: itself if it is one, or else a string.
    JsonValue,
    /// As one segment of a path.
    Segment,
    /// As a part of a query.
    Query,
}

impl Place {
    /// The beginning of JSON.
    pub(crate) const JSON: Self = Self::Json(JsonPlace::Outside);
    /// The beginning of a URL.
    pub(crate) const URL: Self = Self::Url(UrlPlace::Scheme);

    /// Goes on over a text that stands for itself.
    pub(super) fn pass(&mut self, literal: &str) {
        match self {
            Self::Plain => {}
            Self::Json(place) => literal.chars().for_each(|next| place.pass(next)),
            Self::Url(place) => place.pass(literal),
        }
    }

    /// Whether this is where a URL says to which host it leads.
    pub(super) const fn is_before_path(self) -> bool {
        matches!(self, Self::Url(UrlPlace::Scheme | UrlPlace::Authority))
    }

    /// Goes on over a variable, and says how its value is written.
    pub(super) fn variable(&mut self) -> Escape {
        match self {
            Self::Plain => Escape::None,
            Self::Json(JsonPlace::Outside) => Escape::JsonValue,
            Self::Json(JsonPlace::String | JsonPlace::Escaped) => Escape::JsonString,
            Self::Url(place @ UrlPlace::Scheme) => {
                // It holds the scheme at least.
                *place = UrlPlace::Authority;
                Escape::None
            }
            Self::Url(UrlPlace::Authority) => Escape::None,
            Self::Url(UrlPlace::Path) => Escape::Segment,
            Self::Url(UrlPlace::Query) => Escape::Query,
        }
    }
}

impl JsonPlace {
    fn pass(&mut self, next: char) {
        *self = match (*self, next) {
            (Self::Outside, '"') | (Self::Escaped, _) => Self::String,
            (Self::Outside, _) | (Self::String, '"') => Self::Outside,
            (Self::String, '\\') => Self::Escaped,
            (Self::String, _) => Self::String,
        };
    }
}

impl UrlPlace {
    fn pass(&mut self, literal: &str) {
        let mut rest = literal;
        if *self == Self::Scheme {
            let Some((_, after)) = rest.split_once("//") else {
                return;
            };
            *self = Self::Authority;
            rest = after;
        }
        if *self == Self::Authority {
            let Some(end) = rest.find(['/', '?']) else {
                return;
            };
            *self = Self::Path;
            rest = rest.get(end..).unwrap_or_default();
        }
        if *self == Self::Path && rest.contains('?') {
            *self = Self::Query;
        }
    }
}

impl Escape {
    pub(super) fn apply(self, text: Zeroizing<String>) -> Zeroizing<String> {
        match self {
            Self::None => text,
            Self::JsonString => json_string(&text),
            Self::JsonValue => {
                if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                    return text;
                }
                let inner = json_string(&text);
                let mut quoted = Zeroizing::new(String::with_capacity(inner.len() + 2));
                quoted.push('"');
                quoted.push_str(&inner);
                quoted.push('"');
                quoted
            }
            Self::Segment => percent(&text, SEGMENT),
            Self::Query => percent(&text, UNRESERVED),
        }
    }
}

/// What stands between the quotes (RFC 8259 §7).
pub(crate) fn json_string(text: &str) -> Zeroizing<String> {
    // Room for all at once: growing would leave copies behind.
    let mut escaped = Zeroizing::new(String::with_capacity(text.len() * 6));
    for next in text.chars() {
        match next {
            '"' | '\\' => escaped.extend(['\\', next]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let code = u32::from(control);
                escaped.push_str("\\u00");
                escaped.extend(
                    [code >> 4, code & 15]
                        .map(|digit| char::from_digit(digit, 16).unwrap_or_default()),
                );
            }
            other => escaped.push(other),
        }
    }
    escaped
}

fn percent(text: &str, set: &'static AsciiSet) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(text.len() * 3));
    escaped.extend(utf8_percent_encode(text, set));
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(mut place: Place, text: &str) -> Escape {
        place.pass(text);
        place.variable()
    }

    #[test]
    fn a_place_in_json_is_within_a_string_or_not() {
        for (text, expected) in [
            ("", Escape::JsonValue),
            ("{\"a\": ", Escape::JsonValue),
            ("{\"a\": \"", Escape::JsonString),
            ("{\"a\": \"b\"", Escape::JsonValue),
            ("{\"a\": \"b\\\"", Escape::JsonString),
            ("{\"a\": \"b\\\\\"", Escape::JsonValue),
        ] {
            assert_eq!(after(Place::JSON, text), expected, "{text}");
        }
    }

    #[test]
    fn a_place_in_a_url_is_known_by_what_stands_before() {
        for (text, expected) in [
            ("", Escape::None),
            ("https://", Escape::None),
            ("https://login.", Escape::None),
            ("https://a.test/", Escape::Segment),
            ("https://a.test/x/y-", Escape::Segment),
            ("https://a.test?x=", Escape::Query),
            ("https://a.test/x?y=1&k=", Escape::Query),
        ] {
            assert_eq!(after(Place::URL, text), expected, "{text}");
        }
    }

    #[test]
    fn a_url_that_begins_with_a_variable_goes_on_with_its_path() {
        for (text, expected) in [
            ("", Escape::None),
            (".test", Escape::None),
            ("/oauth/", Escape::Segment),
            ("?k=", Escape::Query),
        ] {
            let mut place = Place::URL;
            assert_eq!(place.variable(), Escape::None);
            assert_eq!(after(place, text), expected, "{text}");
        }
    }

    #[test]
    fn every_text_is_written_so_that_it_is_read_again() {
        for text in [
            "",
            "a",
            "\"",
            "\\",
            "a\u{0}\u{1f}\n\t\r\u{7f}\u{e9}\u{1f600}",
            "</script>",
        ] {
            let owned = || Zeroizing::new(text.to_owned());
            let inner = Escape::JsonString.apply(owned());
            let read: String = serde_json::from_str(&format!("\"{}\"", *inner)).unwrap();
            assert_eq!(read, text);
            let value = Escape::JsonValue.apply(owned());
            let read: String = serde_json::from_str(&value).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn outside_quotes_what_is_json_stays_and_all_else_becomes_a_string() {
        for (text, expected) in [
            ("7", "7"),
            ("-1.5e3", "-1.5e3"),
            ("true", "true"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("007", "\"007\""),
            ("1}", "\"1}\""),
            ("1, \"x\": 2", "\"1, \\\"x\\\": 2\""),
        ] {
            let value = Escape::JsonValue.apply(Zeroizing::new(text.to_owned()));
            assert_eq!(*value, expected);
        }
    }

    #[test]
    fn a_value_in_a_url_cannot_leave_its_place() {
        let written = |escape: Escape| escape.apply(Zeroizing::new("a/../b?c&d=e".to_owned()));
        assert_eq!(*written(Escape::Segment), "a%2F..%2Fb%3Fc&d=e");
        assert_eq!(*written(Escape::Query), "a%2F..%2Fb%3Fc%26d%3De");
    }
}
