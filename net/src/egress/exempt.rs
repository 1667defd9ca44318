//! `NO_PROXY`: a list without a standard, read as curl and Go read it.

use std::net::IpAddr;

use crate::network::Network;

/// What is reached without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exempt {
    /// `*`.
    Everything,
    /// A domain with all below it, in lower case, on one port or on all.
    Domain { name: Box<str>, port: Option<u16> },
    /// A block of addresses, on one port or on all.
    Addresses { network: Network, port: Option<u16> },
}

impl Exempt {
    /// Entries are separated by commas or white space. Those that are not
    /// understood are left out.
    pub(super) fn parse<T: FromIterator<Self>>(list: &str) -> T {
        list.split(|c: char| c == ',' || c.is_whitespace())
            .filter_map(Self::entry)
            .collect()
    }

    fn entry(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        if text.contains('/') {
            let network = text.parse().ok()?;
            return Some(Self::Addresses {
                network,
                port: None,
            });
        }
        let (host, port) = match text.parse::<IpAddr>() {
            Ok(_) => (text, None),
            Err(_) => match text.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
                Some(_) | None => (text, None),
            },
        };
        let host = host.trim_matches(['[', ']']);
        if let Ok(address) = host.parse() {
            let network = Network::of(address);
            return Some(Self::Addresses { network, port });
        }
        let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.');
        (!name.is_empty()).then(|| Self::Domain {
            name: name.to_ascii_lowercase().into(),
            port,
        })
    }

    pub(super) fn covers(&self, host: &str, to: u16) -> bool {
        let on = |port: &Option<u16>| port.is_none_or(|port| port == to);
        match self {
            Self::Everything => true,
            Self::Domain { name, port } => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(&**name);
                on(port) && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Self::Addresses { network, port } => {
                let address = host.parse::<IpAddr>();
                on(port) && address.is_ok_and(|address| network.contains(address))
            }
        }
    }
}

/// Localhost, and loopback addresses.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    let local = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
    local
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(list: &str, host: &str, port: u16) -> bool {
        let exempt: Vec<Exempt> = Exempt::parse(list);
        exempt.iter().any(|exempt| exempt.covers(host, port))
    }

    #[test]
    fn domains_are_exempt_with_all_below_them() {
        for list in [
            "corp.test",
            ".corp.test",
            "*.corp.test",
            "a, CORP.test.",
            "a corp.test",
        ] {
            for host in ["corp.test", "api.corp.test", "API.Corp.Test", "corp.test."] {
                assert!(covered(list, host, 443), "{list} {host}");
            }
            for host in ["xcorp.test", "corp.test.evil", "test", "10.0.0.1"] {
                assert!(!covered(list, host, 443), "{list} {host}");
            }
        }
    }

    #[test]
    fn addresses_and_blocks_are_exempt() {
        for (list, host, expected) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "11.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("[fd12::1]", "fd12::1", true),
            ("fd12::1", "fd12::2", false),
        ] {
            assert_eq!(covered(list, host, 443), expected, "{list} {host}");
        }
    }

    #[test]
    fn a_port_narrows_an_entry() {
        for list in ["corp.test:8443", "10.0.0.1:8443", "[fd12::1]:8443"] {
            let host = list.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
            assert!(covered(list, host, 8443), "{list}");
            assert!(!covered(list, host, 443), "{list}");
        }
    }

    #[test]
    fn a_star_exempts_everything_and_nonsense_nothing() {
        assert!(covered("a, *", "api.test", 443));
        for list in ["", ",", " ", "10.0.0.0/33", "10.0.0.0/x", "a:b", ".", "x/8"] {
            assert!(!covered(list, "api.test", 443), "{list:?}");
            assert!(!covered(list, "10.0.0.1", 443), "{list:?}");
        }
    }
}
