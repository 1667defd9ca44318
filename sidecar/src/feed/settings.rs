//! Where the feed is, who it must be, and how this pod shows who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use credence_core::{Secret, names};
use credence_net::TrustError;
use credence_net::{roots, tls};
use rustls::ClientConfig;
use tokio::io::AsyncReadExt;

use super::FeedError;

/// Where the feed is, who it must be, and how this pod shows who it is.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// `host:port`.
    pub address: String,
    /// PEM roots, any of which the feed's certificate may chain to; the first
    /// one is asked for by name.
    pub roots: String,
    /// The file with the pod's token, read anew for each connection.
    pub token_file: PathBuf,
}

/// A setting with which the feed can never be reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeed {
    /// Not `host:port`.
    #[error(
        "{} must be the feed's host:port, like credence-feed.credence.svc:8444",
        names::FEED_VARIABLE
    )]
    Address,
    /// The roots cannot be used.
    #[error("{variable} cannot be used: {0}", variable = names::FEED_CA_VARIABLE)]
    Roots(#[from] TrustError),
}

/// The feed's settings, parsed.
#[derive(Debug)]
pub(super) struct Peer {
    /// `host:port` as given.
    pub(super) authority: http::uri::Authority,
    pub(super) host: String,
    pub(super) port: u16,
    /// What the certificate must be for.
    pub(super) server_name: String,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) token_file: PathBuf,
}

impl Peer {
    pub(super) fn new(settings: FeedSettings) -> Result<Self, InvalidFeed> {
        let authority: http::uri::Authority =
            settings.address.parse().map_err(|_| InvalidFeed::Address)?;
        let port = authority.port_u16().filter(|port| *port > 0);
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || settings.address.contains('@') {
            return Err(InvalidFeed::Address);
        }
        let first = roots::parse(&settings.roots)?.swap_remove(0);
        Ok(Self {
            host: host.to_owned(),
            port: port.ok_or(InvalidFeed::Address)?,
            server_name: names::feed_server_name(&roots::fingerprint(&first)),
            tls: tls::private_config(&settings.roots, &[b"h2"])?,
            token_file: settings.token_file,
            authority,
        })
    }
}

/// A ServiceAccount token is about one KiB; the limit only keeps a wrong path
/// from being read into memory.
const LONGEST_TOKEN: u64 = 64 << 10;

/// Reads the token, without the white space around it.
///
/// # Errors
/// [`FeedError::NoToken`] and [`FeedError::EmptyToken`].
pub(super) async fn read_token(path: &Path) -> Result<Secret, FeedError> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        file.take(LONGEST_TOKEN).read_to_string(&mut text).await
    };
    read.await.map_err(|source| FeedError::NoToken {
        path: path.to_owned(),
        source,
    })?;
    // What a header cannot carry is not a token: RFC 6750 §2.1 has less.
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FeedError::EmptyToken(path.to_owned()));
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(address: &str, roots: &str) -> FeedSettings {
        FeedSettings {
            address: address.to_owned(),
            roots: roots.to_owned(),
            token_file: PathBuf::from("/nowhere"),
        }
    }

    fn root() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let root = root();
        let peer = |address| Peer::new(settings(address, &root));
        let named = peer("credence-feed.credence.svc:8444").unwrap();
        assert_eq!(
            (named.host.as_str(), named.port),
            ("credence-feed.credence.svc", 8444)
        );
        let literal = peer("[::1]:8444").unwrap();
        assert_eq!((literal.host.as_str(), literal.port), ("::1", 8444));
        for wrong in [
            "",
            "feed",
            "feed:",
            "feed:0",
            "feed:70000",
            ":1",
            "u@feed:1",
            "https://feed:1",
        ] {
            assert_eq!(peer(wrong).unwrap_err(), InvalidFeed::Address, "{wrong}");
        }
    }

    #[test]
    fn the_first_root_is_the_one_asked_for() {
        let (first, second) = (root(), root());
        let name = |roots: &str| Peer::new(settings("a:1", roots)).unwrap().server_name;
        assert_eq!(name(&format!("{first}{second}")), name(&first));
        assert_ne!(name(&first), name(&second));
        assert!(name(&first).ends_with(".credence.internal"));
    }

    #[test]
    fn roots_that_cannot_be_used_are_refused_at_the_start() {
        let error = Peer::new(settings("a:1", "no PEM")).unwrap_err();
        assert_eq!(error, InvalidFeed::Roots(TrustError::Empty));
        assert!(
            error
                .to_string()
                .starts_with("CREDENCE_FEED_CA cannot be used: no certificate")
        );
    }
}
