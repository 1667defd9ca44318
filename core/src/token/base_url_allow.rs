//! Where a value from an answer may lead.

use std::fmt;
use std::str::FromStr;

use crate::BaseUrl;
use crate::base_url::{InvalidBaseUrl, Scheme};

/// A host, or all hosts below a domain: `api.example.com`, `*.salesforce.com`;
/// with a port where it is not 443.
#[derive(Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Whether only what is below `name` matches.
    below: bool,
    /// In lower case.
    name: Box<str>,
    port: u16,
}

impl HostPattern {
    /// Whether calls may go to this host, in lower case, and port.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        let name = if self.below {
            // What stands before must be whole labels, and at least one.
            host.strip_suffix(self.name.as_ref())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty() && rest.split('.').all(is_label))
        } else {
            host == self.name.as_ref()
        };
        name && port == self.port
    }
}

/// The text names no hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostPattern {
    /// Not a name of labels and dots, perhaps with `*.` before and a port
    /// behind.
    #[error("\"{0}\" names no host: write api.example.com or *.example.com")]
    Malformed(String),
    /// `*.com`: no one owns all of that.
    #[error("\"{0}\" names hosts of everybody: write at least *.example.com")]
    TooWide(String),
    /// An address.
    #[error("\"{0}\" is an address: write the name of a host")]
    Address(String),
}

impl FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidHostPattern::Malformed(text.to_owned());
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| malformed())?),
            None => (text, Scheme::Https.default_port()),
        };
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        if port == 0 || !name.split('.').all(is_label) {
            return Err(malformed());
        }
        if is_address(name) {
            return Err(InvalidHostPattern::Address(text.to_owned()));
        }
        if below && !name.contains('.') {
            return Err(InvalidHostPattern::TooWide(text.to_owned()));
        }
        Ok(Self {
            below,
            name: name.to_ascii_lowercase().into(),
            port,
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcard = if self.below { "*." } else { "" };
        write!(f, "{wildcard}{}:{}", self.name, self.port)
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A label of a host name (RFC 1123 §2.1); an underscore is no letter there, but
/// some have it.
fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 63 && text.bytes().all(allowed)
}

/// Whether resolvers take a host for an address: by its last label, as the URL
/// standard does, so that `127.1`, `0x7f.1` and `2130706433` are ones too.
fn is_address(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    host.contains(':')
        || last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A value from an answer leads nowhere that calls may go. The messages do not
/// repeat it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedBaseUrl {
    /// Not a URL.
    #[error("the base URL in the token endpoint's answer {0}")]
    Invalid(#[from] InvalidBaseUrl),
    /// Not protected.
    #[error("the base URL in the token endpoint's answer does not begin with https://")]
    Scheme,
    /// An address instead of a name.
    #[error("the base URL in the token endpoint's answer has an address instead of a host name")]
    Address,
    /// A host that nobody allowed.
    #[error(
        "the base URL in the token endpoint's answer leads to a host that spec.baseUrlAllow does \
         not name"
    )]
    Host,
}

/// The base URL that a value from an answer means: its scheme, host and port,
/// and its path if it has one, else that of `base`. A value without a scheme is
/// a host, and perhaps a path.
///
/// # Errors
/// [`RefusedBaseUrl`] for what is not `https` or not a host that `allow` names.
pub fn base_url_of(
    value: &str,
    base: Option<&BaseUrl>,
    allow: &[HostPattern],
) -> Result<BaseUrl, RefusedBaseUrl> {
    let value = value.trim();
    let spelled = if value.contains("://") {
        value.to_owned()
    } else {
        format!("https://{value}")
    };
    let url: BaseUrl = spelled.parse()?;
    if url.scheme() != Scheme::Https {
        return Err(RefusedBaseUrl::Scheme);
    }
    if is_address(url.host()) {
        return Err(RefusedBaseUrl::Address);
    }
    if !allow
        .iter()
        .any(|pattern| pattern.allows(url.host(), url.port()))
    {
        return Err(RefusedBaseUrl::Host);
    }
    match base {
        Some(base) if url.path().is_empty() => Ok(url.with_path_of(base)),
        _ => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(patterns: &[&str]) -> Vec<HostPattern> {
        patterns.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn led(value: &str, base: Option<&str>, patterns: &[&str]) -> Result<String, RefusedBaseUrl> {
        let base = base.map(|text| text.parse().unwrap());
        base_url_of(value, base.as_ref(), &allow(patterns)).map(|url| url.to_string())
    }

    #[test]
    fn scheme_and_host_are_replaced_and_the_path_if_the_value_has_one() {
        let base = Some("https://login.salesforce.com/services/data/v60.0");
        let patterns = ["*.salesforce.com"];
        for (value, expected) in [
            (
                "https://acme.my.salesforce.com",
                "https://acme.my.salesforce.com/services/data/v60.0",
            ),
            (
                "https://ACME.my.salesforce.com:443/",
                "https://acme.my.salesforce.com/services/data/v60.0",
            ),
            (
                " https://acme.my.salesforce.com/v2 ",
                "https://acme.my.salesforce.com/v2",
            ),
            (
                "acme.my.salesforce.com",
                "https://acme.my.salesforce.com/services/data/v60.0",
            ),
            (
                "acme.my.salesforce.com/v2/",
                "https://acme.my.salesforce.com/v2",
            ),
        ] {
            assert_eq!(
                led(value, base, &patterns).as_deref(),
                Ok(expected),
                "{value}"
            );
        }
        assert_eq!(
            led("https://a.salesforce.com", None, &patterns).as_deref(),
            Ok("https://a.salesforce.com")
        );
    }

    #[test]
    fn a_host_that_nobody_named_is_refused_however_it_is_spelled() {
        for value in [
            "https://salesforce.com",
            "https://evilsalesforce.com",
            "https://salesforce.com.evil.test",
            "https://evil.test/.salesforce.com",
            "https://.salesforce.com",
            "https://a..salesforce.com",
            "https://a.salesforce.com.",
            "https://a.salesforce.com:8443",
            "https://evil.test%2f.salesforce.com",
            "evil.test",
        ] {
            let found = led(value, None, &["*.salesforce.com"]);
            assert!(
                matches!(
                    found,
                    Err(RefusedBaseUrl::Host | RefusedBaseUrl::Invalid(InvalidBaseUrl::Malformed))
                ),
                "{value}: {found:?}"
            );
        }
        let exact = ["api.example.com"];
        assert!(led("https://api.example.com", None, &exact).is_ok());
        assert_eq!(
            led("https://a.api.example.com", None, &exact),
            Err(RefusedBaseUrl::Host)
        );
        assert_eq!(
            led("https://api.example.com", None, &[]),
            Err(RefusedBaseUrl::Host)
        );
    }

    #[test]
    fn only_https_without_a_user_is_followed() {
        let patterns = ["*.example.com"];
        for (value, expected) in [
            ("http://a.example.com", RefusedBaseUrl::Scheme),
            ("ftp://a.example.com", InvalidBaseUrl::Scheme.into()),
            ("https://u:p@a.example.com", InvalidBaseUrl::UserInfo.into()),
            (
                "https://evil.test@a.example.com",
                InvalidBaseUrl::UserInfo.into(),
            ),
            (
                "https://a.example.com/?q",
                InvalidBaseUrl::QueryOrFragment.into(),
            ),
            (
                "https://a.example.com/../x",
                InvalidBaseUrl::DotSegment.into(),
            ),
            ("", InvalidBaseUrl::Malformed.into()),
            ("javascript:alert(1)", InvalidBaseUrl::Malformed.into()),
        ] {
            assert_eq!(led(value, None, &patterns), Err(expected), "{value}");
        }
    }

    #[test]
    fn an_address_is_refused_in_every_spelling() {
        for value in [
            "https://127.0.0.1",
            "https://127.1",
            "https://127.0.0.1.",
            "https://2130706433",
            "https://0x7f.0.0.1",
            "https://0x7f000001",
            "https://[::1]",
            "https://[::ffff:169.254.169.254]/latest",
            "169.254.169.254",
        ] {
            let found = led(value, None, &["*.example.com", "localhost"]);
            assert_eq!(found, Err(RefusedBaseUrl::Address), "{value}");
        }
    }

    #[test]
    fn a_port_is_followed_where_it_is_named() {
        let patterns = ["*.example.com:8443"];
        assert!(led("https://a.example.com:8443", None, &patterns).is_ok());
        assert_eq!(
            led("https://a.example.com", None, &patterns),
            Err(RefusedBaseUrl::Host)
        );
    }

    #[test]
    fn a_pattern_names_hosts_of_somebody() {
        let malformed = |text: &str| InvalidHostPattern::Malformed(text.to_owned());
        for text in [
            "",
            "*",
            "*.",
            "*example.com",
            "a.*.com",
            "https://a.test",
            "a.test/x",
            "a..test",
            "a.test.",
            "a.test:",
            "a.test:0",
            "a.test:x",
            "a b",
            "[::1]",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(malformed(text)), "{text}");
        }
        let wide = InvalidHostPattern::TooWide("*.com".to_owned());
        assert_eq!("*.com".parse::<HostPattern>(), Err(wide));
        for text in ["10.0.0.1", "*.0.1"] {
            let address = InvalidHostPattern::Address(text.to_owned());
            assert_eq!(text.parse::<HostPattern>(), Err(address), "{text}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_value() {
        for value in ["https://s3cr3t.test", "http://s3cr3t.test", "s3cr3t s3cr3t"] {
            let error = led(value, None, &[]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{value}");
        }
    }
}
