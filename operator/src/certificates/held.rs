//! One authority and the certificate that it signed, read and checked.

use std::sync::Arc;

use jiff::Timestamp;
use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::digest::sha256_hex;

/// A certificate and its key.
#[derive(Clone)]
pub struct Pair {
    /// The certificate in PEM.
    pub pem: String,
    /// The same, in DER.
    pub der: CertificateDer<'static>,
    /// PKCS#8 in PEM.
    pub key_pem: Zeroizing<String>,
}

/// An authority, and what is served in its name.
#[derive(Clone)]
pub struct Held {
    /// The authority.
    pub authority: Pair,
    /// Hexadecimal SHA-256 of its certificate: how a pod names what it trusts.
    pub root: String,
    /// End of the authority's life.
    pub expires: Timestamp,
    /// None if it is not there or cannot be used: another can be signed.
    pub leaf: Option<Leaf>,
}

/// A certificate that TLS is served with.
#[derive(Clone)]
pub struct Leaf {
    /// Certificate and key.
    pub pair: Pair,
    /// End of its life.
    pub expires: Timestamp,
    /// The DNS names that it carries.
    pub names: Vec<String>,
    /// The same in the form that rustls uses.
    pub serving: Arc<CertifiedKey>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("root", &self.root)
            .field("expires", &self.expires)
            .field("leaf_expires", &self.leaf.as_ref().map(|leaf| leaf.expires))
            .finish_non_exhaustive()
    }
}

/// Why a certificate and its key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Absent, or not PEM.
    #[error("the certificate or its key is absent or unreadable")]
    Unreadable,
    /// The key is not of this certificate, or its signature not of this
    /// authority.
    #[error("certificate, key and authority do not belong together")]
    Mismatch,
}

impl Pair {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// [`Unusable::Unreadable`] when the certificate is not PEM.
    pub fn of_pem(pem: String, key_pem: Zeroizing<String>) -> Result<Self, Unusable> {
        let der =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Unusable::Unreadable)?;
        Ok(Self { pem, der, key_pem })
    }

    fn certificate(&self) -> Result<X509Certificate<'_>, Unusable> {
        let parsed = X509Certificate::from_der(&self.der);
        Ok(parsed.map_err(|_| Unusable::Unreadable)?.1)
    }
}

impl Held {
    /// An authority that can sign, with its leaf if that is good.
    ///
    /// # Errors
    /// [`Unusable`] for the authority; a leaf that cannot be used is left out.
    pub fn new(authority: Pair, leaf: Option<Pair>) -> Result<Self, Unusable> {
        let certificate = authority.certificate()?;
        let key = KeyPair::from_pem(&authority.key_pem).map_err(|_| Unusable::Unreadable)?;
        if key.public_key_raw() != &*certificate.public_key().subject_public_key.data {
            return Err(Unusable::Mismatch);
        }
        let leaf = leaf.and_then(|pair| Leaf::new(pair, &certificate).ok());
        Ok(Self {
            root: sha256_hex(&authority.der),
            expires: end(&certificate),
            leaf,
            authority,
        })
    }
}

impl Leaf {
    fn new(pair: Pair, authority: &X509Certificate<'_>) -> Result<Self, Unusable> {
        let certificate = pair.certificate()?;
        certificate
            .verify_signature(Some(authority.public_key()))
            .map_err(|_| Unusable::Mismatch)?;
        let names = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .map(|extension| &extension.value.general_names)
            .into_iter()
            .flatten()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        let expires = end(&certificate);
        let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes())
            .map_err(|_| Unusable::Unreadable)?;
        let serving = CertifiedKey::from_der(vec![pair.der.clone()], key, &default_provider())
            .map_err(|_| Unusable::Mismatch)?;
        Ok(Self {
            expires,
            names,
            serving: Arc::new(serving),
            pair,
        })
    }
}

fn end(certificate: &X509Certificate<'_>) -> Timestamp {
    let end = certificate.validity().not_after.timestamp();
    Timestamp::from_second(end).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::super::authority;
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T00:00:00Z".parse().unwrap()
    }

    fn pairs() -> (Pair, Pair) {
        let root = authority::authority(now()).unwrap();
        let leaf = authority::leaf(&root, &["credence-feed".to_owned()], now()).unwrap();
        (root, leaf)
    }

    #[test]
    fn what_is_minted_is_read() {
        let (root, leaf) = pairs();
        let held = Held::new(root, Some(leaf)).unwrap();
        let leaf = held.leaf.unwrap();
        assert_eq!(leaf.expires.to_string(), "2027-02-19T00:00:00Z");
        assert_eq!(held.expires.to_string(), "2036-11-18T00:00:00Z");
        assert_eq!(leaf.names[0], "credence-feed");
        assert!(leaf.names[1].starts_with(&held.root[..32]));
    }

    #[test]
    fn a_leaf_of_another_authority_or_key_is_left_out() {
        let (root, leaf) = pairs();
        let (_, other) = pairs();
        assert!(
            Held::new(root.clone(), Some(other.clone()))
                .unwrap()
                .leaf
                .is_none()
        );
        let swapped = Pair {
            key_pem: other.key_pem,
            ..leaf
        };
        assert!(Held::new(root, Some(swapped)).unwrap().leaf.is_none());
    }

    #[test]
    fn an_authority_that_cannot_sign_is_refused() {
        let (root, _) = pairs();
        let (other, _) = pairs();
        let with_key = |key_pem: &str| Pair {
            key_pem: Zeroizing::new(key_pem.to_owned()),
            ..root.clone()
        };
        let refused = |pair| Held::new(pair, None).unwrap_err();
        assert_eq!(refused(with_key(&other.key_pem)), Unusable::Mismatch);
        assert_eq!(refused(with_key("")), Unusable::Unreadable);
    }

    #[test]
    fn debug_shows_no_key() {
        let (root, leaf) = pairs();
        let shown = format!("{:?}", Held::new(root, Some(leaf)).unwrap());
        assert!(!shown.contains("PRIVATE"));
    }
}
