//! The proxy through which sidecars leave the cluster.

use std::str::FromStr;

use http::Uri;

/// Which proxy, and for which hosts not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProxy {
    /// Where it is.
    pub url: ProxyUrl,
    /// Value of `NO_PROXY`; may be empty.
    pub no_proxy: String,
}

/// The address of an HTTP proxy, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl(String);

/// No address that may stand in a pod. It is not quoted: it may hold a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxyUrl {
    /// No URL of the kind that sidecars use.
    #[error("write it like http://proxy.example.com:3128")]
    Malformed,
    /// It names a user.
    #[error(
        "it holds credentials, and everyone who may read a pod would see them. Let the proxy know \
         the cluster by its addresses, or put a proxy in between that adds them"
    )]
    Credentials,
}

impl ProxyUrl {
    /// The value of `HTTPS_PROXY`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = InvalidProxyUrl;

    fn from_str(text: &str) -> Result<Self, InvalidProxyUrl> {
        if text.contains('@') {
            return Err(InvalidProxyUrl::Credentials);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidProxyUrl::Malformed)?;
        let authority = uri.authority().ok_or(InvalidProxyUrl::Malformed)?;
        let port = authority.as_str().strip_prefix(authority.host());
        let port = match port.map(|port| port.strip_prefix(':').unwrap_or(port)) {
            Some("") => true,
            Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
            None => false,
        };
        let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
        if plain && port && uri.query().is_none() && !authority.host().is_empty() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidProxyUrl::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_written() {
        for good in [
            "http://proxy.example.com:3128",
            "http://proxy.example.com",
            "http://10.0.0.1:3128/",
            "http://[fd00::1]:3128",
        ] {
            assert_eq!(good.parse::<ProxyUrl>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn credentials_are_refused_and_never_shown() {
        for bad in [
            "http://user:hunter2@proxy:3128",
            "http://user@proxy",
            "user:hunter2@proxy:3128",
        ] {
            let refusal = bad.parse::<ProxyUrl>().unwrap_err();
            assert_eq!(refusal, InvalidProxyUrl::Credentials);
            assert!(!refusal.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn what_no_sidecar_could_use_is_refused() {
        for bad in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://",
            "http://proxy:0",
            "http://proxy:70000",
            "http://proxy/path",
            "http://proxy:3128?a=b",
            "http://a b",
        ] {
            let refusal = bad.parse::<ProxyUrl>().unwrap_err();
            assert_eq!(refusal, InvalidProxyUrl::Malformed, "{bad}");
        }
    }
}
