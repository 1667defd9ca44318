//! PEM certificates of private authorities.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in a PEM text (RFC 7468), and nothing else that stands
/// beside them: a private key in the same file goes nowhere.
///
/// `None` where there is no certificate, or a broken one.
pub(super) fn certificates(pem: &str) -> Option<String> {
    let mut certificates = String::new();
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(&body).ok()?;
        // A certificate is a DER sequence; the TLS library judges the rest.
        der.first().filter(|tag| **tag == 0x30)?;
        certificates.push_str(BEGIN);
        for line in body.as_bytes().chunks(64) {
            certificates.push('\n');
            certificates.push_str(std::str::from_utf8(line).ok()?);
        }
        certificates.push('\n');
        certificates.push_str(END);
        certificates.push('\n');
        rest = after;
    }
    (!certificates.is_empty()).then_some(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_kept() {
        let pem = "subject=x\r\n-----BEGIN CERTIFICATE-----\r\n  MAA=\r\n-----END CERTIFICATE-----\r\n\
                   -----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n\
                   -----BEGIN CERTIFICATE-----\nMAECAQ==\n-----END CERTIFICATE-----";
        assert_eq!(
            certificates(pem).unwrap(),
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n\
             -----BEGIN CERTIFICATE-----\nMAECAQ==\n-----END CERTIFICATE-----\n"
        );
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in [
            "",
            "MAA=",
            "-----BEGIN CERTIFICATE-----\nMAA=\n",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAAA=\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(certificates(pem), None, "{pem}");
        }
    }
}
