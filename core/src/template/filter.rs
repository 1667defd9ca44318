//! What can be done to a value on its way into a template.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use super::scope::{RenderError, Scope};
use crate::percent::UNRESERVED;

/// Every filter, in the order in which messages list them.
pub(super) const NAMES: [&str; 10] = [
    "base64",
    "base64url",
    "hex",
    "sha256hex",
    "sha256base64",
    HMAC,
    "urlencode",
    "upper",
    "lower",
    "trim",
];

/// The one filter that has an argument, and the one whose result is no text.
pub(super) const HMAC: &str = "hmacSha256";

/// All filters give text. Some take bytes as well.
#[derive(Clone)]
pub(super) enum Filter {
    Bytes(BytesFilter),
    Text(TextFilter),
}

/// Bytes to text.
#[derive(Clone)]
pub(super) enum BytesFilter {
    Encode(Encoding),
    Sha256(Encoding),
    /// RFC 2104 with SHA-256. The parser has joined it with the encoding that
    /// must follow, so that raw bytes exist nowhere.
    HmacSha256 {
        key: Box<str>,
        encoding: Encoding,
    },
}

/// Bytes written as ASCII.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    /// RFC 4648 §4, padded.
    Base64,
    /// RFC 4648 §5, unpadded.
    Base64Url,
    /// Lower case.
    Hex,
}

/// Text to text.
#[derive(Clone, Copy)]
pub(super) enum TextFilter {
    /// All but the unreserved characters of RFC 3986 §2.3.
    UrlEncode,
    Upper,
    Lower,
    Trim,
}

impl Filter {
    /// The filter of this name, if it is one without an argument.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "sha256hex" => Self::Bytes(BytesFilter::Sha256(Encoding::Hex)),
            "sha256base64" => Self::Bytes(BytesFilter::Sha256(Encoding::Base64)),
            "urlencode" => Self::Text(TextFilter::UrlEncode),
            "upper" => Self::Text(TextFilter::Upper),
            "lower" => Self::Text(TextFilter::Lower),
            "trim" => Self::Text(TextFilter::Trim),
            other => Self::Bytes(BytesFilter::Encode(Encoding::of_name(other)?)),
        })
    }

    /// The key of the Secret that it refers to.
    pub(super) fn secret_key(&self) -> Option<&str> {
        match self {
            Self::Bytes(BytesFilter::HmacSha256 { key, .. }) => Some(key),
            Self::Bytes(BytesFilter::Encode(_) | BytesFilter::Sha256(_)) | Self::Text(_) => None,
        }
    }
}

impl BytesFilter {
    pub(super) fn apply(
        &self,
        input: &[u8],
        scope: &Scope<'_>,
    ) -> Result<Zeroizing<String>, RenderError> {
        Ok(match self {
            Self::Encode(encoding) => encoding.encode(input),
            Self::Sha256(encoding) => {
                encoding.encode(digest::digest(&digest::SHA256, input).as_ref())
            }
            Self::HmacSha256 { key, encoding } => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &scope.secret(key)?);
                encoding.encode(hmac::sign(&key, input).as_ref())
            }
        })
    }
}

impl Encoding {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "base64" => Some(Self::Base64),
            "base64url" => Some(Self::Base64Url),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }

    fn encode(self, bytes: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => hex(bytes),
        })
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

impl TextFilter {
    pub(super) fn apply(self, text: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::UrlEncode => utf8_percent_encode(text, UNRESERVED).to_string(),
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.trim().to_owned(),
        })
    }
}
