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

/// All filters give text. Some take bytes as well. `K` is what stands for the
/// key of an HMAC: its name in the Secret, or once that was looked up the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Filter<K> {
    Bytes(BytesFilter<K>),
    Text(TextFilter),
}

/// Bytes to text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum BytesFilter<K> {
    Encode(Encoding),
    Sha256(Encoding),
    /// RFC 2104 with SHA-256. The parser has joined it with the encoding that
    /// must follow, so that raw bytes exist nowhere.
    HmacSha256 {
        key: K,
        encoding: Encoding,
    },
}

/// The name of a key in the Secret.
pub(crate) type KeyName = Box<str>;
/// The key itself.
pub(crate) type HmacKey = Zeroizing<Vec<u8>>;

/// Bytes written as ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 4648 §4, padded.
    Base64,
    /// RFC 4648 §5, unpadded.
    Base64Url,
    /// Lower case.
    Hex,
}

/// Text to text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFilter {
    /// All but the unreserved characters of RFC 3986 §2.3.
    UrlEncode,
    Upper,
    Lower,
    Trim,
}

impl Filter<KeyName> {
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

    /// The filter with the key itself.
    pub(super) fn resolve(&self, scope: &Scope<'_>) -> Result<Filter<HmacKey>, RenderError> {
        Ok(match self {
            Self::Bytes(filter) => Filter::Bytes(filter.resolve(scope)?),
            Self::Text(filter) => Filter::Text(*filter),
        })
    }
}

impl BytesFilter<KeyName> {
    /// The filter with the key itself.
    pub(super) fn resolve(&self, scope: &Scope<'_>) -> Result<BytesFilter<HmacKey>, RenderError> {
        Ok(match self {
            Self::Encode(encoding) => BytesFilter::Encode(*encoding),
            Self::Sha256(encoding) => BytesFilter::Sha256(*encoding),
            Self::HmacSha256 { key, encoding } => BytesFilter::HmacSha256 {
                key: scope.secret(key)?,
                encoding: *encoding,
            },
        })
    }
}

impl Filter<HmacKey> {
    /// The text that a text becomes.
    pub(super) fn apply(&self, text: &str) -> Zeroizing<String> {
        match self {
            Self::Bytes(filter) => filter.apply(text.as_bytes()),
            Self::Text(filter) => filter.apply(text),
        }
    }
}

impl BytesFilter<HmacKey> {
    /// The text that bytes become.
    pub(super) fn apply(&self, input: &[u8]) -> Zeroizing<String> {
        match self {
            Self::Encode(encoding) => encoding.encode(input),
            Self::Sha256(encoding) => {
                encoding.encode(digest::digest(&digest::SHA256, input).as_ref())
            }
            Self::HmacSha256 { key, encoding } => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                encoding.encode(hmac::sign(&key, input).as_ref())
            }
        }
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
    fn apply(self, text: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::UrlEncode => utf8_percent_encode(text, UNRESERVED).to_string(),
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.trim().to_owned(),
        })
    }
}
