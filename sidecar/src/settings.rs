//! What the injector tells the sidecar, by environment variables.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use credence_core::names;
use credence_net::{Egress, InvalidEgress};

use crate::feed::FeedSettings;

/// Everything that a sidecar in a pod is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the proxy listens.
    pub listen: Vec<SocketAddr>,
    /// How calls get out of this network; the feed is in the cluster.
    pub egress: Egress,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    /// Where the bundle comes from.
    pub feed: FeedSettings,
}

/// A variable that is missing or cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// It is not set, or empty.
    #[error("{variable} is not set: it must be {expected}")]
    Missing {
        /// Its name.
        variable: &'static str,
        /// What to write.
        expected: &'static str,
    },
    /// About a proxy.
    #[error(transparent)]
    Egress(#[from] InvalidEgress),
    /// It is not UTF-8.
    #[error("{variable} is not text: it must be {expected}")]
    NotText {
        /// Its name.
        variable: &'static str,
        /// What to write.
        expected: &'static str,
    },
    /// It is no port that the proxy could have.
    #[error(
        "{variable} is not a port for the proxy: it must be from 1 to 65535, and not {admin}, \
         where health and metrics are",
        variable = names::PORT_VARIABLE,
        admin = names::SIDECAR_ADMIN_PORT
    )]
    Port,
}

impl Settings {
    /// Reads the variables by `lookup`. The proxy's port is that of [`names`]
    /// where no variable moves it.
    ///
    /// # Errors
    /// [`InvalidSettings`], about the first variable that is wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, InvalidSettings> {
        let text = |variable, expected| {
            let value = lookup(variable)
                .filter(|value| !value.is_empty())
                .ok_or(InvalidSettings::Missing { variable, expected })?;
            value
                .into_string()
                .map_err(|_| InvalidSettings::NotText { variable, expected })
        };
        let feed = FeedSettings {
            address: text(names::FEED_VARIABLE, "the feed's host:port")?,
            roots: text(
                names::FEED_CA_VARIABLE,
                "the PEM certificates that the feed's certificate may chain to",
            )?,
            token_file: PathBuf::from(text(
                names::TOKEN_VARIABLE,
                "the path of the file with the pod's token for the feed",
            )?),
        };
        let port = match lookup(names::PORT_VARIABLE).filter(|value| !value.is_empty()) {
            None => names::PROXY_PORT,
            Some(value) => value
                .to_str()
                .and_then(|text| text.parse().ok())
                .filter(|port| *port != 0 && *port != names::SIDECAR_ADMIN_PORT)
                .ok_or(InvalidSettings::Port)?,
        };
        Ok(Self {
            listen: vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ],
            egress: Egress::read(&lookup)?,
            admin: (Ipv6Addr::UNSPECIFIED, names::SIDECAR_ADMIN_PORT).into(),
            feed,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn complete(variable: &str) -> Option<OsString> {
        Some(match variable {
            names::FEED_VARIABLE => "feed:8444".into(),
            names::FEED_CA_VARIABLE => "PEM".into(),
            names::TOKEN_VARIABLE => "/token".into(),
            _ => return None,
        })
    }

    #[test]
    fn the_proxy_listens_on_loopback_only() {
        let settings = Settings::read(complete).unwrap();
        assert_eq!(settings.listen.len(), 2);
        assert!(
            settings
                .listen
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        assert_eq!(settings.feed.address, "feed:8444");
        assert_eq!(settings.feed.token_file, PathBuf::from("/token"));
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for missing in [
            names::FEED_VARIABLE,
            names::FEED_CA_VARIABLE,
            names::TOKEN_VARIABLE,
        ] {
            for value in [None, Some(OsString::new())] {
                let error = Settings::read(|variable| {
                    if variable == missing {
                        value.clone()
                    } else {
                        complete(variable)
                    }
                })
                .unwrap_err();
                assert!(
                    error
                        .to_string()
                        .starts_with(&format!("{missing} is not set"))
                );
            }
        }
    }

    #[test]
    fn a_variable_moves_the_proxy_to_another_port() {
        let with = |port: &'static str| {
            Settings::read(move |variable| match variable {
                names::PORT_VARIABLE => Some(port.into()),
                _ => complete(variable),
            })
        };
        let ports = |settings: Settings| {
            let ports = settings.listen.iter().map(SocketAddr::port);
            ports.collect::<Vec<_>>()
        };
        assert_eq!(ports(with("9000").unwrap()), [9000, 9000]);
        assert_eq!(ports(with("").unwrap()), [2733, 2733]);
        for bad in ["0", "2734", "65536", "http", "-1"] {
            assert_eq!(with(bad).unwrap_err(), InvalidSettings::Port, "{bad}");
        }
    }

    #[test]
    fn a_variable_that_is_not_text_is_named() {
        let error = Settings::read(|_| Some(OsString::from_vec(vec![0xff]))).unwrap_err();
        assert!(error.to_string().starts_with("CREDENCE_FEED is not text"));
    }
}
