//! The roots that an injected sidecar trusts.

use std::path::Path;

use anyhow::Context as _;
use credence_operator::digest::sha256_hex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Certificates of a file.
#[derive(Debug)]
pub(super) struct Roots {
    /// As they stand in the file.
    pub(super) pem: String,
    /// Hexadecimal SHA-256 of the first one's DER.
    pub(super) first_sha256: String,
}

/// The file holds what must not, or need not, stand in a pod.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error(
        "no certificate is in it. Take the feed's: kubectl get mutatingwebhookconfiguration \
         credence-injector -o jsonpath='{{.webhooks[0].clientConfig.caBundle}}' | base64 -d"
    )]
    NoCertificate,
    #[error("a private key is in it, and everyone who may read the pod would see it")]
    PrivateKey,
}

impl Roots {
    /// Reads a PEM file.
    pub(super) fn read(file: &Path) -> anyhow::Result<Result<Self, Unusable>> {
        let pem = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self::parse(pem))
    }

    fn parse(pem: String) -> Result<Self, Unusable> {
        if pem.contains("PRIVATE KEY") {
            return Err(Unusable::PrivateKey);
        }
        let first = CertificateDer::from_pem_slice(pem.as_bytes());
        let first = first.map_err(|_| Unusable::NoCertificate)?;
        Ok(Self {
            first_sha256: sha256_hex(&first),
            pem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_taken_and_a_key_is_not() {
        let made = rcgen::generate_simple_self_signed(["feed".to_owned()]).unwrap();
        let pem = made.cert.pem();
        let roots = Roots::parse(pem.clone()).unwrap();
        assert_eq!(roots.first_sha256, sha256_hex(made.cert.der()));
        assert_eq!(roots.pem, pem);
        let both = pem + &made.signing_key.serialize_pem();
        assert_eq!(Roots::parse(both).unwrap_err(), Unusable::PrivateKey);
        for nothing in ["", "certificate", "-----BEGIN CERTIFICATE-----"] {
            let refused = Roots::parse(nothing.to_owned()).unwrap_err();
            assert_eq!(refused, Unusable::NoCertificate, "{nothing}");
        }
    }
}
