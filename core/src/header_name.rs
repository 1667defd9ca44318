//! Names of headers that a collection may set.

/// Headers that describe one connection or one message on it, and are therefore
/// the proxy's own: RFC 9110 §7.6.1 and §7.2, RFC 9112 §6. In lower case.
pub const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Beginnings of such names. In lower case.
pub const RESERVED_PREFIXES: [&str; 2] = ["proxy-", "x-forwarded-"];

/// The punctuation that a name may consist of besides letters and digits
/// (`tchar`, RFC 9110 §5.6.2).
pub const PUNCTUATION: &str = "!#$%&'*+-.^_`|~";

/// The name cannot be set on a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeaderName {
    /// Not a token.
    #[error("\"{0}\" cannot be a header name: write letters, digits and any of {PUNCTUATION}")]
    NotToken(String),
    /// A header of the connection.
    #[error("header \"{0}\" is set by the proxy itself: leave it out")]
    Reserved(String),
}

/// Whether a text is a `token` (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || PUNCTUATION.as_bytes().contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether a collection may set a header of this name.
///
/// # Errors
/// [`InvalidHeaderName`], saying why not.
pub fn check(name: &str) -> Result<(), InvalidHeaderName> {
    if !is_token(name) {
        return Err(InvalidHeaderName::NotToken(name.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    let prefixed = RESERVED_PREFIXES
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    if prefixed || RESERVED.contains(&lower.as_str()) {
        return Err(InvalidHeaderName::Reserved(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_apis_can_be_set() {
        for name in [
            "Authorization",
            "x-api-key",
            "Cookie",
            "X_Odd.Name",
            "x-forwardedness",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    /// Requirement 89.
    #[test]
    fn what_is_no_token_cannot() {
        for name in ["", "a b", "a:", ":path", "a\r\nb", "ä", "a(b)"] {
            let expected = InvalidHeaderName::NotToken(name.to_owned());
            assert_eq!(check(name), Err(expected), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_the_connection_cannot_in_any_case() {
        for name in [
            "Connection",
            "Content-Length",
            "Expect",
            "Forwarded",
            "HOST",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Via",
            "Proxy-Authorization",
            "X-Forwarded-For",
        ] {
            let expected = InvalidHeaderName::Reserved(name.to_owned());
            assert_eq!(check(name), Err(expected), "{name}");
        }
    }
}
