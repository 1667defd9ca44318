//! What a cookie that we send may consist of (RFC 6265 §4.1.1).

use crate::header_name::{self, PUNCTUATION};

/// The name cannot be that of a cookie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" cannot be the name of a cookie: write letters, digits and any of {PUNCTUATION}")]
pub struct InvalidCookieName(String);

/// Whether a cookie can have this name: a token, like that of a header.
///
/// # Errors
/// [`InvalidCookieName`].
pub fn check_name(name: &str) -> Result<(), InvalidCookieName> {
    if header_name::is_token(name) {
        Ok(())
    } else {
        Err(InvalidCookieName(name.to_owned()))
    }
}

/// The first character that a cookie's value may not hold: all but
/// `cookie-octet`, which may stand between quotes as a whole.
pub fn offending(value: &str) -> Option<char> {
    let unquoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
    unquoted.chars().find(|c| !allowed(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookies_name_is_a_token() {
        for good in ["session", "__Host-id", "a.b~"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a=b", "a;b", "\u{e9}", "a\n"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cookies_value_holds_nothing_that_ends_it() {
        for good in [
            "",
            "abc",
            "a=b",
            "\"quoted\"",
            "a/b+c==",
            "!#$%&'()*+-./:<=>?@[]^_`{|}~",
        ] {
            assert_eq!(offending(good), None, "{good}");
        }
        for (bad, found) in [
            ("a;b", ';'),
            ("a,b", ','),
            ("a b", ' '),
            ("a\"b", '"'),
            ("\"a\"b", '"'),
            ("\"", '"'),
            ("\"a\"\"", '"'),
            ("a\\b", '\\'),
            ("\u{e9}", '\u{e9}'),
            ("a\u{7f}", '\u{7f}'),
        ] {
            assert_eq!(offending(bad), Some(found), "{bad}");
        }
    }
}
