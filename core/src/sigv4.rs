//! AWS Signature Version 4 in the header `Authorization`, as the *Signature
//! Version 4 signing process* of the AWS IAM User Guide has it.
//!
//! ```text
//!  secret access key, day, region, service ─► SigningKey     where the Secret is
//!  Signing (keys of some days), head, content, now ─► fields  where calls are made
//! ```
//!
//! A signing key is good for one day, one region and one service, and the
//! secret access key cannot be found out from it: whoever makes calls holds no
//! more than that.

mod canonical;
mod day;
mod key;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use crate::Secret;
use crate::template::filter::hex;
use canonical::Canonical;

pub use day::{days, next_day};
pub use key::SigningKey;

/// What ends every credential scope.
const TERMINATOR: &str = "aws4_request";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const AUTHORIZATION: &str = "Authorization";
const DATE: &str = "X-Amz-Date";
const CONTENT: &str = "X-Amz-Content-Sha256";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

/// The fields that a signed call carries, and that no one else may set on it.
pub const FIELDS: [&str; 4] = [AUTHORIZATION, DATE, CONTENT, SECURITY_TOKEN];

/// How the calls of a collection are signed. Its `Debug` shows no key and no
/// token.
#[derive(Clone, PartialEq, Eq)]
pub struct Signing {
    /// Such as `eu-central-1`.
    pub region: String,
    /// The service's name in scopes, such as `s3` or `bedrock`.
    pub service: String,
    /// Tells AWS whose key it is.
    pub access_key_id: Secret,
    /// What temporary credentials have besides.
    pub session_token: Option<Secret>,
    /// Whether bodies are signed.
    pub payload: Payload,
    /// The key of each day (UTC) on which calls can be signed.
    pub keys: BTreeMap<Date, SigningKey>,
}

/// Whether bodies are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// They are, so that each must be known whole before it is sent.
    Signed,
    /// They are not, and can be streamed: S3 allows it.
    Unsigned,
}

/// What is signed of a request, as it is sent.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// Begins with a slash.
    pub path: &'a str,
    /// What follows the question mark, if there is one.
    pub query: Option<&'a str>,
    /// Those of which [`is_signed`] holds, in any order; none of [`FIELDS`].
    pub fields: &'a [(&'a str, &'a [u8])],
}

/// What is said about the body.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// All of it.
    Signed(&'a [u8]),
    /// Nothing.
    Unsigned,
    /// Nothing, but that it is in chunks of S3's own with trailing checksums.
    UnsignedWithTrailer,
}

/// There is no key for the day on which a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no signing key for {0}")]
pub struct NoKey(pub Date);

/// The fields that make a signed request of a request, in the order in which
/// they are to be added.
pub type SignedFields = Vec<(&'static str, Zeroizing<String>)>;

impl Signing {
    /// Signs a request that is sent now.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn sign(
        &self,
        head: &Head<'_>,
        content: Content<'_>,
        now: Timestamp,
    ) -> Result<SignedFields, NoKey> {
        let date_time = TimeZone::UTC.to_datetime(now);
        let day = date_time.date();
        let key = self.keys.get(&day).ok_or(NoKey(day))?;
        let stamp = date_time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let is_s3 = is_s3(&self.service);
        let payload = content.hash();
        let mut added: SignedFields = vec![(DATE, Zeroizing::new(stamp.clone()))];
        if let Some(token) = &self.session_token {
            added.push((SECURITY_TOKEN, Zeroizing::new(token.expose().to_owned())));
        }
        // Elsewhere it would only say again what is signed anyway.
        if is_s3 || !matches!(content, Content::Signed(_)) {
            added.push((CONTENT, Zeroizing::new(payload.clone())));
        }
        let ours = added.iter().map(|(name, value)| (*name, value.as_bytes()));
        let canonical = Canonical::of(head, ours, &payload, is_s3);
        let scope = format!(
            "{}/{}/{}/{TERMINATOR}",
            day.strftime("%Y%m%d"),
            self.region,
            self.service
        );
        let signature = key.sign(&string_to_sign(&canonical, &stamp, &scope));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key_id.expose(),
            canonical.names()
        );
        added.push((AUTHORIZATION, Zeroizing::new(authorization)));
        Ok(added)
    }

    /// Whether a call can be signed then.
    pub fn has_key_at(&self, now: Timestamp) -> bool {
        self.keys
            .contains_key(&TimeZone::UTC.to_datetime(now).date())
    }

    /// Whether both sign by the same credentials, be it on other days: on the
    /// days that both have, they have the same keys.
    pub fn is_by_the_same(&self, other: &Self) -> bool {
        let shared = |(day, key)| other.keys.get(day).map(|theirs| theirs == key);
        let mut common = self.keys.iter().filter_map(shared).peekable();
        self.access_key_id == other.access_key_id
            && self.session_token == other.session_token
            && common.peek().is_some()
            && common.all(|same| same)
    }
}

/// Whether a field of a request is signed: those that a service may act on, and
/// that nobody on the way changes.
pub fn is_signed(name: &str) -> bool {
    let name = name.as_bytes();
    let begins = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    name.eq_ignore_ascii_case(b"host")
        || name.eq_ignore_ascii_case(b"content-type")
        || begins(b"x-amz-")
}

/// The first character that neither the name of a region nor that of a service
/// can hold: both are parts of a scope.
pub fn offending_in_scope(text: &str) -> Option<char> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().find(|c| !allowed(*c))
}

/// The first character that no access key id can hold, because it ends one
/// where it stands in `Authorization`.
pub fn offending_in_id(text: &str) -> Option<char> {
    text.chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '/' | ','))
}

/// Whether a service is S3 by another door: it escapes paths once, does not
/// normalise them, and wants to be told the hash of the body.
pub fn is_s3(service: &str) -> bool {
    ["s3", "s3express", "s3-object-lambda", "s3-outposts"].contains(&service)
}

impl Content<'_> {
    fn hash(self) -> String {
        match self {
            Self::Signed(body) => hex(digest::digest(&digest::SHA256, body).as_ref()),
            Self::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
            Self::UnsignedWithTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        }
    }
}

fn string_to_sign(canonical: &Canonical<'_>, stamp: &str, scope: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    canonical.write(|piece| hash.update(piece));
    format!(
        "{ALGORITHM}\n{stamp}\n{scope}\n{}",
        hex(hash.finish().as_ref())
    )
}

impl SigningKey {
    fn sign(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        hex(hmac::sign(&key, text.as_bytes()).as_ref())
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("region", &self.region)
            .field("service", &self.service)
            .field("payload", &self.payload)
            .field("days", &self.keys.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
