//! Who may speak to the proxy: whoever calls it by a name of this machine, and
//! no page that a browser loaded from elsewhere (DNS rebinding, drive-by
//! requests).

use crate::authority::is_ours;
use crate::http1::{Known, RequestHead};
use crate::problem::Problem;
use crate::slug::Slug;

/// Checks what is the same for every collection. `names` are those by which
/// the proxy may be called besides localhost.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn check(head: &RequestHead<'_, '_>, names: &[String]) -> Result<(), Problem> {
    // In any case: some servers do not tell them apart.
    let refused = |method: &&str| head.method.eq_ignore_ascii_case(method);
    if ["CONNECT", "TRACE", "TRACK"].iter().any(refused) {
        return Err(Problem::new(
            Slug::MethodNotAllowed,
            "CONNECT, TRACE and TRACK are never passed on.",
        ));
    }
    if head.host.is_some_and(|host| !is_ours(host, names)) {
        return Err(Problem::new(
            Slug::ForbiddenHost,
            "The Host of a request must be localhost, a loopback address, or a name that was allowed: call http://localhost.",
        ));
    }
    for field in head.fields {
        let allowed = match Known::of(field.name) {
            Some(Known::Origin) => is_own_origin(field.value, head.host),
            Some(Known::SecFetchSite) => matches!(field.value, b"same-origin" | b"none"),
            _ => true,
        };
        if !allowed {
            return Err(Problem::new(
                Slug::ForbiddenOrigin,
                "Pages in a browser cannot call Credence: let the program on the server call it.",
            ));
        }
    }
    Ok(())
}

fn is_own_origin(origin: &[u8], host: Option<&[u8]>) -> bool {
    let authority = origin.strip_prefix(b"http://");
    authority.is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::FieldStorage;

    fn slug(head: &str) -> Option<Slug> {
        let head = format!("{head}\r\n\r\n");
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(head.as_bytes(), &mut storage).unwrap();
        check(&head, &[]).err().map(|problem| problem.slug)
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for (fields, expected) in [
            ("Origin: http://localhost:2733", None),
            (
                "Origin: http://LocalHost:2733\r\nSec-Fetch-Site: same-origin",
                None,
            ),
            ("Sec-Fetch-Site: none", None),
            ("Origin: http://localhost:8080", Some(Slug::ForbiddenOrigin)),
            (
                "Origin: https://localhost:2733",
                Some(Slug::ForbiddenOrigin),
            ),
            ("Origin: null", Some(Slug::ForbiddenOrigin)),
            ("origin: https://evil.example", Some(Slug::ForbiddenOrigin)),
            ("Sec-Fetch-Site: cross-site", Some(Slug::ForbiddenOrigin)),
            ("Sec-Fetch-Site: same-site", Some(Slug::ForbiddenOrigin)),
        ] {
            let head = format!("GET /a HTTP/1.1\r\nHost: localhost:2733\r\n{fields}");
            assert_eq!(slug(&head), expected, "{fields}");
        }
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        for method in ["CONNECT", "TRACE", "TRACK", "trace", "Trace"] {
            let head = format!("{method} /a HTTP/1.1\r\nHost: localhost");
            assert_eq!(slug(&head), Some(Slug::MethodNotAllowed));
        }
    }

    #[test]
    fn a_request_without_host_is_not_from_a_browser() {
        assert_eq!(slug("GET /a HTTP/1.0"), None);
        assert_eq!(slug("GET /a HTTP/1.1\r\nHost:"), Some(Slug::ForbiddenHost));
    }
}
