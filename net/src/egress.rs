//! The proxy through which a network lets its connections out, as the
//! environment names it: `HTTPS_PROXY`, or else `ALL_PROXY`, but not for the
//! hosts of `NO_PROXY`; each also in lower case.

mod connect;
mod exempt;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

pub use connect::EgressFault;
pub(crate) use connect::connect;
use exempt::Exempt;

/// Which connections go through a proxy, and through which.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    proxy: Option<Arc<EgressProxy>>,
    exempt: Arc<[Exempt]>,
}

/// An HTTP proxy. Its `Debug` shows no credentials.
pub struct EgressProxy {
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    /// The value of Proxy-Authorization.
    pub(crate) authorization: Option<Zeroizing<String>>,
}

/// A variable that names no proxy which can be used. Nothing of it is quoted:
/// it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEgress {
    /// Not UTF-8.
    #[error("{0} is not text: write it like http://proxy.example.com:3128")]
    NotText(&'static str),
    /// Another kind of proxy.
    #[error("{0} is not an http:// URL: no other kind of proxy is spoken to")]
    Scheme(&'static str),
    /// Not a URL.
    #[error("{0} is not a URL: write it like http://proxy.example.com:3128")]
    Malformed(&'static str),
}

impl Egress {
    /// Reads the variables by `lookup`. Empty ones are as if not set, and what
    /// is not understood of `NO_PROXY` exempts nothing.
    ///
    /// # Errors
    /// [`InvalidEgress`].
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, InvalidEgress> {
        let set = |variable: &'static str| {
            let value = lookup(variable).filter(|value| !value.is_empty())?;
            Some((variable, value))
        };
        let named = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let Some((variable, value)) = named.into_iter().find_map(set) else {
            return Ok(Self::default());
        };
        let text = value.to_str().ok_or(InvalidEgress::NotText(variable))?;
        let proxy = EgressProxy::parse(variable, text)?;
        let exempt = ["NO_PROXY", "no_proxy"].into_iter().find_map(set);
        let exempt = exempt.and_then(|(_, value)| value.into_string().ok());
        Ok(Self {
            proxy: Some(Arc::new(proxy)),
            exempt: exempt.map(|list| Exempt::parse(&list)).unwrap_or_default(),
        })
    }

    /// The proxy for connections to this host, which may be an address without
    /// brackets. This machine itself is never behind one.
    pub fn proxy_for(&self, host: &str, port: u16) -> Option<&EgressProxy> {
        let proxy = self.proxy.as_deref()?;
        let direct = exempt::is_this_machine(host)
            || self.exempt.iter().any(|exempt| exempt.covers(host, port));
        (!direct).then_some(proxy)
    }
}

impl EgressProxy {
    fn parse(variable: &'static str, text: &str) -> Result<Self, InvalidEgress> {
        let malformed = InvalidEgress::Malformed(variable);
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(InvalidEgress::Scheme(variable)),
            None => text,
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| malformed)?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0)
                .ok_or(malformed)?,
            None => return Err(malformed),
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(malformed);
        }
        Ok(Self {
            host: host.into(),
            port,
            authorization: user.map(basic),
        })
    }
}

/// RFC 7617 §2; user name and password are percent-encoded in a URL.
fn basic(user: &str) -> Zeroizing<String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut plain = Zeroizing::new(Vec::with_capacity(user.len() + 1));
    plain.extend(percent_decode_str(name));
    plain.push(b':');
    plain.extend(percent_decode_str(password));
    let mut value = Zeroizing::new("Basic ".to_owned());
    value.push_str(&Zeroizing::new(STANDARD.encode(&*plain)));
    value
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EgressProxy({}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Egress, InvalidEgress> {
        Egress::read(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.into())
        })
    }

    fn proxy(variables: &[(&str, &str)]) -> Option<String> {
        let egress = read(variables).unwrap();
        let proxy = egress.proxy_for("api.test", 443)?;
        Some(format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_proxy() {
        for (variables, expected) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTP_PROXY", "http://a:1")], None),
            (&[("HTTPS_PROXY", "http://a:1")], Some("a:1")),
            (&[("https_proxy", "a:1")], Some("a:1")),
            (&[("all_proxy", "HTTP://a/")], Some("a:80")),
            (&[("HTTPS_PROXY", "http://[::1]:3128")], Some("::1:3128")),
            (
                &[("ALL_PROXY", "http://a:1"), ("https_proxy", "http://b:2")],
                Some("b:2"),
            ),
        ] {
            assert_eq!(proxy(variables).as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_password_goes_to_the_proxy_and_nowhere_else() {
        let egress = read(&[("HTTPS_PROXY", "http://al%40ddin:open%20sesame%2F@a:1")]).unwrap();
        let proxy = egress.proxy_for("api.test", 443).unwrap();
        let expected = STANDARD.encode("al@ddin:open sesame/");
        let sent = proxy.authorization.as_ref().unwrap();
        assert_eq!(**sent, format!("Basic {expected}"));
        assert!(!format!("{egress:?}").contains("sesame"));
        let alone = read(&[("HTTPS_PROXY", "http://user@a:1")]).unwrap();
        let proxy = alone.proxy_for("api.test", 443).unwrap();
        assert_eq!(**proxy.authorization.as_ref().unwrap(), "Basic dXNlcjo=");
    }

    #[test]
    fn what_cannot_be_used_is_an_error_that_quotes_nothing() {
        for (text, why) in [
            ("socks5://a:1", InvalidEgress::Scheme("HTTPS_PROXY")),
            ("https://u:secret@a", InvalidEgress::Scheme("HTTPS_PROXY")),
            ("http://", InvalidEgress::Malformed("HTTPS_PROXY")),
            ("http://a:secret", InvalidEgress::Malformed("HTTPS_PROXY")),
            ("http://a:0", InvalidEgress::Malformed("HTTPS_PROXY")),
            ("a b", InvalidEgress::Malformed("HTTPS_PROXY")),
        ] {
            let error = read(&[("HTTPS_PROXY", text)]).unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn this_machine_is_never_behind_a_proxy() {
        let egress = read(&[("HTTPS_PROXY", "http://a:1")]).unwrap();
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
        ] {
            assert!(egress.proxy_for(host, 443).is_none(), "{host}");
        }
        assert!(egress.proxy_for("localhost.test", 443).is_some());
    }

    #[test]
    fn exempted_hosts_are_reached_directly() {
        let egress = read(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "corp.test")]).unwrap();
        assert!(egress.proxy_for("api.corp.test", 443).is_none());
        assert!(egress.proxy_for("api.test", 443).is_some());
    }
}
