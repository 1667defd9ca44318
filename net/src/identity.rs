//! What we show to a server that asks who we are.

use std::fmt;

use rustls::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::roots::{self, TrustError};

/// A client certificate with what leads to its authority, and its private key.
/// Its `Debug` shows nothing of them.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// The certificate cannot be shown. Nothing of it or its key is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// About the chain.
    #[error("client certificate: {0}")]
    Chain(TrustError),
    /// There is no private key in the text, or it is cut off.
    #[error("no private key: expected one block of PKCS#8, PKCS#1 or SEC1 in PEM")]
    NoKey,
    /// The key is of a kind that TLS does not use, or not the certificate's.
    #[error("the private key is not the one of the client certificate, or of no use in TLS")]
    Mismatch,
}

impl Identity {
    /// `chain` are PEM certificates, our own first; `key` is a PEM private key.
    ///
    /// # Errors
    /// [`IdentityError`]; that the two belong together is found out when a
    /// configuration is built.
    pub fn parse(chain: &str, key: &str) -> Result<Self, IdentityError> {
        Ok(Self {
            chain: roots::parse(chain).map_err(IdentityError::Chain)?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::NoKey)?,
        })
    }
}

impl From<Error> for IdentityError {
    fn from(_: Error) -> Self {
        Self::Mismatch
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::tls::{self, TlsError};

    fn certificate(key: &KeyPair) -> String {
        let params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
        params.self_signed(key).unwrap().pem()
    }

    #[test]
    fn a_certificate_and_its_key_make_a_configuration() {
        let key = KeyPair::generate().unwrap();
        let identity = Identity::parse(&certificate(&key), &key.serialize_pem()).unwrap();
        assert_eq!(format!("{identity:?}"), "Identity(…)");
        let config = tls::client_config(None, Some(identity), &[]).unwrap();
        assert!(config.client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let chain = certificate(&key);
        let pem = key.serialize_pem();
        for (chain, key, why) in [
            ("", &*pem, IdentityError::Chain(TrustError::Empty)),
            (&*chain, "", IdentityError::NoKey),
            (
                &*chain,
                "-----BEGIN PRIVATE KEY-----\nAA",
                IdentityError::NoKey,
            ),
            (&*chain, &*chain, IdentityError::NoKey),
        ] {
            assert_eq!(Identity::parse(chain, key).unwrap_err(), why);
        }
        let mixed = Identity::parse(&chain, &other.serialize_pem()).unwrap();
        let refused = tls::client_config(None, Some(mixed), &[]).unwrap_err();
        assert!(matches!(
            refused,
            TlsError::Identity(IdentityError::Mismatch)
        ));
    }
}
