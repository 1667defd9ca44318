//! Certificates: the cluster's own, and those of servers that tests run.

use std::net::IpAddr;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// A certificate authority, made anew and never written with its key unless
/// the caller does.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
pub struct Identity {
    /// The certificate, without its issuer's.
    pub certificate: String,
    /// The private key, PKCS #8.
    pub key: String,
}

/// An elliptic key pair, both halves PEM: what ServiceAccount tokens are
/// signed with.
pub struct Signer {
    /// PKCS #8.
    pub private: String,
    /// SubjectPublicKeyInfo.
    pub public: String,
}

impl Authority {
    /// A new authority called `name`.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = subject(name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Its certificate, PEM: what clients are to trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, PEM.
    #[must_use]
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for a server with these DNS names and addresses.
    ///
    /// # Errors
    /// A name is not ASCII.
    pub fn server(&self, name: &str, names: &[&str], addresses: &[IpAddr]) -> Result<Identity> {
        let mut sans = Vec::new();
        for name in names {
            sans.push(SanType::DnsName((*name).try_into()?));
        }
        sans.extend(addresses.iter().copied().map(SanType::IpAddress));
        self.issue(
            subject(name, None),
            sans,
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// A certificate for a client: Kubernetes takes the user from its common
    /// name and the group from its organisation.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        self.issue(
            subject(user, group),
            Vec::new(),
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn issue(
        &self,
        name: DistinguishedName,
        sans: Vec<SanType>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name;
        params.subject_alt_names = sans;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

impl Signer {
    /// A new pair.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        Ok(Self {
            private: key.serialize_pem(),
            public: key.public_key_pem(),
        })
    }
}

fn subject(name: &str, organisation: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    if let Some(organisation) = organisation {
        subject.push(DnType::OrganizationName, organisation);
    }
    subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_issues_for_servers_and_clients() -> Result<()> {
        let authority = Authority::new("test")?;
        let server = authority.server("api", &["api.test"], &[IpAddr::from([127, 0, 0, 1])])?;
        let client = authority.client("me", Some("us"))?;
        for identity in [server, client] {
            assert!(
                identity
                    .certificate
                    .starts_with("-----BEGIN CERTIFICATE-----")
            );
            assert!(identity.key.starts_with("-----BEGIN PRIVATE KEY-----"));
            assert_ne!(identity.certificate, authority.certificate());
        }
        assert!(
            Signer::new()?
                .public
                .starts_with("-----BEGIN PUBLIC KEY-----")
        );
        Ok(())
    }
}
