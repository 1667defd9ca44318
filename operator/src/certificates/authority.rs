//! Minting: a new authority, a new leaf. P-256 keys, ECDSA with SHA-256.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use zeroize::Zeroizing;

use super::held::Pair;
use super::names::leaf_names;
use crate::digest::sha256_hex;

/// Injected pods carry the authority for as long as they live, so it outlives
/// any of them.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// Life of a leaf. It is renewed long before: see [`super::renewal`].
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Certificates begin in the past, for peers whose clock is behind.
const BACKDATE: SignedDuration = SignedDuration::from_hours(1);

/// A certificate could not be made. The text never holds key material.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct MintError(#[from] rcgen::Error);

/// A new, self-signed authority.
///
/// # Errors
/// [`MintError`] when the cryptography library fails.
pub fn authority(now: Timestamp) -> Result<Pair, MintError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    valid(&mut params, now, AUTHORITY_LIFE);
    params.distinguished_name = named("credence certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(pair(&certificate, &key))
}

/// A new leaf of the authority for these names and the one by which sidecars
/// ask for this authority.
///
/// # Errors
/// [`MintError`] when the authority's key or certificate cannot be read.
pub fn leaf(authority: &Pair, services: &[String], now: Timestamp) -> Result<Pair, MintError> {
    let issuer = Issuer::from_ca_cert_der(&authority.der, KeyPair::from_pem(&authority.key_pem)?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(leaf_names(services, &sha256_hex(&authority.der)))?;
    valid(&mut params, now, LEAF_LIFE);
    params.distinguished_name = named("credence operator");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(pair(&certificate, &key))
}

fn named(common_name: &str) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn valid(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |moment: Timestamp| {
        epoch + Duration::from_secs(u64::try_from(moment.as_second()).unwrap_or(0))
    };
    params.not_before = at(now.saturating_sub(BACKDATE).unwrap_or(now));
    params.not_after = at(now.saturating_add(life).unwrap_or(now));
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair {
        pem: certificate.pem(),
        der: certificate.der().clone(),
        key_pem: Zeroizing::new(key.serialize_pem()),
    }
}
