//! The key of one day, region and service.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use jiff::civil::Date;
use zeroize::Zeroizing;

use super::TERMINATOR;

/// Bytes of a key: those of an HMAC with SHA-256.
const LENGTH: usize = 32;

/// A key that signs for one day, in one region, for one service. Its `Debug`
/// shows nothing.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; LENGTH]>);

impl SigningKey {
    /// The key that a secret access key has for a day.
    pub fn derive(secret_access_key: &str, day: Date, region: &str, service: &str) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret_access_key.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret_access_key.as_bytes());
        let day = day.strftime("%Y%m%d").to_string();
        let of_day = mac(&first, &day);
        let of_region = mac(&*of_day, region);
        let of_service = mac(&*of_region, service);
        Self(mac(&*of_service, TERMINATOR))
    }

    /// The key of these bytes; none where they are not as many as a key has.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; LENGTH]);
        (bytes.len() == LENGTH).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// The bytes themselves: for the wire and for signing.
    pub fn expose(&self) -> &[u8] {
        &*self.0
    }
}

fn mac(key: &[u8], text: &str) -> Zeroizing<[u8; LENGTH]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let mut out = Zeroizing::new([0; LENGTH]);
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&*self.0, &*other.0).is_ok()
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
