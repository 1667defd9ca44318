//! What a token endpoint's answer looks like, and how long a token is good for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::path::{FieldPath, InvalidFieldPath};
use crate::cookie::{self, InvalidCookieName};
use crate::header_name;

/// Which field of an answer means what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseShape {
    /// The access token. The empty path is the whole body.
    pub access_token: FieldPath,
    /// When it expires, in the form that `expires_kind` says.
    pub expires: FieldPath,
    /// How the expiry is written.
    pub expires_kind: ExpiresKind,
    /// The refresh token. An answer without one leaves the one that is known
    /// in force (RFC 6749 §6).
    pub refresh_token: FieldPath,
    /// The URL that replaces scheme and host of the collection's base URL, and
    /// its path if it has one.
    pub base_url: Option<FieldPath>,
    /// Further fields, by the name that `${token.NAME}` uses.
    pub capture: Vec<Capture>,
    /// What an answer must say to be a success, besides its status.
    pub success: Option<Success>,
}

impl Default for ResponseShape {
    /// As RFC 6749 §5.1 has it.
    fn default() -> Self {
        let field = |name: &str| FieldPath::of_name(name);
        Self {
            access_token: field("access_token"),
            expires: field("expires_in"),
            expires_kind: ExpiresKind::Auto,
            refresh_token: field("refresh_token"),
            base_url: None,
            capture: Vec::new(),
            success: None,
        }
    }
}

/// How an answer writes the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExpiresKind {
    /// By its looks: a number below 10⁹ is seconds from now, from 10⁹ seconds
    /// and from 10¹¹ milliseconds since the Unix epoch; a text is tried as such
    /// a number, then as a time of RFC 3339.
    #[default]
    Auto,
    /// Seconds from now (RFC 6749 §5.1).
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since the Unix epoch.
    EpochSeconds,
    /// Milliseconds since the Unix epoch.
    EpochMilliseconds,
    /// A time like `2026-01-31T12:00:00Z`.
    Rfc3339,
    /// `days:hours:minutes` from now, as Tableau writes it.
    DaysHoursMinutes,
}

/// A field that is kept beside the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its name in `${token.NAME}`.
    pub name: String,
    /// Where it stands.
    pub from: CaptureFrom,
}

/// Where in an answer a captured field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureFrom {
    /// In the body.
    Body(FieldPath),
    /// In the header of this name, in lower case. Of several the first.
    Header(String),
    /// In the cookie of this name that the answer sets. Of several the last.
    Cookie(String),
}

/// The text does not say where a field stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCapture {
    /// No path in the body.
    #[error(transparent)]
    Path(#[from] InvalidFieldPath),
    /// `header:` without a header's name behind it.
    #[error("\"{0}\" cannot be the name of a header: write header:X-Name")]
    Header(String),
    /// `cookie:` without a cookie's name behind it.
    #[error(transparent)]
    Cookie(#[from] InvalidCookieName),
}

impl FromStr for CaptureFrom {
    type Err = InvalidCapture;

    /// Reads `data.id`, `header:X-Subject-Token` or `cookie:session`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix("header:") {
            if !header_name::is_token(name) {
                return Err(InvalidCapture::Header(name.to_owned()));
            }
            return Ok(Self::Header(name.to_ascii_lowercase()));
        }
        if let Some(name) = text.strip_prefix("cookie:") {
            cookie::check_name(name)?;
            return Ok(Self::Cookie(name.to_owned()));
        }
        Ok(Self::Body(text.parse()?))
    }
}

impl fmt::Display for CaptureFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) => path.fmt(f),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// What an answer must say to be a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// The field that says it.
    pub path: FieldPath,
    /// Its value, as text: `true`, `0`, `ok`.
    pub equals: String,
}

/// How long a token is good for, and when it is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// For answers that state no expiry.
    pub default: Option<Duration>,
    /// How long before its expiry a token is renewed; never earlier than after
    /// half of its life.
    pub refresh_before: Duration,
    /// The longest time between two refreshes, for refresh tokens that die
    /// unused.
    pub keep_alive: Option<Duration>,
    /// For how long the provider takes a refresh token that it has already
    /// replaced: within it, a refresh of unknown outcome is tried again.
    pub grace: Duration,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self {
            default: None,
            refresh_before: Duration::from_secs(60),
            keep_alive: None,
            grace: Duration::ZERO,
        }
    }
}

/// Where the next token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// What the manifest refers to is enough to ask again, at any time and
    /// without a person.
    Anew,
    /// From a refresh token. Once that is lost only a person can help.
    ByRefreshToken,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_field_stands_in_the_body_a_header_or_a_cookie() {
        for (text, expected) in [
            ("data.id", CaptureFrom::Body("data.id".parse().unwrap())),
            (
                "header:X-Subject-Token",
                CaptureFrom::Header("x-subject-token".to_owned()),
            ),
            (
                "cookie:B1SESSION",
                CaptureFrom::Cookie("B1SESSION".to_owned()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_field_says_why() {
        for (text, expected) in [
            ("header:", "\"\" cannot be the name of a header"),
            ("header:a b", "\"a b\" cannot be the name of a header"),
            ("cookie:a;b", "\"a;b\" cannot be the name of a cookie"),
            ("a..b", "has an empty part"),
        ] {
            let error = text.parse::<CaptureFrom>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_default_shape_is_that_of_rfc_6749() {
        let shape = ResponseShape::default();
        assert_eq!(
            [shape.access_token, shape.expires, shape.refresh_token].map(|path| path.to_string()),
            ["access_token", "expires_in", "refresh_token"]
        );
    }
}
