//! Variables whose values come late: with a token, or with each request.

use std::fmt;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::varying::Moment;

/// A variable of what is put on calls, unknown when the manifest is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallVariable {
    /// A random UUID (RFC 9562 §5.4).
    Uuid,
    /// Seconds since 1970.
    NowUnix,
    /// `2026-11-21T20:00:00Z` (RFC 3339).
    NowIso8601,
    /// What a token endpoint has answered: the field of this name, or where
    /// there is none the access token itself.
    Token(Option<Box<str>>),
}

/// A variable that is unknown when the manifest is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LateVariable {
    /// One of those that calls know, too.
    Call(CallVariable),
    /// The refresh token (RFC 6749 §1.5) in use.
    RefreshToken,
    /// The JWT that is signed for the request.
    Jwt,
    /// What an earlier request for the same token has captured.
    Step {
        /// The name of the request.
        step: Box<str>,
        /// The name of the field.
        field: Box<str>,
    },
    /// The JWT by which a client proves who it is (RFC 7523 §2.2). No template
    /// can refer to it.
    ClientAssertion,
    /// The token of a ServiceAccount that is exchanged (RFC 8693 §2.1). No
    /// template can refer to it.
    SubjectToken,
}

/// As templates spell it.
pub(super) const JWT: &str = "jwt";
/// As templates spell it.
pub(super) const REFRESH_TOKEN: &str = "refreshToken";
/// As templates begin it.
pub(super) const STEP: &str = "step";

impl CallVariable {
    /// Those that are new on each call.
    pub(super) const PER_CALL: [Self; 3] = [Self::Uuid, Self::NowUnix, Self::NowIso8601];

    /// As templates spell it; of a token's field only the beginning.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::NowUnix => "now.unix",
            Self::NowIso8601 => "now.iso8601",
            Self::Token(_) => "token",
        }
    }

    /// The value on this call, but of a token's.
    pub(super) fn at(&self, moment: &Moment) -> Option<Zeroizing<String>> {
        let value = match self {
            Self::Uuid => uuid(moment.random),
            Self::NowUnix => moment.unix_seconds.to_string(),
            Self::NowIso8601 => jiff::Timestamp::from_second(moment.unix_seconds)
                .unwrap_or_default()
                .to_string(),
            Self::Token(_) => return None,
        };
        Some(Zeroizing::new(value))
    }
}

/// As templates spell it.
impl fmt::Display for CallVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::Token(Some(field)) => write!(f, ".{field}"),
            Self::Uuid | Self::NowUnix | Self::NowIso8601 | Self::Token(None) => Ok(()),
        }
    }
}

/// As templates spell it.
impl fmt::Display for LateVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(variable) => variable.fmt(f),
            Self::RefreshToken => f.write_str(REFRESH_TOKEN),
            Self::Jwt => f.write_str(JWT),
            Self::Step { step, field } => write!(f, "{STEP}.{step}.{field}"),
            Self::ClientAssertion => f.write_str("client assertion"),
            Self::SubjectToken => f.write_str("subject token"),
        }
    }
}

impl Moment {
    /// A UUID for one purpose, of which no other is made of the same moment.
    pub(crate) fn number_of(&self, purpose: &str) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.random);
        context.update(purpose.as_bytes());
        let mut random = [0; 16];
        random.copy_from_slice(context.finish().as_ref().split_at(16).0);
        uuid(random)
    }
}

/// Version 4, variant 1 (RFC 9562 §5.4).
fn uuid(random: [u8; 16]) -> String {
    let mut bits = u128::from_be_bytes(random);
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(3 << 62) | 2 << 62;
    let digits = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| &digits[group]).join("-")
}
