//! The head of a request, in both versions.

use std::io::{self, Write};

use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::destination::Destination;
use crate::http1::{Field, FieldStorage, Framing, Known, RequestHead, field};
use crate::problem::Problem;
use crate::slug::Slug;

/// What a caller has asked for; by default nothing.
pub(super) struct Received {
    /// The same in HTTP/1.1.
    pub(super) head: Vec<u8>,
    pub(super) framing: Framing,
    /// The caller waits for an interim answer before he sends the body.
    pub(super) expects: bool,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            head: Vec::new(),
            framing: Framing::None,
            expects: false,
        }
    }
}

/// Writes a caller's head in HTTP/1.1; `ended` says that no body follows.
///
/// It is judged there like any other: here is only what could not be written,
/// or would be read as something else.
///
/// # Errors
/// The problem to answer with.
pub(super) fn receive(request: &Parts, ended: bool) -> Result<Received, Problem> {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = request;
    let known = |scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme);
    if !uri.scheme().is_none_or(known) {
        return Err(bad("The scheme of a request must be http."));
    }
    let host = host(uri, headers)?;
    let target = match uri.path_and_query() {
        Some(target) if *method != Method::CONNECT => target.as_str(),
        _ => str_of(host),
    };
    let framing = match length(headers) {
        Some(length) if ended || !needs_trailers(headers) => Framing::Length(length),
        _ if ended => Framing::None,
        _ => Framing::Chunked,
    };
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    if !host.is_empty() {
        field::write("host", host, &mut head);
    }
    let mut expects = false;
    for (name, value) in headers {
        let value = value.as_bytes();
        if *name == header::EXPECT && value.eq_ignore_ascii_case(b"100-continue") {
            expects = !ended;
            continue;
        }
        let replaced = *name == header::HOST
            || *name == header::COOKIE
            || (*name == header::CONTENT_LENGTH && framing == Framing::Chunked);
        if !replaced {
            field::write(name.as_str(), value, &mut head);
        }
    }
    write_cookies(headers, &mut head);
    if framing == Framing::Chunked {
        field::write("transfer-encoding", b"chunked", &mut head);
    }
    head.extend_from_slice(b"\r\n");
    Ok(Received {
        head,
        framing,
        expects,
    })
}

/// The authority that the caller has called: HTTP/2 lets him say it twice, but
/// not differently (RFC 9113 §8.3.1).
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a [u8], Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => Err(bad(
            "The request names two hosts: \":authority\" and \"host\" must agree.",
        )),
        _ if hosts.next().is_some() => Err(bad("There must be exactly one Host.")),
        (authority, host) => Ok(authority.or(host).unwrap_or_default()),
    }
}

/// RFC 9113 §8.2.3: the fields are one, taken apart for the sake of compression.
fn write_cookies(headers: &HeaderMap, out: &mut Vec<u8>) {
    let mut separator: &[u8] = b"cookie: ";
    for cookie in headers.get_all(header::COOKIE) {
        out.extend_from_slice(separator);
        out.extend_from_slice(cookie.as_bytes());
        separator = b"; ";
    }
    if separator == b"; " {
        out.extend_from_slice(b"\r\n");
    }
}

/// Whether trailers will come that somebody waits for: HTTP/1.1 has no place
/// for them behind a declared length, which is then left out. gRPC's come
/// without being announced.
pub(super) fn needs_trailers(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    headers.contains_key(header::TRAILER)
        || content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A declared length that is none is refused together with the rest.
fn length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    Some(str_of(value.as_bytes()).parse().unwrap_or_default())
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(Slug::BadRequest, detail)
}

/// What is sent to a provider.
pub(super) struct Sent {
    pub(super) request: Request<()>,
    pub(super) framing: Framing,
    /// The caller waits for an interim answer before he sends the body.
    pub(super) expects: bool,
}

/// Reads the head that goes to a provider, and makes one of HTTP/2 of it.
/// `trailers` says whether the caller takes trailers.
///
/// # Errors
/// If it cannot be said in HTTP/2.
pub(super) fn send(head: &[u8], destination: &Destination, trailers: bool) -> io::Result<Sent> {
    let mut storage = FieldStorage::with_ours();
    let head = RequestHead::parse(head, &mut storage).map_err(invalid)?;
    let uri = Uri::builder()
        .scheme(Scheme::HTTPS)
        .authority(&*destination.authority)
        .path_and_query(path(head.target)?)
        .build()
        .map_err(invalid)?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(head.method.as_bytes()).map_err(invalid)?;
    *request.uri_mut() = uri;
    let mut expects = false;
    let fields = request.headers_mut();
    for sent in head.fields {
        match Known::of(sent.name) {
            Some(Known::Expect) if sent.value.eq_ignore_ascii_case(b"100-continue") => {
                expects = true;
            }
            Some(
                Known::Connection
                | Known::HopByHop
                | Known::Host
                | Known::TransferEncoding
                | Known::Upgrade,
            ) => {}
            Some(_) | None => {
                let (name, value) = pair(sent, destination)?;
                fields.append(name, value);
            }
        }
    }
    if trailers {
        fields.append(header::TE, HeaderValue::from_static("trailers"));
    }
    Ok(Sent {
        request,
        framing: head.framing,
        expects,
    })
}

/// A field of HTTP/2. What is secret is kept out of the table in which both
/// sides remember fields (RFC 7541 §7.1.3).
fn pair(sent: &Field<'_>, destination: &Destination) -> io::Result<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(sent.name.as_bytes()).map_err(invalid)?;
    let mut value = HeaderValue::from_bytes(sent.value).map_err(invalid)?;
    let ours = destination.headers.on_conflict(sent.name).is_some();
    let secret = ours || name == header::AUTHORIZATION || name == header::COOKIE;
    value.set_sensitive(secret);
    Ok((name, value))
}

/// The path as the caller wrote it. Only bytes that no URI has (RFC 3986 §2),
/// and that HTTP/2 does not carry, are encoded.
fn path(target: &str) -> io::Result<PathAndQuery> {
    if let Ok(path) = PathAndQuery::try_from(target) {
        return Ok(path);
    }
    let mut encoded = Vec::with_capacity(target.len() * 2);
    for byte in target.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            encoded.push(byte);
        } else {
            write!(encoded, "%{byte:02X}")?;
        }
    }
    PathAndQuery::try_from(encoded).map_err(invalid)
}

fn invalid<E>(_: E) -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(request: http::request::Builder, ended: bool) -> Result<String, Problem> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let received = receive(&parts, ended)?;
        Ok(String::from_utf8(received.head).unwrap())
    }

    fn get() -> http::request::Builder {
        Request::get("http://localhost:2733/api/a%2Fb?c")
    }

    #[test]
    fn the_authority_is_the_host_and_the_path_is_kept() {
        let head = received(get().header("x-a", "b"), true).unwrap();
        let expected = "GET /api/a%2Fb?c HTTP/1.1\r\nhost: localhost:2733\r\nx-a: b\r\n\r\n";
        assert_eq!(head, expected);
        let twice = received(get().header("host", "LOCALHOST:2733"), true).unwrap();
        assert_eq!(twice.matches("\r\nhost: ").count(), 1, "{twice}");
    }

    #[test]
    fn a_body_is_framed_by_its_length_or_in_chunks() {
        for (fields, ended, framing) in [
            (&[][..], true, ""),
            (&[], false, "transfer-encoding: chunked\r\n"),
            (&[("content-length", "3")], false, "content-length: 3\r\n"),
            (&[("content-length", "0")], true, "content-length: 0\r\n"),
            (
                &[
                    ("content-type", "application/grpc+proto"),
                    ("content-length", "3"),
                ],
                false,
                "content-type: application/grpc+proto\r\ntransfer-encoding: chunked\r\n",
            ),
        ] {
            let request = fields
                .iter()
                .fold(Request::post("http://h/"), |request, (name, value)| {
                    request.header(*name, *value)
                });
            let head = received(request, ended).unwrap();
            assert_eq!(head, format!("POST / HTTP/1.1\r\nhost: h\r\n{framing}\r\n"));
        }
    }

    #[test]
    fn two_hosts_are_refused() {
        for hosts in [&["other"][..], &["localhost:2733", "localhost:2733"]] {
            let request = hosts
                .iter()
                .fold(get(), |request, host| request.header("host", *host));
            assert_eq!(received(request, true).unwrap_err().slug, Slug::BadRequest);
        }
    }

    #[test]
    fn bytes_that_no_uri_has_are_encoded_for_a_provider() {
        for (target, sent) in [
            ("/a%2fb//c?d=%zz&&", "/a%2fb//c?d=%zz&&"),
            ("/a<b>`?c|d", "/a%3Cb%3E%60?c%7Cd"),
        ] {
            assert_eq!(path(target).unwrap().as_str(), sent);
        }
    }
}
