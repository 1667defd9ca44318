//! Which authorities are the proxy's own.

use std::net::IpAddr;

/// Whether an authority, with or without a port, is this machine, or one of
/// the names that were allowed besides.
pub(crate) fn is_ours(authority: &[u8], names: &[String]) -> bool {
    let Ok(authority) = std::str::from_utf8(authority) else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    is_local(host) || names.iter().any(|name| host.eq_ignore_ascii_case(name))
}

/// Whether a host is this machine by name or by loopback address.
fn is_local(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let below = host.len().checked_sub(".localhost".len());
    if below.is_some_and(|at| at > 0 && host.as_bytes()[at..].eq_ignore_ascii_case(b".localhost")) {
        return host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    }
    let address = match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .and_then(|inner| inner.parse().ok())
            .map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    };
    address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for host in [
            "localhost",
            "LOCALHOST:2733",
            "a.localhost:1",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:2733",
            "[::1]",
        ] {
            assert!(is_ours(host.as_bytes(), &[]), "{host}");
        }
        for host in [
            "",
            ":80",
            "example.com",
            "localhost.evil.com",
            ".localhost",
            "evillocalhost",
            "10.0.0.1",
            "::1",
            "[::2]",
            "localhost:x",
            "localhost:80@evil.com",
            "e/vil.localhost",
            "127.1",
            "[127.0.0.1]",
            "\u{e9}.localhost",
        ] {
            assert!(!is_ours(host.as_bytes(), &[]), "{host}");
        }
    }

    #[test]
    fn names_that_were_allowed_are_ours_with_any_port() {
        let names = ["credence".to_owned(), "[fd00::1]".to_owned()];
        for host in ["credence", "Credence:2733", "[FD00::1]:80", "localhost"] {
            assert!(is_ours(host.as_bytes(), &names), "{host}");
        }
        for host in [
            "credence.evil.com",
            "xcredence",
            "a.credence",
            "credence:x",
            "fd00::1",
            "[fd00::2]",
            "",
        ] {
            assert!(!is_ours(host.as_bytes(), &names), "{host}");
        }
    }
}
