//! Where tokens are asked for.

use std::fmt;

use http::Uri;

use crate::base_url::{InvalidBaseUrl, Scheme};
use crate::{BaseUrl, Secret};

/// The URL of a token endpoint. It may hold a secret, so all that is shown of
/// it is the host.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    origin: BaseUrl,
    target: Secret,
}

impl Endpoint {
    /// Whether what goes there is protected.
    pub fn scheme(&self) -> Scheme {
        self.origin.scheme()
    }

    /// Host name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// The port, also when it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.origin.port()
    }

    /// The value of `Host`.
    pub fn authority(&self) -> String {
        self.origin.authority()
    }

    /// Path and query, as a request has them (RFC 9112 §3.2.1).
    pub fn target(&self) -> &Secret {
        &self.target
    }

    /// Reads a URL with a path, and perhaps a query.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], which quotes nothing.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.contains('#') {
            return Err(InvalidEndpoint::Fragment);
        }
        let (before, query) = match text.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (text, None),
        };
        let origin: BaseUrl = before.parse().map_err(|error| match error {
            InvalidBaseUrl::Malformed | InvalidBaseUrl::QueryOrFragment => {
                InvalidEndpoint::Malformed
            }
            InvalidBaseUrl::Scheme => InvalidEndpoint::Scheme,
            InvalidBaseUrl::UserInfo => InvalidEndpoint::UserInfo,
            InvalidBaseUrl::DotSegment => InvalidEndpoint::DotSegment,
        })?;
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint::Malformed)?;
        let path = uri.path();
        let mut target = zeroize::Zeroizing::new(String::with_capacity(text.len() + 1));
        target.push_str(path);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        Ok(Self {
            origin,
            target: target.into(),
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme().as_str();
        write!(f, "{scheme}://{}/…", self.authority())
    }
}

/// The text is not the URL of a token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL, or one without a host.
    #[error("is not a URL: write it like https://auth.example.com/oauth/token")]
    Malformed,
    /// Another scheme.
    #[error("must begin with https://")]
    Scheme,
    /// `https://user:password@…`.
    #[error("must not hold a user name or password: use client")]
    UserInfo,
    /// `#…`.
    #[error("must not hold a fragment (#)")]
    Fragment,
    /// `.` or `..` as a path segment.
    #[error("must not hold \".\" or \"..\" as a path segment")]
    DotSegment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_target_are_taken_apart() {
        for (text, host, port, target) in [
            ("https://A.test", "a.test", 443, "/"),
            (
                "https://a.test/oauth/token/",
                "a.test",
                443,
                "/oauth/token/",
            ),
            (
                "https://a.test:8443/t?k=%2F&x",
                "a.test",
                8443,
                "/t?k=%2F&x",
            ),
            ("https://a.test?k=v", "a.test", 443, "/?k=v"),
            ("http://[::1]:80/t", "::1", 80, "/t"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            let found = (endpoint.host(), endpoint.port(), endpoint.target().expose());
            assert_eq!(found, (host, port, target), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_endpoint_says_why() {
        for (text, why) in [
            ("", InvalidEndpoint::Malformed),
            ("auth.example.com/token", InvalidEndpoint::Malformed),
            ("https://a.test/a b", InvalidEndpoint::Malformed),
            ("https://a.test/t?a b", InvalidEndpoint::Malformed),
            ("https://a.test/t\r\nX: y", InvalidEndpoint::Malformed),
            ("ftp://a.test/", InvalidEndpoint::Scheme),
            ("https://u:p@a.test/", InvalidEndpoint::UserInfo),
            ("https://a.test/t#x", InvalidEndpoint::Fragment),
            ("https://a.test/a/../t", InvalidEndpoint::DotSegment),
        ] {
            assert_eq!(Endpoint::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn debug_shows_the_host_alone() {
        let endpoint = Endpoint::parse("https://a.test/sk_live_1?k=sk_live_2").unwrap();
        assert_eq!(format!("{endpoint:?}"), "https://a.test/…");
    }
}
