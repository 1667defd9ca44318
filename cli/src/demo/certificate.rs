//! What a caller shows the demo's provider instead of a key, or besides one.

use credence_core::Secret;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::CertificateDer;

/// A client certificate and its private key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// Its common name, which is no secret.
    pub(crate) name: String,
    /// As it comes over the wire.
    pub(crate) der: CertificateDer<'static>,
    /// As a Secret of type `kubernetes.io/tls` holds it.
    pub(crate) pem: String,
    /// Its private key, PKCS#8 in PEM.
    pub(crate) key: Secret,
}

impl Certificate {
    /// Makes a key and lets the authority sign it.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(super) fn issue(
        name: &str,
        issuer: &CertifiedIssuer<'static, KeyPair>,
    ) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Self {
            name: name.to_owned(),
            der: certificate.der().clone(),
            pem: certificate.pem(),
            key: Secret::new(key.serialize_pem()),
        })
    }
}
