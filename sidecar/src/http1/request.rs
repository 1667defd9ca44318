//! The head of a request, as a server reads it.

use super::field::{is_among, members, named};
use super::framing::Declared;
use super::{Field, FieldStorage, Framing, HeadError, Known, Version};

/// A request's head. Slices point into the bytes it was parsed from.
#[derive(Debug)]
pub struct RequestHead<'b, 'f> {
    /// As it was sent; methods are case-sensitive.
    pub method: &'b str,
    /// As it was sent, in any of the four forms of RFC 9112 §3.2.
    pub target: &'b str,
    /// The sender's version.
    pub version: Version,
    /// All fields, in their order.
    pub fields: &'f [Field<'b>],
    /// Where the body ends.
    pub framing: Framing,
    /// The value of Host; absent only in HTTP/1.0.
    pub host: Option<&'b [u8]>,
    /// The connection is not to be used after the answer.
    pub close: bool,
    /// Connection names fields besides those that every proxy removes.
    pub names_fields: bool,
    /// Which fields that are.
    named: u128,
    /// The value of Upgrade.
    pub upgrade: Option<&'b [u8]>,
}

impl<'b, 'f> RequestHead<'b, 'f> {
    /// Parses a whole head, as [`super::HeadScan::request`] delimited it.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn parse<const MOST: usize>(
        head: &'b [u8],
        storage: &'f mut FieldStorage<'b, MOST>,
    ) -> Result<Self, HeadError> {
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(head, &mut storage.0)?;
        let (true, Some(method), Some(target)) =
            (parsed.is_complete(), request.method, request.path)
        else {
            return Err(HeadError::StartLine);
        };
        let version = Version::of_minor(request.version);
        let fields: &'f [Field<'b>] = request.headers;

        let mut declared = Declared::default();
        let mut host = None;
        let mut upgrade = None;
        let mut close = false;
        let mut keep_alive = false;
        let mut names_fields = false;
        for field in fields {
            match Known::of(field.name) {
                Some(Known::ContentLength) => declared.content_length(field.value)?,
                Some(Known::TransferEncoding) => declared.transfer_encoding(field.value)?,
                Some(Known::Host) if host.is_some() => return Err(HeadError::Host),
                Some(Known::Host) => host = Some(field.value),
                Some(Known::Upgrade) => upgrade = Some(field.value),
                Some(Known::Connection) => {
                    for option in members(field.value) {
                        if option.eq_ignore_ascii_case(b"close") {
                            close = true;
                        } else if option.eq_ignore_ascii_case(b"keep-alive") {
                            // Beside what is no token, others overlook it.
                            keep_alive |= field.value.is_ascii();
                        } else {
                            names_fields = true;
                        }
                    }
                }
                _ => {}
            }
        }
        if host.is_none() && version == Version::Http11 {
            return Err(HeadError::Host);
        }
        Ok(Self {
            method,
            target,
            version,
            fields,
            framing: declared.framing(version)?.unwrap_or(Framing::None),
            host,
            close: close || (version == Version::Http10 && !keep_alive),
            names_fields,
            named: if names_fields { named(fields)? } else { 0 },
            upgrade,
        })
    }

    /// Whether Connection names this field, which is there (RFC 9110 §7.6.1).
    pub fn is_named(&self, name: &str) -> bool {
        is_among(self.fields, self.named, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(head: &str) -> HeadError {
        RequestHead::parse(head.as_bytes(), &mut FieldStorage::new()).unwrap_err()
    }

    #[test]
    fn a_head_keeps_spelling_order_and_bytes() {
        let head = b"GET /a%2fb?x=1&&y HTTP/1.1\r\nhOst: h\r\nX-B: \xffv \r\nx-a:\r\n\r\n";
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(head, &mut storage).unwrap();
        assert_eq!((head.method, head.target), ("GET", "/a%2fb?x=1&&y"));
        let fields: Vec<_> = head.fields.iter().map(|f| (f.name, f.value)).collect();
        assert_eq!(
            fields,
            [("hOst", &b"h"[..]), ("X-B", b"\xffv"), ("x-a", b"")]
        );
        assert_eq!(head.framing, Framing::None);
        assert!(!head.close);
    }

    #[test]
    fn heads_that_can_be_read_two_ways_are_refused() {
        let host = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (rest, why) in [
            (
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                HeadError::TwoFramings,
            ),
            (
                "Content-Length: 1\r\nContent-Length: 1\r\n",
                HeadError::Length,
            ),
            ("Content-Length: 1, 1\r\n", HeadError::Length),
            ("Content-Length: +1\r\n", HeadError::Length),
            ("Content-Length:\r\n", HeadError::Length),
            ("Content-Length : 1\r\n", HeadError::Field),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                HeadError::Coding,
            ),
            (
                "Transfer-Encoding: gzip, chunked\r\n",
                HeadError::UnknownCoding,
            ),
            ("Transfer-Encoding: xchunked\r\n", HeadError::UnknownCoding),
            ("Transfer-Encoding: \x0bchunked\r\n", HeadError::Field),
            ("A: b\r\n c\r\n", HeadError::Field),
            (" A: b\r\n", HeadError::Field),
            ("A\r\n", HeadError::Field),
            (": b\r\n", HeadError::Field),
            ("A: b\0\r\n", HeadError::Field),
            ("A\0: b\r\n", HeadError::Field),
            ("Host: h\r\n", HeadError::Host),
        ] {
            assert_eq!(error(&format!("{host}{rest}\r\n")), why, "{rest:?}");
        }
    }

    #[test]
    fn first_lines_are_strict() {
        for (line, why) in [
            ("GET  / HTTP/1.1", HeadError::StartLine),
            ("GET /", HeadError::StartLine),
            ("G\tT / HTTP/1.1", HeadError::StartLine),
            ("GET / HTTP/2.0", HeadError::Version),
            ("GET / HTTP/1.1 x", HeadError::LineEnding),
            ("GET /a\0b HTTP/1.1", HeadError::StartLine),
        ] {
            assert_eq!(error(&format!("{line}\r\nHost: h\r\n\r\n")), why, "{line}");
        }
        assert_eq!(error("GET / HTTP/1.1\r\n\r\n"), HeadError::Host);
    }

    #[test]
    fn http_10_needs_no_host_and_has_no_chunks() {
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(b"GET / HTTP/1.0\r\n\r\n", &mut storage).unwrap();
        assert!(head.close && head.host.is_none());
        assert_eq!(
            error("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HeadError::Coding
        );
        let mut storage = FieldStorage::new();
        let kept = b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
        assert!(!RequestHead::parse(kept, &mut storage).unwrap().close);
    }

    #[test]
    fn an_old_connection_is_kept_only_where_everybody_would_keep_it() {
        for (value, close) in [
            (&b"keep-alive"[..], false),
            (b"keep-alive, \xfc", true),
            (b"\xfc\r\nConnection: keep-alive", false),
            (b"keep-alive\r\nConnection: \xfc, close", true),
        ] {
            let head = [b"GET / HTTP/1.0\r\nConnection: ", value, b"\r\n\r\n"].concat();
            let mut storage = FieldStorage::new();
            let head = RequestHead::parse(&head, &mut storage).unwrap();
            assert_eq!(head.close, close, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn connection_names_fields() {
        let head =
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX: 2\r\n\r\n";
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(head, &mut storage).unwrap();
        assert!(head.close && head.is_named("x-hop") && !head.is_named("x"));
    }

    #[test]
    fn the_129th_field_is_too_much() {
        let fields = |count| "A: b\r\n".repeat(count);
        let head = |count| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", fields(count));
        let most = head(127);
        assert!(RequestHead::parse(most.as_bytes(), &mut FieldStorage::new()).is_ok());
        assert_eq!(error(&head(128)), HeadError::TooLarge);
    }

    #[test]
    fn fields_that_connection_names_are_known_however_many_there_are() {
        let fields: String = (0..126).map(|n| format!("X-{n}: 1\r\n")).collect();
        let options: Vec<_> = (0..126).step_by(2).map(|n| format!("x-{n}")).collect();
        let options = options.join(", ");
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: {options}\r\n{fields}\r\n");
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(head.as_bytes(), &mut storage).unwrap();
        assert!(head.is_named("X-0") && head.is_named("x-124"));
        assert!(!head.is_named("X-1") && !head.is_named("Host"));
        let many = vec!["x"; 129].join(",");
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: {many}\r\n\r\n");
        assert_eq!(error(&head), HeadError::TooLarge);
    }
}
