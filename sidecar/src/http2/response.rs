//! The head of an answer, in both versions.

use std::io;

use http::response::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::request;
use crate::http1::{FieldStorage, Framing, Known, ResponseHead, field};

/// What is sent to a caller.
pub(super) struct Sent {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    pub(super) interim: bool,
}

/// Reads the head of an answer, and makes one of HTTP/2 of it. `to_head` says
/// that it is the answer to HEAD.
///
/// # Errors
/// If it cannot be said in HTTP/2.
pub(super) fn send(head: &[u8], to_head: bool) -> io::Result<Sent> {
    let mut storage = FieldStorage::new();
    let head = ResponseHead::parse(head, to_head, &mut storage).map_err(invalid)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(invalid)?;
    for sent in head.fields {
        match Known::of(sent.name) {
            // RFC 9113 §8.2.2.
            Some(
                Known::Connection | Known::HopByHop | Known::TransferEncoding | Known::Upgrade,
            ) => {}
            Some(_) | None => {
                let name = HeaderName::from_bytes(sent.name.as_bytes()).map_err(invalid)?;
                let value = HeaderValue::from_bytes(sent.value).map_err(invalid)?;
                response.headers_mut().append(name, value);
            }
        }
    }
    Ok(Sent {
        response,
        framing: head.framing,
        interim: head.is_interim(),
    })
}

/// Writes a provider's head in HTTP/1.1, and says how its body is framed;
/// `ended` says that none follows.
pub(super) fn receive(answer: &Parts, ended: bool, to_head: bool) -> (Vec<u8>, Framing) {
    let headers = &answer.headers;
    let bodiless = to_head || matches!(answer.status.as_u16(), 204 | 304);
    let length = headers.get(header::CONTENT_LENGTH);
    let framing = match length.map(|length| length.to_str().map(str::parse)) {
        _ if bodiless => Framing::None,
        None if ended => Framing::Length(0),
        None => Framing::Chunked,
        Some(_) if !ended && request::needs_trailers(headers) => Framing::Chunked,
        Some(Ok(Ok(length))) => Framing::Length(length),
        // Whoever reads the head refuses it for this.
        Some(Ok(Err(_)) | Err(_)) => Framing::None,
    };
    let reason = answer.status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", answer.status.as_str()).into_bytes();
    for (name, value) in headers {
        if framing != Framing::Chunked || name != header::CONTENT_LENGTH {
            field::write(name.as_str(), value.as_bytes(), &mut head);
        }
    }
    match framing {
        Framing::Chunked => field::write("transfer-encoding", b"chunked", &mut head),
        Framing::Length(_) if length.is_none() => field::write("content-length", b"0", &mut head),
        Framing::Length(_) | Framing::None | Framing::UntilClose => {}
    }
    head.extend_from_slice(b"\r\n");
    (head, framing)
}

fn invalid<E>(_: E) -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(answer: http::response::Builder, ended: bool, to_head: bool) -> String {
        let (parts, ()) = answer.body(()).unwrap().into_parts();
        String::from_utf8(receive(&parts, ended, to_head).0).unwrap()
    }

    #[test]
    fn an_answer_is_framed_by_its_length_or_in_chunks() {
        let ok = || Response::builder().header("x-a", "b");
        let said = |status, framing| format!("HTTP/1.1 {status}\r\nx-a: b\r\n{framing}\r\n");
        let chunked = "transfer-encoding: chunked\r\n";
        for (answer, ended, to_head, expected) in [
            (ok(), false, false, said("200 OK", chunked)),
            (ok(), true, false, said("200 OK", "content-length: 0\r\n")),
            (ok(), true, true, said("200 OK", "")),
            (ok().status(204), true, false, said("204 No Content", "")),
            (ok().status(299), false, false, said("299 ", chunked)),
        ] {
            assert_eq!(received(answer, ended, to_head), expected);
        }
        let grpc = ok()
            .header("content-type", "application/grpc")
            .header("content-length", "5");
        let head = received(grpc, false, false);
        assert!(head.ends_with(&format!("grpc\r\n{chunked}\r\n")), "{head}");
    }

    #[test]
    fn what_concerns_a_connection_is_not_sent_on_a_stream() {
        let head = b"HTTP/1.1 200 Fine\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
            Set-Cookie: a\r\nSet-Cookie: b\r\nX-Bin: \xff\r\n\r\n";
        let sent = send(head, false).unwrap();
        assert_eq!(sent.framing, Framing::Chunked);
        let names: Vec<_> = sent
            .response
            .headers()
            .keys()
            .map(HeaderName::as_str)
            .collect();
        assert_eq!(names, ["set-cookie", "x-bin"]);
        assert_eq!(
            sent.response.headers().get_all("set-cookie").iter().count(),
            2
        );
    }
}
