//! Percent-encoding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is written as `%XX`: all but the unreserved characters of RFC 3986
/// §2.3, so that the result means the same in every part of a URL.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is written as `%XX` in a form, where a space becomes `+`. The URL
/// Standard's form serializer escapes `~`, too, but whoever does not decode
/// what is no reserved character (RFC 3986 §2.3) reads more like this.
pub(crate) const FORM: &AsciiSet = &UNRESERVED.remove(b'*');

/// What is written as `%XX` in one segment of a path: all but `pchar` (RFC 3986
/// §3.3), so that a colon stays a colon.
pub(crate) const SEGMENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The first character that no path may hold: neither `pchar` nor a slash, or a
/// `%` that is not followed by two hexadecimal digits.
pub(crate) fn offending_in_path(text: &str) -> Option<char> {
    let mut rest = text;
    while let Some(found) = rest.chars().next() {
        let after = rest.get(found.len_utf8()..).unwrap_or_default();
        let digits = after.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
        let length = match found {
            '%' if digits == 2 => 3,
            c if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(c) => 1,
            other => return Some(other),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_what_the_standard_allows() {
        assert_eq!(offending_in_path("/a-._~!$&'()*+,;=:@/%2F%aa"), None);
        for (text, found) in [
            ("a b", ' '),
            ("a?b", '?'),
            ("a#", '#'),
            ("%", '%'),
            ("%2", '%'),
            ("%2g", '%'),
            ("\u{e9}", '\u{e9}'),
            ("a\\b", '\\'),
            ("{a}", '{'),
        ] {
            assert_eq!(offending_in_path(text), Some(found), "{text}");
        }
    }
}
