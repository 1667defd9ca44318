//! The provider's identity, as files: `ca.pem`, `leaf.pem`, `key.pem`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// The name in the certificate.
pub(crate) const HOST: &str = "localhost";

/// Makes an authority and a certificate of [`HOST`].
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    // OpenSSL takes a certificate whose issuer has its own name for a
    // self-signed one.
    params
        .distinguished_name
        .push(DnType::CommonName, "the bench's authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    for (name, text) in [
        ("ca.pem", issuer.pem()),
        ("leaf.pem", leaf.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(directory.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}
