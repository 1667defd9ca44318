//! HTTP/1.1 without I/O: bytes in, events out; no socket and no clock.
//!
//! ```text
//!  bytes ─► HeadScan ─► RequestHead ─► Framing ─► Decoder ─► data, trailers
//!                       ResponseHead ┘                       chunk ─► bytes
//! ```
//!
//! [`HeadScan`] finds where a head ends, looking at each byte once however the
//! bytes arrive. A head is then parsed in place: names keep their spelling and
//! order, and nothing is copied. Its [`Framing`] starts a [`Decoder`], which
//! hands out the body as slices of the input. [`chunk`] writes the one framing
//! that is not a plain copy.
//!
//! Everything that two parsers could read in two ways (RFC 9112 §11) is an
//! error here, for requests and for answers.

pub mod chunk;
pub mod decoder;
#[cfg(test)]
mod differential;
pub mod field;
pub mod framing;
pub mod request;
pub mod response;
pub mod scan;

pub use decoder::{BodyError, Decoder, Event};
pub use field::{Field, FieldStorage, Known};
pub use framing::Framing;
pub use request::RequestHead;
pub use response::ResponseHead;
pub use scan::HeadScan;

/// The largest head in bytes, its empty line included.
pub const MAX_HEAD: usize = 64 * 1024;
/// The most fields a head or a trailer section may have.
pub const MAX_FIELDS: usize = 128;

/// The two versions that share this syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Knows neither chunks nor interim answers; a connection serves one
    /// request unless both sides say otherwise.
    Http10,
    /// RFC 9112.
    Http11,
}

impl Version {
    fn of_minor(minor: Option<u8>) -> Self {
        if minor == Some(0) {
            Self::Http10
        } else {
            Self::Http11
        }
    }
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// More than [`MAX_HEAD`] bytes or [`MAX_FIELDS`] fields.
    #[error("the head has more than 64 KiB or more than 128 fields")]
    TooLarge,
    /// A carriage return or line feed without the other (RFC 9112 §2.2).
    #[error("a line does not end with CR LF")]
    LineEnding,
    /// The first line is not one of HTTP/1.
    #[error("the first line is malformed")]
    StartLine,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A name that is no token (a folded line and a space before the colon
    /// are such), or a value with a control character.
    #[error("a header field is malformed")]
    Field,
    /// Content-Length and Transfer-Encoding together (RFC 9112 §6.1).
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    TwoFramings,
    /// Content-Length more than once, or not a plain decimal number.
    #[error("Content-Length must be one decimal number")]
    Length,
    /// Transfer-Encoding more than once, or in HTTP/1.0.
    #[error("Transfer-Encoding must be there once, and not in HTTP/1.0")]
    Coding,
    /// A transfer coding other than chunked.
    #[error("the only transfer coding known here is chunked")]
    UnknownCoding,
    /// No Host in HTTP/1.1, or more than one (RFC 9112 §3.2).
    #[error("there must be exactly one Host")]
    Host,
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooLarge,
            httparse::Error::HeaderName | httparse::Error::HeaderValue => Self::Field,
            httparse::Error::NewLine => Self::LineEnding,
            httparse::Error::Version => Self::Version,
            httparse::Error::Status | httparse::Error::Token => Self::StartLine,
        }
    }
}
