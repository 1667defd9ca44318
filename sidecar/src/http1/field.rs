//! Header fields, and the names that a proxy must know.

use std::mem::MaybeUninit;

use super::{HeadError, MAX_FIELDS};

/// A field as it came: the name as it was spelled, the value without the
/// white space around it.
pub type Field<'b> = httparse::Header<'b>;

/// Room for the fields of one head, on the stack.
pub struct FieldStorage<'b, const MOST: usize = MAX_FIELDS>(
    pub(super) [MaybeUninit<Field<'b>>; MOST],
);

impl FieldStorage<'_> {
    /// Nothing is written to it before it is used.
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_FIELDS])
    }
}

impl FieldStorage<'_, { 2 * MAX_FIELDS }> {
    /// For a head that we have written: a caller's fields and ours.
    pub const fn with_ours() -> Self {
        Self([const { MaybeUninit::uninit() }; 2 * MAX_FIELDS])
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
    ///
    /// Length and first letter leave at most one candidate, so that most names
    /// are not compared at all.
    pub fn of(name: &str) -> Option<Self> {
        let (first, second) = match name.as_bytes() {
            [first, second, ..] => (first | 0x20, second | 0x20),
            _ => return None,
        };
        let (known, entry) = match (name.len(), first) {
            (2, b't') => ("te", Self::HopByHop),
            (4, b'h') => ("host", Self::Host),
            (6, b'e') => ("expect", Self::Expect),
            (6, b'o') => ("origin", Self::Origin),
            (7, b't') => ("trailer", Self::Trailer),
            (7, b'u') => ("upgrade", Self::Upgrade),
            (8, b'l') => ("location", Self::Location),
            (9, b'f') => ("forwarded", Self::Forwarded),
            (10, b'c') => ("connection", Self::Connection),
            (10, b'k') => ("keep-alive", Self::HopByHop),
            (14, b'c') if second == b'o' => ("content-length", Self::ContentLength),
            (14, b'c') => ("credence-error", Self::CredenceError),
            (14, b'h') => ("http2-settings", Self::HopByHop),
            (14, b's') => ("sec-fetch-site", Self::SecFetchSite),
            (16, b'p') => ("proxy-connection", Self::HopByHop),
            (17, b't') => ("transfer-encoding", Self::TransferEncoding),
            (18, b'p') => ("proxy-authenticate", Self::HopByHop),
            (19, b'p') => ("proxy-authorization", Self::HopByHop),
            (12.., b'x') => {
                // Servers that hand fields on as variables (RFC 3875 §4.1.18)
                // do not tell `_` from `-`.
                let is_dash = |at: usize| matches!(name.as_bytes()[at], b'-' | b'_');
                let family = name.as_bytes()[2..11].eq_ignore_ascii_case(b"forwarded");
                return (family && is_dash(1) && is_dash(11)).then_some(Self::Forwarded);
            }
            _ => return None,
        };
        known.eq_ignore_ascii_case(name).then_some(entry)
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

/// Which of the fields the options of Connection name (RFC 9110 §7.6.1): bit n
/// stands for the nth. Worked out once, since both can be many.
///
/// # Errors
/// [`HeadError::TooLarge`] for more options than a head has fields.
pub(super) fn named(fields: &[Field<'_>]) -> Result<u128, HeadError> {
    let options = fields
        .iter()
        .filter(|field| Known::of(field.name) == Some(Known::Connection))
        .flat_map(|field| members(field.value));
    let mut named = 0;
    for (count, option) in options.enumerate() {
        if count >= MAX_FIELDS || fields.len() > MAX_FIELDS {
            return Err(HeadError::TooLarge);
        }
        for (index, field) in fields.iter().enumerate() {
            if option.eq_ignore_ascii_case(field.name.as_bytes()) {
                named |= 1 << index;
            }
        }
    }
    Ok(named)
}

/// Whether a field of this name is among those that are named.
pub(super) fn is_among(fields: &[Field<'_>], named: u128, name: &str) -> bool {
    named != 0
        && fields
            .iter()
            .enumerate()
            .any(|(index, field)| named >> index & 1 == 1 && field.name.eq_ignore_ascii_case(name))
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
            ("TE", Some(Known::HopByHop)),
            ("expect", Some(Known::Expect)),
            ("Origin", Some(Known::Origin)),
            ("Trailer", Some(Known::Trailer)),
            ("UPGRADE", Some(Known::Upgrade)),
            ("Location", Some(Known::Location)),
            ("Forwarded", Some(Known::Forwarded)),
            ("Connection", Some(Known::Connection)),
            ("Keep-Alive", Some(Known::HopByHop)),
            ("Credence-Error", Some(Known::CredenceError)),
            ("HTTP2-Settings", Some(Known::HopByHop)),
            ("Sec-Fetch-Site", Some(Known::SecFetchSite)),
            ("Proxy-Connection", Some(Known::HopByHop)),
            ("Transfer-Encoding", Some(Known::TransferEncoding)),
            ("Proxy-Authenticate", Some(Known::HopByHop)),
            ("Proxy-Authorization", Some(Known::HopByHop)),
            ("Content-Lengtx", None),
            ("X-Forwarded-", Some(Known::Forwarded)),
            ("X", None),
            ("", None),
            ("HOST", Some(Known::Host)),
            ("content-Length", Some(Known::ContentLength)),
            ("X-Forwarded-For", Some(Known::Forwarded)),
            ("x-forwarded-anything", Some(Known::Forwarded)),
            ("X_Forwarded-For", Some(Known::Forwarded)),
            ("x_forwarded_for", Some(Known::Forwarded)),
            ("x_forwardedxfor", None),
            ("X-Forwarded", None),
            ("Accept", None),
            ("Authorization", None),
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
