//! Header fields, and the names that a proxy must know.

use std::mem::MaybeUninit;

use super::{HeadError, MAX_FIELDS};

/// A field as it came: the name as it was spelled, the value without the
/// white space around it.
pub type Field<'b> = httparse::Header<'b>;

/// Room for the fields of one head, on the stack.
pub struct FieldStorage<'b>(pub(super) [MaybeUninit<Field<'b>>; MAX_FIELDS]);

impl FieldStorage<'_> {
    /// Nothing is written to it before it is used.
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_FIELDS])
    }
}

impl Default for FieldStorage<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The names that change what a proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Connection.
    Connection,
    /// Content-Length.
    ContentLength,
    /// Credence-Error: only we may say it.
    CredenceError,
    /// Expect.
    Expect,
    /// Forwarded, or one of the X-Forwarded family.
    Forwarded,
    /// Host.
    Host,
    /// What concerns one connection only, besides the two that have their own
    /// entry (RFC 9110 §7.6.1).
    HopByHop,
    /// Location.
    Location,
    /// Origin.
    Origin,
    /// Sec-Fetch-Site.
    SecFetchSite,
    /// Trailer.
    Trailer,
    /// Transfer-Encoding.
    TransferEncoding,
    /// Upgrade.
    Upgrade,
}

impl Known {
    /// The entry of a name in any case; none for the many that are passed on.
    pub fn of(name: &str) -> Option<Self> {
        let candidates: &[(&str, Self)] = match name.len() {
            2 => &[("te", Self::HopByHop)],
            4 => &[("host", Self::Host)],
            6 => &[("origin", Self::Origin), ("expect", Self::Expect)],
            7 => &[("upgrade", Self::Upgrade), ("trailer", Self::Trailer)],
            8 => &[("location", Self::Location)],
            9 => &[("forwarded", Self::Forwarded)],
            10 => &[
                ("connection", Self::Connection),
                ("keep-alive", Self::HopByHop),
            ],
            14 => &[
                ("content-length", Self::ContentLength),
                ("sec-fetch-site", Self::SecFetchSite),
                ("credence-error", Self::CredenceError),
                ("http2-settings", Self::HopByHop),
            ],
            16 => &[("proxy-connection", Self::HopByHop)],
            17 => &[("transfer-encoding", Self::TransferEncoding)],
            18 => &[("proxy-authenticate", Self::HopByHop)],
            19 => &[("proxy-authorization", Self::HopByHop)],
            _ => &[],
        };
        for (known, entry) in candidates {
            if known.eq_ignore_ascii_case(name) {
                return Some(*entry);
            }
        }
        let family = name.as_bytes().get(..12)?;
        family
            .eq_ignore_ascii_case(b"x-forwarded-")
            .then_some(Self::Forwarded)
    }

    /// Whether a proxy may neither pass the field on nor let a peer set it
    /// through a collection or a trailer: it belongs to the connection or to
    /// the framing.
    pub fn is_ours(self) -> bool {
        match self {
            Self::Connection
            | Self::ContentLength
            | Self::CredenceError
            | Self::Forwarded
            | Self::Host
            | Self::HopByHop
            | Self::Trailer
            | Self::TransferEncoding
            | Self::Upgrade => true,
            Self::Expect | Self::Location | Self::Origin | Self::SecFetchSite => false,
        }
    }
}

/// The members of a comma-separated list, without the white space around them
/// and without the empty ones (RFC 9110 §5.6.1.2).
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Parses the fields of a trailer section, its empty line included.
///
/// # Errors
/// [`HeadError::Field`], [`HeadError::TooLarge`].
pub fn parse_section<'b, 'f>(
    section: &'b [u8],
    storage: &'f mut [Field<'b>; MAX_FIELDS],
) -> Result<&'f [Field<'b>], HeadError> {
    match httparse::parse_headers(section, storage)? {
        httparse::Status::Complete((_, fields)) => Ok(fields),
        httparse::Status::Partial => Err(HeadError::Field),
    }
}

/// Writes one field line.
pub fn write(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        for (name, known) in [
            ("HOST", Some(Known::Host)),
            ("content-Length", Some(Known::ContentLength)),
            ("X-Forwarded-For", Some(Known::Forwarded)),
            ("x-forwarded-anything", Some(Known::Forwarded)),
            ("X-Forwarded", None),
            ("Accept", None),
            ("Authorization", None),
            ("TE", Some(Known::HopByHop)),
        ] {
            assert_eq!(Known::of(name), known, "{name}");
        }
    }

    #[test]
    fn list_members_come_without_white_space() {
        let list: Vec<_> = members(b" close ,, \tX-A,").collect();
        assert_eq!(list, [&b"close"[..], b"X-A"]);
    }
}
