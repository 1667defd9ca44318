//! Certificates that a peer's chain may end in.

use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The configured certificates cannot be used. Nothing of them is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate in the text.
    #[error("no certificate in it: expected a block that begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// A block is not PEM (RFC 7468).
    #[error("certificate {0} is cut off or not base64")]
    NotPem(usize),
    /// A block is PEM, but what it holds is not an X.509 certificate that can
    /// be an authority.
    #[error("block {0} does not hold a usable X.509 certificate")]
    NotACertificate(usize),
}

/// The certificates of a PEM text, in its order; other blocks are passed over.
/// The numbers in errors count certificates from 1.
///
/// # Errors
/// [`TrustError`].
pub fn parse(pem: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let parsed: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .enumerate()
        .map(|(index, block)| block.map_err(|_| TrustError::NotPem(index + 1)))
        .collect::<Result<_, _>>()?;
    if parsed.is_empty() {
        return Err(TrustError::Empty);
    }
    Ok(parsed)
}

/// Lower-case hexadecimal SHA-256 of a certificate's DER.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The public authorities of the Mozilla programme, made once and shared.
pub(crate) fn public() -> Arc<RootCertStore> {
    static PUBLIC: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = PUBLIC.get_or_init(|| {
        Arc::new(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
    });
    Arc::clone(store)
}

/// Adds the certificates of a PEM text to a store.
pub(crate) fn add(store: &mut RootCertStore, pem: &str) -> Result<(), TrustError> {
    for (index, certificate) in parse(pem)?.into_iter().enumerate() {
        store
            .add(certificate)
            .map_err(|_| TrustError::NotACertificate(index + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> rcgen::Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.self_signed(&key).unwrap()
    }

    #[test]
    fn several_certificates_are_read_in_their_order_with_text_between() {
        let (first, second) = (certificate(), certificate());
        let pem = format!("# one\n{}\n# two\n{}", first.pem(), second.pem());
        let parsed = parse(&pem).unwrap();
        assert_eq!(parsed, [first.der().clone(), second.der().clone()]);
    }

    #[test]
    fn a_fingerprint_is_the_digest_of_the_der() {
        // SHA-256 of the three bytes "abc" (FIPS 180-2, B.1).
        assert_eq!(
            fingerprint(&CertificateDer::from_slice(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_is_wrong_with_the_text_is_said_without_quoting_it() {
        let good = certificate().pem();
        let cut = good.replace("-----END CERTIFICATE-----", "");
        let garbage = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
        for (pem, error) in [
            (String::new(), TrustError::Empty),
            ("sk_live_1".to_owned(), TrustError::Empty),
            (cut, TrustError::NotPem(1)),
            (format!("{good}{garbage}"), TrustError::NotACertificate(2)),
        ] {
            assert_eq!(add(&mut RootCertStore::empty(), &pem), Err(error));
        }
    }
}
