//! TLS client configurations.

use std::sync::Arc;

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion, version};

use crate::identity::{Identity, IdentityError};
use crate::roots::{self, TrustError};

/// Sessions kept for resumption, in servers. The table is allocated at once
/// and a configuration serves a few hosts, so the default of 256 would mostly
/// be memory that nobody uses.
const SESSIONS: usize = 16;

/// A configuration cannot be built from what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// About the roots.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// About what we show.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// For providers: TLS 1.2 or 1.3, the public roots and those of
/// `extra_roots_pem` besides, `identity` for servers that ask for one, offering
/// `alpn` in this order. Verification cannot be switched off.
///
/// # Errors
/// [`TlsError`] when the extra roots or the identity cannot be used.
pub fn client_config(
    extra_roots_pem: Option<&str>,
    identity: Option<Identity>,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match extra_roots_pem {
        None => roots::public(),
        Some(pem) => {
            let mut store = RootCertStore::clone(&roots::public());
            roots::add(&mut store, pem)?;
            Arc::new(store)
        }
    };
    let builder = builder(&[&version::TLS13, &version::TLS12], roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(IdentityError::from)?,
    };
    Ok(offering(config, alpn))
}

/// For our own servers: TLS 1.3, and the roots of `roots_pem` alone.
///
/// # Errors
/// [`TrustError`] when the roots cannot be used.
pub fn private_config(roots_pem: &str, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TrustError> {
    let mut store = RootCertStore::empty();
    roots::add(&mut store, roots_pem)?;
    let config = builder(&[&version::TLS13], Arc::new(store)).with_no_client_auth();
    Ok(offering(config, alpn))
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
    roots: Arc<RootCertStore>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
}

fn offering(mut config: ClientConfig, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Arc::new(config)
}

/// The one provider, passed explicitly: a process-wide default could be
/// installed by a dependency.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    let provider = PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(provider)
}
