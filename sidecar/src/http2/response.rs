//! The head of an answer, in both versions.

use std::io;

use http::response::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::http1::{FieldStorage, Framing, Known, ResponseHead, field};

/// What is sent to a caller.
#[derive(Debug)]
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
    let status = answer.status;
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in &answer.headers {
        field::write(name.as_str(), value.as_bytes(), &mut head);
    }
    let bodiless = to_head || matches!(status.as_u16(), 204 | 304);
    let framing = match answer.headers.get(header::CONTENT_LENGTH) {
        _ if bodiless => Framing::None,
        Some(length) => match length.to_str().map(str::parse) {
            Ok(Ok(length)) => Framing::Length(length),
            // Whoever reads the head refuses it for this.
            Ok(Err(_)) | Err(_) => Framing::None,
        },
        None if ended => {
            field::write("content-length", b"0", &mut head);
            Framing::None
        }
        None => {
            field::write("transfer-encoding", b"chunked", &mut head);
            Framing::Chunked
        }
    };
    head.extend_from_slice(b"\r\n");
    (head, framing)
}

fn invalid<E>(_: E) -> io::Error {
    io::ErrorKind::InvalidData.into()
}
