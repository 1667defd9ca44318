//! TLS with whatever certificates are held at the moment of the handshake.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version::TLS13};
use tokio::sync::watch;

use super::Authorities;

/// A server configuration of TLS 1.3 that offers these protocols.
///
/// # Errors
/// When the cryptography library does not offer TLS 1.3.
pub fn server_config(
    held: watch::Receiver<Arc<Authorities>>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver(held)));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // A reconnecting sidecar is authenticated anew anyway; a ticket would only
    // let it skip the certificate that it should see.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Resolver(watch::Receiver<Arc<Authorities>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let authorities = self.0.borrow();
        let leaf = authorities.serving(hello.server_name())?;
        Some(leaf.serving.clone())
    }
}
