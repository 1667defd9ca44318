//! The certificates that a Secret holds, read and checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

/// Type of the Secret; collections may not refer to one of this type.
pub const SECRET_TYPE: &str = "credence.dev/certificates";

const AUTHORITY_CERTIFICATE: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const LEAF_CERTIFICATE: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";

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

/// An authority and its leaf, known to belong together.
#[derive(Clone)]
pub struct Held {
    /// The authority.
    pub authority: Pair,
    /// End of the authority's life.
    pub authority_expires: Timestamp,
    /// What TLS is served with.
    pub leaf: Pair,
    /// End of the leaf's life.
    pub leaf_expires: Timestamp,
    /// The DNS names that the leaf carries.
    pub leaf_names: Vec<String>,
    /// The leaf in the form that rustls uses.
    pub serving: Arc<CertifiedKey>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("authority_expires", &self.authority_expires)
            .field("leaf_expires", &self.leaf_expires)
            .field("leaf_names", &self.leaf_names)
            .finish_non_exhaustive()
    }
}

/// Why what a Secret holds cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A key of the Secret is absent or not what it should be.
    #[error("{0} is absent or unreadable")]
    Unreadable(&'static str),
    /// The leaf is not of this authority, or the key not of the leaf.
    #[error("the certificates in it do not belong together")]
    Mismatch,
}

impl Held {
    /// Checks that authority, leaf and keys belong together.
    ///
    /// # Errors
    /// [`Unusable`], which names the part.
    pub fn of_pairs(authority: Pair, leaf: Pair) -> Result<Self, Unusable> {
        let (_, root) = X509Certificate::from_der(&authority.der)
            .map_err(|_| Unusable::Unreadable(AUTHORITY_CERTIFICATE))?;
        let (_, end) = X509Certificate::from_der(&leaf.der)
            .map_err(|_| Unusable::Unreadable(LEAF_CERTIFICATE))?;
        end.verify_signature(Some(root.public_key()))
            .map_err(|_| Unusable::Mismatch)?;
        let expiry = |certificate: &X509Certificate<'_>| {
            Timestamp::from_second(certificate.validity().not_after.timestamp())
                .unwrap_or(Timestamp::MIN)
        };
        let leaf_names = end
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
        let (authority_expires, leaf_expires) = (expiry(&root), expiry(&end));
        let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes())
            .map_err(|_| Unusable::Unreadable(LEAF_KEY))?;
        let chain = vec![leaf.der.clone()];
        let serving = CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|_| Unusable::Mismatch)?;
        Ok(Self {
            authority_expires,
            leaf_expires,
            leaf_names,
            serving: Arc::new(serving),
            authority,
            leaf,
        })
    }

    /// Reads a Secret.
    ///
    /// # Errors
    /// [`Unusable`], which names the key of the Secret.
    pub fn of_secret(secret: &Secret) -> Result<Self, Unusable> {
        let empty = BTreeMap::new();
        let data = secret.data.as_ref().unwrap_or(&empty);
        let pair = |certificate: &'static str, key: &'static str| {
            let pem = text(data, certificate)?;
            Ok(Pair {
                der: CertificateDer::from_pem_slice(pem.as_bytes())
                    .map_err(|_| Unusable::Unreadable(certificate))?,
                pem,
                key_pem: Zeroizing::new(text(data, key)?),
            })
        };
        Self::of_pairs(
            pair(AUTHORITY_CERTIFICATE, AUTHORITY_KEY)?,
            pair(LEAF_CERTIFICATE, LEAF_KEY)?,
        )
    }

    /// The Secret to write, without a resourceVersion.
    pub fn to_secret(&self, namespace: &str, name: &str) -> Secret {
        let data = [
            (AUTHORITY_CERTIFICATE, self.authority.pem.as_str()),
            (AUTHORITY_KEY, self.authority.key_pem.as_str()),
            (LEAF_CERTIFICATE, self.leaf.pem.as_str()),
            (LEAF_KEY, self.leaf.key_pem.as_str()),
        ];
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some(SECRET_TYPE.to_owned()),
            data: Some(
                data.into_iter()
                    .map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        }
    }
}

fn text(data: &BTreeMap<String, ByteString>, key: &'static str) -> Result<String, Unusable> {
    data.get(key)
        .and_then(|bytes| String::from_utf8(bytes.0.clone()).ok())
        .ok_or(Unusable::Unreadable(key))
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
    fn what_was_written_is_read() {
        let (root, leaf) = pairs();
        let held = Held::of_pairs(root, leaf).unwrap();
        let read = Held::of_secret(&held.to_secret("system", "credence-certificates")).unwrap();
        assert_eq!(read.authority.pem, held.authority.pem);
        assert_eq!(read.leaf_expires.to_string(), "2027-02-19T00:00:00Z");
        assert_eq!(read.authority_expires.to_string(), "2036-11-18T00:00:00Z");
        assert_eq!(read.leaf_names[0], "credence-feed");
        assert!(read.leaf_names[1].ends_with(".credence.internal"));
    }

    #[test]
    fn a_leaf_of_another_authority_is_refused() {
        let (root, _) = pairs();
        let (_, leaf) = pairs();
        assert_eq!(Held::of_pairs(root, leaf).unwrap_err(), Unusable::Mismatch);
    }

    #[test]
    fn a_key_of_another_leaf_is_refused() {
        let (root, mut leaf) = pairs();
        leaf.key_pem = pairs().1.key_pem;
        assert_eq!(Held::of_pairs(root, leaf).unwrap_err(), Unusable::Mismatch);
    }

    #[test]
    fn a_missing_key_is_named() {
        let (root, leaf) = pairs();
        let mut secret = Held::of_pairs(root, leaf).unwrap().to_secret("system", "c");
        secret.data.as_mut().unwrap().remove("ca.key");
        assert_eq!(
            Held::of_secret(&secret).unwrap_err(),
            Unusable::Unreadable("ca.key")
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let (root, leaf) = pairs();
        let shown = format!("{:?}", Held::of_pairs(root, leaf).unwrap());
        assert!(!shown.contains("PRIVATE"));
    }
}
