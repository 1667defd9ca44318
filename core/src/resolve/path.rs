//! A credential that is part of the path.

use percent_encoding::percent_decode_str;

use crate::Secret;

/// Why a text cannot be put between the base URL and the caller's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidPath {
    /// Nothing between two slashes, or nothing at all.
    EmptySegment,
    /// `.` or `..`, which servers resolve (RFC 3986 §5.2.4).
    DotSegment,
}

/// The segments with a slash before each and none at the end, from a text in
/// which all but slashes is escaped.
pub(super) fn segments(text: &str) -> Result<Secret, InvalidPath> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    for segment in text.split('/') {
        if segment.is_empty() {
            return Err(InvalidPath::EmptySegment);
        }
        if matches!(
            &*percent_decode_str(segment).collect::<Vec<u8>>(),
            b"." | b".."
        ) {
            return Err(InvalidPath::DotSegment);
        }
    }
    Ok(Secret::new(format!("/{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_around_do_not_matter() {
        for text in ["bot1", "/bot1", "bot1/", "/bot1/"] {
            assert_eq!(segments(text), Ok(Secret::new("/bot1")), "{text}");
        }
        assert_eq!(segments("/a/b:c/"), Ok(Secret::new("/a/b:c")));
        assert_eq!(segments("..."), Ok(Secret::new("/...")));
    }

    #[test]
    fn what_a_server_would_resolve_is_refused() {
        for (text, expected) in [
            ("", InvalidPath::EmptySegment),
            ("/", InvalidPath::EmptySegment),
            ("a//b", InvalidPath::EmptySegment),
            ("//a", InvalidPath::EmptySegment),
            ("a//", InvalidPath::EmptySegment),
            (".", InvalidPath::DotSegment),
            ("a/../b", InvalidPath::DotSegment),
            ("%2e%2E", InvalidPath::DotSegment),
            (".%2e/a", InvalidPath::DotSegment),
        ] {
            assert_eq!(segments(text), Err(expected), "{text}");
        }
    }
}
