//! Going on in another protocol, such as WebSocket (RFC 9110 §7.8).

use crate::http1::{Field, Framing, Known, RequestHead, ResponseHead, Version, field};
use crate::problem::Problem;
use crate::slug::Slug;

/// The protocols that a caller would go on with, as he spells them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Upgrade(Vec<Box<[u8]>>);

impl Upgrade {
    /// What a request asks for. A client that offers HTTP/2 in passing, as
    /// Java's does, is content with HTTP/1.1 and asks for nothing: calls that
    /// nobody looks at must not follow, so it is not asked for.
    ///
    /// # Errors
    /// `not-implemented`, where the connection cannot be handed over: what came
    /// after the head would be taken for the other protocol.
    pub(crate) fn of(head: &RequestHead<'_, '_>) -> Result<Option<Self>, Problem> {
        // RFC 9110 §7.8: HTTP/1.0 does not know it, and without the option in
        // Connection it was meant for somebody else.
        if head.upgrade.is_none() || head.version == Version::Http10 || !head.is_named("upgrade") {
            return Ok(None);
        }
        let protocols: Vec<Box<[u8]>> = protocols(head.fields)
            .filter(|protocol| !carries_http(protocol))
            .map(Box::from)
            .collect();
        if protocols.is_empty() {
            return Ok(None);
        }
        if head.method != "GET" || head.framing != Framing::None {
            return Err(Problem::new(
                Slug::NotImplemented,
                "Only a GET without a body can change the protocol of a connection.",
            ));
        }
        Ok(Some(Self(protocols)))
    }

    /// Writes the fields that ask the provider for the same.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        field::write("Connection", b"Upgrade", out);
        field::write("Upgrade", &self.0.join(&b", "[..]), out);
    }

    /// Whether an answer goes on with what was asked for.
    pub(crate) fn is_granted_by(&self, head: &ResponseHead<'_, '_>) -> bool {
        let asked = |protocol: &[u8]| {
            self.0
                .iter()
                .any(|asked| asked.eq_ignore_ascii_case(protocol))
        };
        let mut chosen = protocols(head.fields).peekable();
        head.status == 101
            && head.is_named("upgrade")
            && chosen.peek().is_some()
            && chosen.all(asked)
    }
}

/// Whether other HTTP requests could follow in this protocol: another version
/// of it, or TLS below it (RFC 2817 §3).
fn carries_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next();
    let name = name.unwrap_or_default().to_ascii_lowercase();
    matches!(&*name, b"http" | b"tls" | b"h2" | b"h2c" | b"h3")
}

fn protocols<'b>(fields: &[Field<'b>]) -> impl Iterator<Item = &'b [u8]> {
    fields
        .iter()
        .filter(|field| Known::of(field.name) == Some(Known::Upgrade))
        .flat_map(|field| field::members(field.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::FieldStorage;

    fn asked(start: &str, fields: &str) -> Result<Option<Upgrade>, Slug> {
        let head = format!("{start}\r\nHost: localhost\r\n{fields}\r\n");
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(head.as_bytes(), &mut storage).unwrap();
        Upgrade::of(&head).map_err(|problem| problem.slug)
    }

    fn written(start: &str, fields: &str) -> Option<String> {
        let upgrade = asked(start, fields).unwrap()?;
        let mut out = Vec::new();
        upgrade.write(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    const GET: &str = "GET /a HTTP/1.1";
    const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

    #[test]
    fn a_request_asks_by_both_fields_in_any_case() {
        for fields in [
            WEBSOCKET,
            "connection: keep-alive, UPGRADE\r\nupgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
        ] {
            let expected = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
            assert_eq!(written(GET, fields).unwrap(), expected, "{fields}");
        }
        let two = "Connection: Upgrade\r\nUpgrade: WebSocket\r\nUpgrade: irc/6.9\r\n";
        let expected = "Connection: Upgrade\r\nUpgrade: WebSocket, irc/6.9\r\n";
        assert_eq!(written(GET, two).unwrap(), expected);
    }

    #[test]
    fn what_asks_for_nothing_is_an_ordinary_request() {
        for (start, fields) in [
            (GET, "Upgrade: websocket\r\n"),
            (GET, "Connection: Upgrade\r\n"),
            (
                GET,
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
            ),
            (
                "POST /a HTTP/1.1",
                "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n",
            ),
            (GET, "Connection: Upgrade\r\nUpgrade: ,\r\n"),
            (
                GET,
                "Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0, H2C, h2\r\n",
            ),
            ("GET /a HTTP/1.0", WEBSOCKET),
        ] {
            assert_eq!(asked(start, fields), Ok(None), "{fields}");
        }
    }

    #[test]
    fn only_a_get_without_a_body_can_ask() {
        for (start, fields) in [
            ("POST /a HTTP/1.1", ""),
            ("get /a HTTP/1.1", ""),
            (GET, "Content-Length: 1\r\n"),
            (GET, "Transfer-Encoding: chunked\r\n"),
        ] {
            let refused = asked(start, &format!("{WEBSOCKET}{fields}"));
            assert_eq!(refused, Err(Slug::NotImplemented), "{start} {fields}");
        }
    }

    #[test]
    fn an_answer_grants_what_was_asked_for_and_nothing_else() {
        let upgrade = asked(GET, WEBSOCKET).unwrap().unwrap();
        let granted = |head: &str| {
            let head = format!("HTTP/1.1 {head}\r\n\r\n");
            let mut storage = FieldStorage::new();
            let head = ResponseHead::parse(head.as_bytes(), false, &mut storage).unwrap();
            upgrade.is_granted_by(&head)
        };
        assert!(granted(
            "101 x\r\nConnection: upgrade\r\nUpgrade: WebSocket"
        ));
        for other in [
            "101 x\r\nConnection: upgrade\r\nUpgrade: h2c",
            "101 x\r\nConnection: upgrade\r\nUpgrade: websocket, h2c",
            "101 x\r\nConnection: upgrade",
            "101 x\r\nUpgrade: websocket",
            "200 x\r\nConnection: upgrade\r\nUpgrade: websocket",
        ] {
            assert!(!granted(other), "{other}");
        }
    }
}
