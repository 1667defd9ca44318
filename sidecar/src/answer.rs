//! The head of a provider's answer, as the caller gets it.

use std::borrow::Cow;

use credence_core::base_url::Scheme;
use credence_core::placement::CompiledQuery;

use crate::destination::Destination;
use crate::entrance::Entrance;
use crate::http1::{Field, Framing, Known, ResponseHead, Version, field};
use crate::{redirect, target};

/// What the caller's side decides about an answer.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) version: Version,
    /// The port that he called.
    pub(crate) entrance: &'a Entrance,
    /// The authority that he called, if he said one.
    pub(crate) host: Option<&'a [u8]>,
    /// His connection is closed after the answer whatever it is.
    pub(crate) close: bool,
    /// The answer is that both go on with the protocol that he asked for.
    pub(crate) switching: bool,
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
            Some(Known::Upgrade) if caller.switching => {}
            Some(Known::Connection | Known::HopByHop | Known::Upgrade | Known::CredenceError) => {
                continue;
            }
            Some(_) | None if head.is_named(sent.name) => continue,
            Some(Known::Location) => {
                write_location(sent, caller, destination, out);
                continue;
            }
            None if !destination.cookies.is_empty() && sets_ours(sent, destination) => continue,
            None if holds_references(sent) => {
                let value = without_ours_anywhere(sent.value, &destination.query);
                if !destination.credentials.are_told_by(&value) {
                    field::write(sent.name, &value, out);
                }
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
    if caller.switching {
        out.extend_from_slice(b"Connection: Upgrade\r\n");
    } else if passing.close {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if old {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    passing
}

fn holds_references(sent: &Field<'_>) -> bool {
    ["Content-Location", "Link", "Refresh"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(sent.name))
}

fn sets_ours(sent: &Field<'_>, destination: &Destination) -> bool {
    sent.name.eq_ignore_ascii_case("Set-Cookie") && destination.cookies.is_told_by(sent.value)
}

/// A redirect within the API leads to the sidecar again, where the credential
/// is; any other is passed on, unless it would lead to another collection or
/// tell the caller the credential.
fn write_location(
    sent: &Field<'_>,
    caller: &Caller<'_>,
    destination: &Destination,
    out: &mut Vec<u8>,
) {
    let value = &*without_ours(sent.value, &destination.query);
    let route = &destination.route;
    let rest = |location: &Location<'_>| -> Option<usize> {
        let rest = destination.path.rest(location.path)?;
        // A client resolves dot segments, and could leave the collection.
        let within = !target::is_ambiguous(redirect::path(rest)) && !rest.contains(&b'\t');
        within.then_some(rest.len())
    };
    let location = Location::parse(value, route.base_url.scheme(), &destination.authority);
    let local = location
        .filter(|_| route.forwarding.rewrite_location)
        .and_then(|location| Some((location.absolute, rest(&location)?)));
    if let Some((absolute, length)) = local {
        let rest = &value[value.len() - length..];
        // At the root of a port, it would be taken for another host (RFC 3986
        // §4.2), such as the port of all collections.
        let doubled = rest.starts_with(b"//");
        let host = caller.host.filter(|_| absolute || doubled);
        if destination.credentials.are_told_by(rest) || (doubled && host.is_none()) {
            return;
        }
        out.extend_from_slice(sent.name.as_bytes());
        out.extend_from_slice(b": ");
        if let Some(host) = host {
            out.extend_from_slice(b"http://");
            out.extend_from_slice(host);
        }
        let collection = &destination.collection;
        caller.entrance.write_path(collection, rest, out);
        out.extend_from_slice(b"\r\n");
        return;
    }
    if redirect::leads_astray(value, caller.host) || destination.credentials.are_told_by(value) {
        return;
    }
    // The caller would take it for a path of the sidecar.
    if matches!(value, [b'/', second, ..] if *second != b'/') || value == b"/" {
        let scheme = route.base_url.scheme().as_str().as_bytes();
        let authority = destination.authority.as_bytes();
        let absolute = [scheme, b"://", authority, value].concat();
        field::write(sent.name, &absolute, out);
    } else {
        field::write(sent.name, value, out);
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

/// The same for the value of a field with several references, each between
/// angle brackets (RFC 8288 §3), or with a single one.
fn without_ours_anywhere(value: &[u8], ours: &CompiledQuery) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    for piece in value.split_inclusive(|b| matches!(b, b'<' | b'>')) {
        let (reference, bracket) = match piece {
            [reference @ .., bracket @ (b'<' | b'>')] => (reference, Some(*bracket)),
            _ => (piece, None),
        };
        kept.extend_from_slice(&without_ours(reference, ours));
        kept.extend(bracket);
    }
    kept
}

/// A reference to something on the API's own host.
struct Location<'a> {
    absolute: bool,
    path: &'a [u8],
}

impl<'a> Location<'a> {
    /// None for other hosts and for what is relative to the path of the call,
    /// which is right as it is.
    fn parse(value: &'a [u8], scheme: Scheme, authority: &str) -> Option<Self> {
        let own = scheme.as_str().as_bytes();
        let reference = match value.split_at_checked(own.len()) {
            Some((sent, [b':', rest @ ..])) if sent.eq_ignore_ascii_case(own) => rest,
            Some(_) | None => value,
        };
        let Some(rest) = reference.strip_prefix(b"//") else {
            return reference.starts_with(b"/").then_some(Self {
                absolute: false,
                path: reference,
            });
        };
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
        let (host, path) = rest.split_at(end.unwrap_or(rest.len()));
        let port: &[u8] = match scheme {
            Scheme::Https => b":443",
            Scheme::Http => b":80",
        };
        let host = host.strip_suffix(port).unwrap_or(host);
        host.eq_ignore_ascii_case(authority.as_bytes())
            .then_some(Self {
                absolute: true,
                path,
            })
    }
}

#[cfg(test)]
mod tests;
