//! X.509 certificates (RFC 5280), as far as they can be judged without a
//! connection.

use jiff::Timestamp;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::pem;

const LABEL: &str = "CERTIFICATE";

/// A certificate that can be read.
pub(super) struct Certificate {
    der: Zeroizing<Vec<u8>>,
    /// The `subjectPublicKey`.
    pub(super) public: Vec<u8>,
    /// When it begins to be valid.
    pub(super) not_before: Timestamp,
    /// When it ceases to be valid.
    pub(super) not_after: Timestamp,
}

impl Certificate {
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    fn of_der(der: Zeroizing<Vec<u8>>) -> Option<Self> {
        let (rest, parsed) = parse_x509_certificate(&der).ok()?;
        let second = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
        };
        let (not_before, not_after) = (parsed.validity.not_before, parsed.validity.not_after);
        let public = parsed.public_key().subject_public_key.data.to_vec();
        rest.is_empty().then_some(())?;
        Some(Self {
            public,
            not_before: second(not_before),
            not_after: second(not_after),
            der,
        })
    }
}

/// The certificates in a PEM text, and nothing else that stands beside them: a
/// private key in the same file goes nowhere.
///
/// `None` where there is no certificate, or a broken one.
pub(super) fn read(text: &str) -> Option<Vec<Certificate>> {
    let certificates = pem::blocks(text)
        .ok()?
        .into_iter()
        .filter(|block| block.label == LABEL)
        .map(|block| Certificate::of_der(block.der?))
        .collect::<Option<Vec<_>>>()?;
    (!certificates.is_empty()).then_some(certificates)
}

/// As PEM, one block after the other.
pub(super) fn write(certificates: &[Certificate]) -> String {
    let block = |certificate: &Certificate| pem::encode(LABEL, &certificate.der).to_string();
    certificates.iter().map(block).collect()
}
