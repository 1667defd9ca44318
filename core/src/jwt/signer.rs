//! JWTs that are signed anew each time.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{SigningFailed, SigningKey};
use crate::Secret;
use crate::collection::{FieldValue, Literal};
use crate::template::{LateText, LateValues, Moment, NoValueYet, concatenated};
use crate::token::fields;
use crate::token::fingerprint::Fingerprint;

/// A JWT of which all is known but its times. Its `Debug` shows the algorithm
/// alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// What signs it.
    pub key: SigningKey,
    /// The header's members, but `alg`.
    pub header: Vec<(String, FieldValue<LateText>)>,
    /// The claims, but those of time, and `jti` where [`Signer::numbered`] is
    /// set.
    pub claims: Vec<(String, FieldValue<LateText>)>,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
    /// How far before now `iat` is, for servers whose clocks are behind.
    pub backdate: Duration,
    /// Whether each has a `jti` of its own (RFC 7519 §4.1.7).
    pub numbered: bool,
}

/// A JWT could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// A variable has no value.
    #[error(transparent)]
    Late(#[from] NoValueYet),
    /// The key does not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

impl Signer {
    /// The JWT of this moment.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn sign(&self, moment: Moment) -> Result<Secret, JwtError> {
        let values = LateValues::at(moment);
        let text = |text: &str| FieldValue::Text(Zeroizing::new(text.to_owned()));
        let mut header = vec![("alg", text(self.key.algorithm().as_str()))];
        header.extend(fields::rendered(&self.header, &values)?);
        let mut claims = fields::rendered(&self.claims, &values)?;
        let issued = moment.unix_seconds.saturating_sub(seconds(self.backdate));
        let expires = issued.saturating_add(seconds(self.lifetime));
        claims.push(("iat", FieldValue::Literal(Literal::number(issued))));
        claims.push(("exp", FieldValue::Literal(Literal::number(expires))));
        let id = moment.number_of("jti");
        if self.numbered {
            claims.push(("jti", text(&id)));
        }
        let parts = [
            encoded(&fields::json(&header)),
            encoded(&fields::json(&claims)),
        ];
        let [header, claims] = parts;
        let dot = || Zeroizing::new(".".to_owned());
        let input = concatenated(&[header, dot(), claims]);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(input.as_bytes())?);
        Ok(concatenated(&[input, dot(), Zeroizing::new(signature)]).into())
    }

    /// Adds everything that decides what it is to a fingerprint.
    pub(crate) fn add_to(&self, print: &mut Fingerprint) {
        print.bytes(self.key.digest());
        self.add_claims_to(print);
    }

    /// Adds what it says, whatever key signs that.
    pub(crate) fn add_claims_to(&self, print: &mut Fingerprint) {
        print.text(self.key.algorithm().as_str());
        for duration in [self.lifetime, self.backdate] {
            print.bytes(&duration.as_secs().to_be_bytes());
        }
        for members in [&self.header, &self.claims] {
            print.text(&fields::sample(members));
        }
    }
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(text))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} …)", self.key.algorithm())
    }
}
