//! A request that may be sent: the credential is on it.

use std::cell::LazyCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use credence_core::bundle::OnConflict;
use credence_core::sigv4::Content;
use credence_core::template::Moment;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::destination::Destination;
use crate::http1::{Framing, Known, RequestHead, Version, field};
use crate::plan::body::{self, Format, Unwritable};
use crate::plan::cookies;
use crate::problem::Problem;
use crate::signer::Signed;
use crate::slug::Slug;
use crate::upgrade::Upgrade;

/// A request as it goes to the provider: its head, and its body if that was
/// changed and so had to be known whole.
///
/// This is the only thing that is ever sent upstream before a body, and
/// [`Authorized::apply`] is the only way to make one: a request without the
/// collection's credential cannot be expressed. Its `Debug` shows nothing of it.
pub(crate) struct Authorized {
    destination: Arc<Destination>,
    head: Vec<u8>,
    trailers: bool,
    has_token: bool,
    body: Option<Zeroizing<Vec<u8>>>,
}

/// What the credential was placed on.
#[derive(Debug)]
pub(crate) enum Applied {
    /// All that it belongs on.
    Whole(Authorized),
    /// The head; the body is to follow.
    Head(Unfinished),
}

/// A request whose body gets a credential or is signed, too, and is not here
/// yet.
pub(crate) struct Unfinished {
    destination: Arc<Destination>,
    /// Without the length of the body, the signature and the empty line.
    head: Vec<u8>,
    trailers: bool,
    has_token: bool,
    /// Of a body in which something is set.
    format: Option<Format>,
    signed: Option<Signed>,
    moment: LazyCell<Moment>,
}

impl Applied {
    /// Where it may be sent, and nowhere else.
    pub(crate) fn destination(&self) -> &Arc<Destination> {
        match self {
            Self::Whole(authorized) => &authorized.destination,
            Self::Head(unfinished) => &unfinished.destination,
        }
    }
}

impl Authorized {
    /// Places everything that the collection sets on the caller's request,
    /// and leaves out what must not go further, the wish to `upgrade` excepted.
    /// `moment` is looked at only where a value varies; `room` is memory to
    /// write to, and its content is lost.
    ///
    /// # Errors
    /// The problem to answer with: `conflicting-header` where the collection
    /// refuses what the caller sent, `bad-request` where there is no body to
    /// set something in; those of [`crate::signer::Signer`].
    pub(crate) fn apply(
        destination: Arc<Destination>,
        request: &RequestHead<'_, '_>,
        path: &str,
        query: Option<&str>,
        upgrade: Option<&Upgrade>,
        moment: LazyCell<Moment>,
        room: Vec<u8>,
    ) -> Result<Applied, Problem> {
        let format = match destination.body.is_empty() {
            true => None,
            false if request.framing == Framing::None => {
                return Err(unwritable(&destination, &Unwritable::NoBody));
            }
            false => {
                Some(Format::of(request.fields).map_err(|error| unwritable(&destination, &error))?)
            }
        };
        let signed = match &destination.signer {
            Some(signer) => {
                let signed = signer.signed(request);
                Some(signed.map_err(|problem| problem.of(&destination.collection))?)
            }
            None => None,
        };
        let whole = format.is_some() || signed == Some(Signed::Body);
        let mut head = room;
        head.clear();
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        destination.path.write(path, &mut head);
        destination
            .query
            .write(query.map(str::as_bytes), &moment, &mut head)
            .map_err(|conflict| refused(&destination, conflict.name))?;
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let forwarding = destination.route.forwarding;
        let mut cookies_set = destination.cookies.is_empty();
        if request.host.is_none() {
            field::write("Host", destination.authority.as_bytes(), &mut head);
        }
        let mut trailers = false;
        let reads_answers = destination.reads_answers();
        for sent in request.fields {
            match Known::of(sent.name) {
                Some(Known::Host) => {
                    field::write(sent.name, destination.authority.as_bytes(), &mut head);
                    continue;
                }
                // The body is known whole by then, and the caller was told to
                // send it.
                Some(
                    Known::ContentLength | Known::TransferEncoding | Known::Trailer | Known::Expect,
                ) if whole => continue,
                // The framing is kept as it came, so the field is still true.
                Some(Known::ContentLength | Known::TransferEncoding) => {}
                Some(Known::Trailer) if request.framing == Framing::Chunked => {}
                // It knows no interim answers (RFC 9110 §10.1.1).
                Some(Known::Expect) if request.version == Version::Http10 => continue,
                Some(Known::Forwarded) if forwarding.forwarded && !request.is_named(sent.name) => {}
                Some(Known::HopByHop) => {
                    trailers |= sent.name.eq_ignore_ascii_case("te") && names_trailers(sent.value);
                    continue;
                }
                Some(known) if known.is_ours() => continue,
                None if reads_answers && is_accept_encoding(sent.name) => continue,
                Some(_) | None if request.is_named(sent.name) => continue,
                None if format.is_some() && body::is_digest(sent) => continue,
                None if !destination.cookies.is_empty() && cookies::is_cookie(sent) => {
                    let first = !std::mem::replace(&mut cookies_set, true);
                    write_cookies(&destination, request, sent, first, &moment, &mut head)?;
                    continue;
                }
                Some(_) | None => match destination.headers.on_conflict(sent.name) {
                    None | Some(OnConflict::IfAbsent) => {}
                    Some(OnConflict::Replace) => continue,
                    Some(OnConflict::Reject) => return Err(refused(&destination, sent.name)),
                },
            }
            field::write(sent.name, sent.value, &mut head);
        }
        if !cookies_set {
            write_cookies(&destination, request, &NO_COOKIE, true, &moment, &mut head)?;
        }
        if let Some(upgrade) = upgrade {
            upgrade.write(&mut head);
        }
        if reads_answers {
            // RFC 9110 §12.5.3: what is compressed cannot be looked at.
            field::write("Accept-Encoding", b"identity", &mut head);
        }
        if forwarding.via {
            head.extend_from_slice(b"Via: 1.1 credence\r\n");
        }
        let has = |name: &str| {
            let sent = |field: &field::Field<'_>| field.name.eq_ignore_ascii_case(name);
            request.fields.iter().any(sent) && !request.is_named(name)
        };
        let has_token = destination.yielding.as_ref().is_none_or(|yielding| {
            yielding.is_in_head(has, query.map(str::as_bytes), &cookies_of(request))
        });
        destination.headers.write(has, &moment, &mut head);
        if whole {
            return Ok(Applied::Head(Unfinished {
                destination,
                head,
                trailers,
                has_token,
                format,
                signed,
                moment,
            }));
        }
        sign(&destination, signed, &[], &mut head)?;
        head.extend_from_slice(b"\r\n");
        Ok(Applied::Whole(Self {
            destination,
            head,
            trailers,
            has_token,
            body: None,
        }))
    }

    /// Where it may be sent, and nowhere else.
    pub(crate) fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// Whether the caller has said that he takes trailers (RFC 9110 §10.1.4).
    pub(crate) fn takes_trailers(&self) -> bool {
        self.trailers
    }

    /// Whether the collection's token is on it: if it has one, and the caller
    /// has not sent his own where he may.
    pub(crate) fn has_token(&self) -> bool {
        self.has_token
    }

    /// With a body that its head announces already.
    pub(crate) fn followed_by(self, body: Zeroizing<Vec<u8>>) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// The bytes, to be sent as they are.
    pub(crate) fn into_wire(self) -> Vec<u8> {
        let mut wire = self.head;
        if let Some(body) = &self.body {
            wire.reserve_exact(body.len());
            wire.extend_from_slice(body);
        }
        wire
    }
}

impl Unfinished {
    /// Where it may be sent, and nowhere else.
    pub(crate) fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// Places what the collection sets in the body, and signs. What is left of
    /// the caller's is all there: chunks and trailers have been taken off.
    ///
    /// # Errors
    /// `bad-request`, where nothing can be set in this body; those of
    /// [`crate::signer::Signer::sign`].
    pub(crate) fn finish(mut self, body: Zeroizing<Vec<u8>>) -> Result<Authorized, Problem> {
        let yielding = self.destination.yielding.as_ref();
        let in_body = yielding
            .zip(self.format)
            .is_some_and(|(yielding, format)| yielding.is_in_body(format, &body));
        let whole = match self.format {
            Some(format) => self.placed(format, &body)?,
            None => body,
        };
        let length = format!("Content-Length: {}\r\n", whole.len());
        self.head.extend_from_slice(length.as_bytes());
        sign(&self.destination, self.signed, &whole, &mut self.head)?;
        self.head.extend_from_slice(b"\r\n");
        Ok(Authorized {
            destination: self.destination,
            head: self.head,
            trailers: self.trailers,
            has_token: self.has_token || in_body,
            body: Some(whole),
        })
    }

    fn placed(&self, format: Format, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let mut whole = Zeroizing::new(Vec::with_capacity(body.len() + ROOM_FOR_MEMBERS));
        let plan = &self.destination.body;
        plan.write(format, body, &self.moment, &mut whole)
            .map_err(|error| unwritable(&self.destination, &error))?;
        Ok(whole)
    }
}

/// Signs a head that lacks nothing else, where calls are signed; `body` is
/// looked at only where that is.
fn sign(
    destination: &Destination,
    signed: Option<Signed>,
    body: &[u8],
    head: &mut Vec<u8>,
) -> Result<(), Problem> {
    let (Some(signer), Some(signed)) = (&destination.signer, signed) else {
        return Ok(());
    };
    let content = match signed {
        Signed::Body | Signed::NoBody => Content::Signed(body),
        Signed::Unsigned => Content::Unsigned,
        Signed::UnsignedWithTrailer => Content::UnsignedWithTrailer,
    };
    // Not when the head arrived: bodies may take their time.
    signer.sign(head, content, Timestamp::now())
}

/// What is set in a body is rarely longer, so that it rarely has to move.
const ROOM_FOR_MEMBERS: usize = 1024;

impl fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collection = self.destination.collection.as_str();
        f.debug_tuple("Unfinished").field(&collection).finish()
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collection = self.destination.collection.as_str();
        f.debug_tuple("Authorized").field(&collection).finish()
    }
}

fn is_accept_encoding(name: &str) -> bool {
    name.eq_ignore_ascii_case("accept-encoding")
}

fn names_trailers(value: &[u8]) -> bool {
    field::members(value).any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

/// What stands for the caller's Cookie where he sent none.
const NO_COOKIE: field::Field<'_> = field::Field {
    name: "Cookie",
    value: b"",
};

/// The values of the Cookie fields that are passed on.
fn cookies_of<'a>(request: &'a RequestHead<'_, '_>) -> impl Iterator<Item = &'a [u8]> + Clone {
    let fields = request.fields.iter();
    let passed_on =
        |field: &&field::Field<'_>| cookies::is_cookie(field) && !request.is_named(field.name);
    fields.filter(passed_on).map(|field| field.value)
}

/// Writes one field of cookies, unless nothing is left of it. The collection's
/// stand in the first one: most servers read only one field (RFC 6265 §5.4).
fn write_cookies(
    destination: &Destination,
    request: &RequestHead<'_, '_>,
    sent: &field::Field<'_>,
    first: bool,
    moment: &impl Deref<Target = Moment>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let line = out.len();
    out.extend_from_slice(sent.name.as_bytes());
    out.extend_from_slice(b": ");
    let start = out.len();
    if first {
        destination.cookies.write(&cookies_of(request), moment, out);
    }
    destination
        .cookies
        .write_others(sent.value, start, out)
        .map_err(|name| refused(destination, name))?;
    if out.len() == start {
        out.truncate(line);
    } else {
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

fn unwritable(destination: &Destination, error: &Unwritable) -> Problem {
    let slug = match error {
        Unwritable::Conflict(_) => Slug::ConflictingHeader,
        Unwritable::NoBody
        | Unwritable::NoType
        | Unwritable::OtherType
        | Unwritable::Encoded
        | Unwritable::Charset
        | Unwritable::NotJson
        | Unwritable::NotAnObject => Slug::BadRequest,
    };
    let detail = format!(
        "The collection sets a part of the body, which must be a JSON object or a form for that: {error}."
    );
    Problem::new(slug, detail).of(&destination.collection)
}

fn refused(destination: &Destination, name: &str) -> Problem {
    Problem::new(
        Slug::ConflictingHeader,
        format!("The collection sets {name} itself: leave it out."),
    )
    .of(&destination.collection)
}

#[cfg(test)]
mod tests;
