//! Where a collection's calls go.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// Whether what goes to a URL is protected on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// By TLS.
    Https,
    /// Not at all: only where the collection's environment allows it.
    Http,
}

impl Scheme {
    /// As a URL spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// The port that a URL without one means (RFC 9110 §4.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// An `https` or `http` URL without user, query and fragment. What a caller
/// asks for is appended to its path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    path: Box<str>,
}

impl BaseUrl {
    /// How it is reached.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, also when it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path without a trailing slash: empty, or `/v1`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same place under the path of another.
    pub(crate) fn with_path_of(self, other: &Self) -> Self {
        Self {
            path: other.path.clone(),
            ..self
        }
    }

    /// The value of `Host`: brackets kept, the scheme's own port left out
    /// (RFC 9112 §3.2).
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a base URL. The messages say what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Not a URL, or one without a host.
    #[error("is not a URL: write it like https://api.example.com/v1")]
    Malformed,
    /// Another scheme.
    #[error("must begin with https://")]
    Scheme,
    /// `https://user:password@…`.
    #[error("must not hold a user name or password: use spec.auth.basic")]
    UserInfo,
    /// `?…` or `#…`.
    #[error("must end with the path: put query parameters into spec.query")]
    QueryOrFragment,
    /// `.` or `..` as a path segment.
    #[error("must not hold \".\" or \"..\" as a path segment")]
    DotSegment,
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('#') {
            return Err(InvalidBaseUrl::QueryOrFragment);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidBaseUrl::Malformed)?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(_) => return Err(InvalidBaseUrl::Scheme),
            None => return Err(InvalidBaseUrl::Malformed),
        };
        let authority = uri.authority().ok_or(InvalidBaseUrl::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(InvalidBaseUrl::UserInfo);
        }
        if text.contains('?') {
            return Err(InvalidBaseUrl::QueryOrFragment);
        }
        // `host:` and `host:99999` have an authority but no port to dial.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => scheme.default_port(),
            Some(rest) => rest
                .trim_start_matches(':')
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or(InvalidBaseUrl::Malformed)?,
            None => return Err(InvalidBaseUrl::Malformed),
        };
        if authority.host().is_empty() {
            return Err(InvalidBaseUrl::Malformed);
        }
        let path = uri.path().trim_end_matches('/');
        if path.split('/').any(|segment| {
            matches!(
                segment.replace("%2e", ".").replace("%2E", ".").as_str(),
                "." | ".."
            )
        }) {
            return Err(InvalidBaseUrl::DotSegment);
        }
        Ok(Self {
            scheme,
            host: authority.host().to_ascii_lowercase().into(),
            port,
            path: path.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> BaseUrl {
        text.parse().unwrap()
    }

    #[test]
    fn host_port_and_path_are_taken_apart() {
        let url = parsed("https://API.example.com:8443/v1/");
        assert_eq!(
            (url.host(), url.port(), url.path()),
            ("api.example.com", 8443, "/v1")
        );
        assert_eq!(url.authority(), "api.example.com:8443");
        assert_eq!(url.to_string(), "https://api.example.com:8443/v1");
    }

    #[test]
    fn the_default_port_is_not_sent() {
        assert_eq!(parsed("https://a.test:443").authority(), "a.test");
        assert_eq!(parsed("https://a.test/").path(), "");
        assert_eq!(parsed("http://a.test:80").to_string(), "http://a.test");
        assert_eq!(parsed("http://a.test:443").authority(), "a.test:443");
    }

    #[test]
    fn ipv6_keeps_its_brackets_in_the_authority_only() {
        let url = parsed("https://[::1]:8443");
        assert_eq!(
            (url.host(), url.authority().as_str()),
            ("::1", "[::1]:8443")
        );
    }

    #[test]
    fn what_is_not_a_base_url_says_why() {
        for (text, why) in [
            ("", InvalidBaseUrl::Malformed),
            ("api.example.com", InvalidBaseUrl::Malformed),
            ("https://", InvalidBaseUrl::Malformed),
            ("https://a.test:0", InvalidBaseUrl::Malformed),
            ("https://a.test:99999", InvalidBaseUrl::Malformed),
            ("ftp://a.test", InvalidBaseUrl::Scheme),
            ("https://u:p@a.test", InvalidBaseUrl::UserInfo),
            ("https://a.test/?k=v", InvalidBaseUrl::QueryOrFragment),
            ("https://a.test/#x", InvalidBaseUrl::QueryOrFragment),
            ("https://a.test/a/../b", InvalidBaseUrl::DotSegment),
            ("https://a.test/%2e%2E/b", InvalidBaseUrl::DotSegment),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap_err(), why, "{text}");
        }
    }
}
