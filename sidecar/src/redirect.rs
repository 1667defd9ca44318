//! Where a client would go that follows a provider's `Location`.

use crate::target;

/// Whether a client could be led to another collection, whose credential would
/// then be added to a call that this provider made up.
///
/// Every collection is at the same origin for the client, and clients read more
/// into a reference than RFC 3986 does: those of the URL Standard drop tabs,
/// take `\` for `/`, `http:x` for a relative reference and `127.1` for an
/// address. What they could take for a way back here is left out of the answer.
pub(crate) fn leads_astray(reference: &[u8]) -> bool {
    if reference.contains(&b'\t') {
        return true;
    }
    let rest = match scheme(reference) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"http") => {
            let rest = &reference[scheme.len() + 1..];
            if !rest.starts_with(b"//") {
                return true;
            }
            rest
        }
        // The sidecar does not speak it.
        Some(_) => return false,
        None => reference,
    };
    match rest.strip_prefix(b"//") {
        Some(rest) => may_be_local(authority(rest)),
        // On the API's own host, which the caller of this function sees to.
        None if rest.starts_with(b"/") => false,
        None => target::is_ambiguous(path(rest)),
    }
}

/// A reference without its query and fragment.
pub(crate) fn path(reference: &[u8]) -> &[u8] {
    let end = reference.iter().position(|b| matches!(b, b'?' | b'#'));
    &reference[..end.unwrap_or(reference.len())]
}

fn scheme(reference: &[u8]) -> Option<&[u8]> {
    let end = reference
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b)))?;
    let named = reference[end] == b':' && reference.first().is_some_and(u8::is_ascii_alphabetic);
    named.then(|| &reference[..end])
}

fn authority(rest: &[u8]) -> &[u8] {
    let end = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#' | b'\\'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let user = authority.iter().rposition(|b| *b == b'@');
    &authority[user.map_or(0, |user| user + 1)..]
}

/// Localhost and what is below it, and all addresses: there are too many ways to write one.
fn may_be_local(authority: &[u8]) -> bool {
    let port = authority.iter().position(|b| *b == b':');
    let host = &authority[..port.unwrap_or(authority.len())];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    let last = host.rsplit(|b| *b == b'.').find(|label| !label.is_empty());
    let local =
        |label: &[u8]| label.eq_ignore_ascii_case(b"localhost") || label[0].is_ascii_digit();
    !host.iter().all(plain) || last.is_none_or(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_back_to_the_sidecar_lead_astray() {
        for reference in [
            "../stripe/v1/charges",
            "a/../../stripe",
            "%2e%2e/stripe",
            "..\\stripe",
            "\\\\localhost:2733\\stripe",
            "http://localhost:2733/stripe",
            "HTTP://LOCALHOST:2733/stripe",
            "http://user@localhost:2733/stripe",
            "http://127.0.0.1:2733/stripe",
            "http://127.1:2733/stripe",
            "http://2130706433:2733/stripe",
            "http://0x7f000001:2733/stripe",
            "http://localhost.:2733/stripe",
            "http://[::1]:2733/stripe",
            "http://%6cocalhost:2733/stripe",
            "http://evil.localhost:2733/stripe",
            "http:///localhost:2733/stripe",
            "//localhost:2733/stripe",
            "http:/stripe/v1",
            "http:stripe",
            "/\t/localhost:2733/stripe",
        ] {
            assert!(leads_astray(reference.as_bytes()), "{reference}");
        }
    }

    #[test]
    fn other_redirects_do_not() {
        for reference in [
            "",
            "/v1/items",
            "items/7",
            "?page=2",
            "#x",
            "a.b/..c",
            "https://localhost/x",
            "https://127.0.0.1/x",
            "http://example.com/x",
            "http://3com.example/x",
            "//cdn.example.com/x",
            "mailto:a@b.test",
        ] {
            assert!(!leads_astray(reference.as_bytes()), "{reference}");
        }
    }
}
