//! A certificate authority that nobody but the demo trusts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::certificate::Certificate;

/// The address that the provider's certificate is for.
pub(crate) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Made anew by every demo; its key is never written anywhere.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a key and a certificate.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named("Credence demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// The certificate, as a ConfigMap holds it.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a client of this name.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn issue(&self, name: &str) -> anyhow::Result<Certificate> {
        Certificate::issue(name, &self.issuer)
    }

    /// What the provider serves with. It asks every client for a certificate
    /// of this authority, and also listens to one that shows none.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn server(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named("Credence demo provider");
        params.subject_alt_names = vec![SanType::IpAddress(HOST)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
                .allow_unauthenticated()
                .build()?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("the provider's certificate does not fit its key")?;
        Ok(Arc::new(config))
    }

    /// What a client calls the provider with, showing this certificate.
    ///
    /// # Errors
    /// When a certificate cannot be read back.
    pub(crate) fn client(&self, shown: Option<&Certificate>) -> anyhow::Result<Arc<ClientConfig>> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        Ok(Arc::new(match shown {
            Some(shown) => {
                let key = PrivateKeyDer::from_pem_slice(shown.key.expose().as_bytes())?;
                config.with_client_auth_cert(vec![shown.der.clone()], key)?
            }
            None => config.with_no_client_auth(),
        }))
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone())?;
        Ok(roots)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
