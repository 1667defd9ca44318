//! The head of an answer, as a client reads it.

use super::field::{is_among, members, named};
use super::framing::Declared;
use super::{Field, FieldStorage, Framing, HeadError, Known, Version};

/// An answer's head. Slices point into the bytes it was parsed from.
#[derive(Debug)]
pub struct ResponseHead<'b, 'f> {
    /// From 100 to 999.
    pub status: u16,
    /// The status and the reason as they were sent: `200 OK`.
    pub status_and_reason: &'b [u8],
    /// All fields, in their order.
    pub fields: &'f [Field<'b>],
    /// Where the body ends.
    pub framing: Framing,
    /// The connection is not to be used after this answer.
    pub close: bool,
    /// Which fields Connection names besides those that every proxy removes.
    named: u128,
}

impl<'b, 'f> ResponseHead<'b, 'f> {
    /// Parses a whole head, as [`super::HeadScan`] delimited it. The answer to
    /// a HEAD request has no body, whatever its fields say.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn parse(
        head: &'b [u8],
        to_head: bool,
        storage: &'f mut FieldStorage<'b>,
    ) -> Result<Self, HeadError> {
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            &mut storage.0,
        )?;
        let (true, Some(status @ 100..)) = (parsed.is_complete(), response.code) else {
            return Err(HeadError::StartLine);
        };
        let version = Version::of_minor(response.version);
        let fields: &'f [Field<'b>] = response.headers;

        let mut declared = Declared::default();
        let mut close = false;
        let mut keep_alive = false;
        let mut names_fields = false;
        for field in fields {
            match Known::of(field.name) {
                Some(Known::ContentLength) => declared.content_length(field.value)?,
                Some(Known::TransferEncoding) => declared.transfer_encoding(field.value)?,
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
        let framing = declared.framing(version)?;
        let framing = if to_head || matches!(status, 100..=199 | 204 | 304) {
            Framing::None
        } else {
            framing.unwrap_or(Framing::UntilClose)
        };
        Ok(Self {
            status,
            status_and_reason: status_and_reason(head),
            fields,
            framing,
            close: close
                || framing == Framing::UntilClose
                || (version == Version::Http10 && !keep_alive),
            named: if names_fields { named(fields)? } else { 0 },
        })
    }

    /// Not the answer itself, which is still to come (RFC 9110 §15.2).
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Whether Connection names this field, which is there (RFC 9110 §7.6.1).
    pub fn is_named(&self, name: &str) -> bool {
        is_among(self.fields, self.named, name)
    }
}

/// httparse gives up a reason with bytes above ASCII; they are the server's.
fn status_and_reason(head: &[u8]) -> &[u8] {
    const VERSION: usize = "HTTP/1.1 ".len();
    let end = memchr::memchr(b'\r', head).unwrap_or(head.len());
    head.get(VERSION..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(head: &str, to_head: bool) -> (Framing, bool) {
        let mut storage = FieldStorage::new();
        let head = ResponseHead::parse(head.as_bytes(), to_head, &mut storage).unwrap();
        (head.framing, head.close)
    }

    #[test]
    fn the_body_ends_where_status_method_and_fields_say() {
        let ok = "HTTP/1.1 200 OK\r\n";
        for (head, to_head, expected) in [
            (
                format!("{ok}Content-Length: 5\r\n\r\n"),
                false,
                (Framing::Length(5), false),
            ),
            (
                format!("{ok}Content-Length: 5\r\n\r\n"),
                true,
                (Framing::None, false),
            ),
            (
                format!("{ok}Transfer-Encoding: Chunked\r\n\r\n"),
                false,
                (Framing::Chunked, false),
            ),
            (format!("{ok}\r\n"), false, (Framing::UntilClose, true)),
            (
                format!("{ok}Connection: close\r\nContent-Length: 0\r\n\r\n"),
                false,
                (Framing::Length(0), true),
            ),
            (
                "HTTP/1.1 204 No\r\n\r\n".to_owned(),
                false,
                (Framing::None, false),
            ),
            (
                "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n".to_owned(),
                false,
                (Framing::None, false),
            ),
            (
                "HTTP/1.1 100 \r\n\r\n".to_owned(),
                false,
                (Framing::None, false),
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n".to_owned(),
                false,
                (Framing::Length(1), true),
            ),
        ] {
            assert_eq!(framing(&head, to_head), expected, "{head}");
        }
    }

    #[test]
    fn an_ambiguous_answer_is_refused() {
        for (rest, why) in [
            (
                "Content-Length: 1\r\nTransfer-Encoding: chunked",
                HeadError::TwoFramings,
            ),
            ("Content-Length: 1\r\nContent-Length: 1", HeadError::Length),
            ("Transfer-Encoding: gzip", HeadError::UnknownCoding),
            ("A : b", HeadError::Field),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{rest}\r\n\r\n");
            let mut storage = FieldStorage::new();
            let error = ResponseHead::parse(head.as_bytes(), false, &mut storage).unwrap_err();
            assert_eq!(error, why, "{rest}");
        }
        for line in ["HTTP/1.1 099 No", "HTTP/2 200 OK", "ICY 200 OK"] {
            let head = format!("{line}\r\n\r\n");
            assert!(ResponseHead::parse(head.as_bytes(), false, &mut FieldStorage::new()).is_err());
        }
    }

    #[test]
    fn an_old_connection_is_kept_only_where_everybody_would_keep_it() {
        for (value, close) in [(&b"keep-alive"[..], false), (b"keep-alive, \xfc", true)] {
            let head = [b"HTTP/1.0 204 No\r\nConnection: ", value, b"\r\n\r\n"].concat();
            let mut storage = FieldStorage::new();
            let head = ResponseHead::parse(&head, false, &mut storage).unwrap();
            assert_eq!(head.close, close, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn the_reason_is_the_servers_bytes() {
        let mut storage = FieldStorage::new();
        let head = ResponseHead::parse(b"HTTP/1.1 200 gr\xfcn\r\n\r\n", false, &mut storage);
        assert_eq!(head.unwrap().status_and_reason, b"200 gr\xfcn");
    }
}
