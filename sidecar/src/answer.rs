//! The head of a provider's answer, as the caller gets it.

use std::borrow::Cow;

use credence_core::placement::CompiledQuery;

use crate::destination::Destination;
use crate::http1::{Field, Framing, Known, ResponseHead, Version, field};
use crate::{redirect, target};

/// What the caller's side decides about an answer.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) version: Version,
    /// The authority that he called, if he said one.
    pub(crate) host: Option<&'a [u8]>,
    /// His connection is closed after the answer whatever it is.
    pub(crate) close: bool,
}

/// How the rest of the answer is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passing {
    /// The body is written in chunks.
    pub(crate) chunked: bool,
    /// The caller's connection is closed after it.
    pub(crate) close: bool,
}

/// Writes the head with the few changes that it needs.
pub(crate) fn write(
    head: &ResponseHead<'_, '_>,
    caller: &Caller<'_>,
    destination: &Destination,
    out: &mut Vec<u8>,
) -> Passing {
    let old = caller.version == Version::Http10;
    let unbounded = match head.framing {
        Framing::UntilClose => true,
        // HTTP/1.0 has no chunks: the end of the connection ends the body.
        Framing::Chunked => old,
        Framing::None | Framing::Length(_) => false,
    };
    let passing = Passing {
        chunked: head.framing == Framing::Chunked && !old,
        close: !head.is_interim() && (caller.close || unbounded),
    };
    // RFC 9110 §8.6, RFC 9112 §6.1: these answers have neither.
    let unframed = head.is_interim() || head.status == 204;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status_and_reason);
    out.extend_from_slice(b"\r\n");
    for sent in head.fields {
        match Known::of(sent.name) {
            Some(Known::ContentLength) if unframed => continue,
            Some(Known::ContentLength) => {}
            Some(Known::TransferEncoding | Known::Trailer) if old || unframed => continue,
            Some(Known::TransferEncoding | Known::Trailer) => {}
            Some(Known::Connection | Known::HopByHop | Known::Upgrade | Known::CredenceError) => {
                continue;
            }
            Some(_) | None if head.is_named(sent.name) => continue,
            Some(Known::Location) => {
                write_location(sent, caller.host, destination, out);
                continue;
            }
            Some(
                Known::Expect
                | Known::Forwarded
                | Known::Host
                | Known::Origin
                | Known::SecFetchSite,
            )
            | None => {}
        }
        field::write(sent.name, sent.value, out);
    }
    if passing.close {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if old {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    passing
}

/// A redirect within the API leads to the sidecar again, where the credential
/// is; any other is passed on, unless it would lead to another collection.
fn write_location(
    sent: &Field<'_>,
    host: Option<&[u8]>,
    destination: &Destination,
    out: &mut Vec<u8>,
) {
    let value = &*without_ours(sent.value, &destination.query);
    if redirect::leads_astray(value) {
        return;
    }
    let local = Location::parse(value, &destination.authority).and_then(|location| {
        let base = destination.route.base_url.path().as_bytes();
        let rest = location.path.strip_prefix(base)?;
        // A client resolves dot segments, and could leave the collection.
        let within = !target::is_ambiguous(redirect::path(rest));
        (within && matches!(rest, [] | [b'/' | b'?' | b'#', ..]))
            .then_some((location.absolute, rest))
    });
    match local {
        Some((absolute, rest)) => {
            out.extend_from_slice(sent.name.as_bytes());
            out.extend_from_slice(b": ");
            if let Some(host) = host.filter(|_| absolute) {
                out.extend_from_slice(b"http://");
                out.extend_from_slice(host);
            }
            out.push(b'/');
            out.extend_from_slice(destination.collection.as_str().as_bytes());
            out.extend_from_slice(rest);
            out.extend_from_slice(b"\r\n");
        }
        // The caller would take it for a path of the sidecar.
        None if matches!(value, [b'/', second, ..] if *second != b'/') || value == b"/" => {
            let authority = destination.authority.as_bytes();
            let absolute = [b"https://", authority, value].concat();
            field::write(sent.name, &absolute, out);
        }
        None => field::write(sent.name, value, out),
    }
}

/// The reference without the parameters that the collection sets. A provider
/// that repeats the query in a redirect would hand the caller the key; where it
/// leads here, the key is put on again.
fn without_ours<'a>(reference: &'a [u8], ours: &CompiledQuery) -> Cow<'a, [u8]> {
    let fragment = reference.iter().position(|b| *b == b'#');
    let (rest, fragment) = reference.split_at(fragment.unwrap_or(reference.len()));
    let Some(mark) = rest.iter().position(|b| *b == b'?') else {
        return Cow::Borrowed(reference);
    };
    let (before, query) = (&rest[..mark], &rest[mark + 1..]);
    let mut kept = Vec::with_capacity(reference.len());
    ours.write_others(query, &mut kept);
    if kept.len() == query.len() {
        return Cow::Borrowed(reference);
    }
    let separator: &[u8] = if kept.is_empty() { b"" } else { b"?" };
    Cow::Owned([before, separator, &kept, fragment].concat())
}

/// A reference to something on the API's own host.
struct Location<'a> {
    absolute: bool,
    path: &'a [u8],
}

impl<'a> Location<'a> {
    /// None for other hosts and for what is relative to the path of the call,
    /// which is right as it is.
    fn parse(value: &'a [u8], authority: &str) -> Option<Self> {
        const SCHEME: &[u8] = b"https:";
        let scheme = value.get(..SCHEME.len());
        let reference = match scheme.filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
            Some(_) => &value[SCHEME.len()..],
            None => value,
        };
        let Some(rest) = reference.strip_prefix(b"//") else {
            return reference.starts_with(b"/").then_some(Self {
                absolute: false,
                path: reference,
            });
        };
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
        let (host, path) = rest.split_at(end.unwrap_or(rest.len()));
        let host = host.strip_suffix(b":443").unwrap_or(host);
        host.eq_ignore_ascii_case(authority.as_bytes())
            .then_some(Self {
                absolute: true,
                path,
            })
    }
}

#[cfg(test)]
mod tests;
