//! Where a client would go that follows a provider's `Location`.

use crate::target;

/// Whether a client could be led to another collection, whose credential would
/// then be added to a call that this provider made up.
///
/// Every collection is at the same origin for the client, and clients read more
/// into a reference than RFC 3986 does: those of the URL Standard drop tabs,
/// take `\` for `/`, `http:x` for a relative reference and `127.1` for an
/// address. What they could take for a way back here is left out of the answer.
/// `called` is the authority by which the client reached us, which may be
/// another name of this machine.
pub(crate) fn leads_astray(reference: &[u8], called: Option<&[u8]>) -> bool {
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
        Some(rest) => {
            let host = host(authority(rest));
            let same = called.is_some_and(|called| self::host(called).eq_ignore_ascii_case(host));
            same || may_be_local(host)
        }
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

/// What stands before the port.
fn host(authority: &[u8]) -> &[u8] {
    let port = authority.iter().position(|b| *b == b':');
    &authority[..port.unwrap_or(authority.len())]
}

/// Localhost and what is below it, and all addresses: there are too many ways to write one.
fn may_be_local(host: &[u8]) -> bool {
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
            assert!(leads_astray(reference.as_bytes(), None), "{reference}");
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
            assert!(
                !leads_astray(reference.as_bytes(), Some(b"dev.test:2733")),
                "{reference}"
            );
        }
    }

    #[test]
    fn the_name_by_which_the_client_came_is_a_way_back() {
        for reference in [
            "http://Dev.test:2733/stripe",
            "//dev.test/stripe",
            "http://dev.test:9000/",
        ] {
            let called = Some(&b"dev.test:2733"[..]);
            assert!(leads_astray(reference.as_bytes(), called), "{reference}");
            assert!(!leads_astray(reference.as_bytes(), None), "{reference}");
        }
    }
}
