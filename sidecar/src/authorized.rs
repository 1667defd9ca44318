//! A request that may be sent: the credential is on it.

use std::fmt;
use std::sync::Arc;

use credence_core::bundle::OnConflict;

use crate::destination::Destination;
use crate::http1::{Framing, Known, RequestHead, Version, field};
use crate::problem::Problem;
use crate::slug::Slug;

/// The head of a request as it goes to the provider.
///
/// This is the only thing that is ever sent upstream before a body, and
/// [`Authorized::apply`] is the only way to make one: a request without the
/// collection's credential cannot be expressed. Its `Debug` shows nothing of it.
pub(crate) struct Authorized {
    destination: Arc<Destination>,
    head: Vec<u8>,
}

impl Authorized {
    /// Places everything that the collection sets on the caller's request,
    /// and leaves out what must not go further. `room` is memory to write to;
    /// its content is lost.
    ///
    /// # Errors
    /// The problem to answer with: `conflicting-header` where the collection
    /// refuses what the caller sent.
    pub(crate) fn apply(
        destination: Arc<Destination>,
        request: &RequestHead<'_, '_>,
        path: &str,
        query: Option<&str>,
        room: Vec<u8>,
    ) -> Result<Self, Problem> {
        let mut head = room;
        head.clear();
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        write_target(&destination, path, query, &mut head)?;
        head.extend_from_slice(b" HTTP/1.1\r\n");
        if request.host.is_none() {
            field::write("Host", destination.authority.as_bytes(), &mut head);
        }
        for sent in request.fields {
            match Known::of(sent.name) {
                Some(Known::Host) => {
                    field::write(sent.name, destination.authority.as_bytes(), &mut head);
                    continue;
                }
                // The framing is kept as it came, so the field is still true.
                Some(Known::ContentLength | Known::TransferEncoding) => {}
                Some(Known::Trailer) if request.framing == Framing::Chunked => {}
                // It knows no interim answers (RFC 9110 §10.1.1).
                Some(Known::Expect) if request.version == Version::Http10 => continue,
                Some(known) if known.is_ours() => continue,
                Some(_) | None if request.is_named(sent.name) => continue,
                Some(_) | None => match destination.headers.on_conflict(sent.name) {
                    None | Some(OnConflict::IfAbsent) => {}
                    Some(OnConflict::Replace) => continue,
                    Some(OnConflict::Reject) => return Err(refused(&destination, sent.name)),
                },
            }
            field::write(sent.name, sent.value, &mut head);
        }
        head.extend_from_slice(b"Via: 1.1 credence\r\n");
        let has = |name: &str| {
            let sent = |field: &field::Field<'_>| field.name.eq_ignore_ascii_case(name);
            request.fields.iter().any(sent) && !request.is_named(name)
        };
        destination.headers.write(has, &mut head);
        head.extend_from_slice(b"\r\n");
        Ok(Self { destination, head })
    }

    /// Where it may be sent, and nowhere else.
    pub(crate) fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// The bytes, to be sent as they are.
    pub(crate) fn into_head(self) -> Vec<u8> {
        self.head
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collection = self.destination.collection.as_str();
        f.debug_tuple("Authorized").field(&collection).finish()
    }
}

fn write_target(
    destination: &Destination,
    path: &str,
    query: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let base = destination.route.base_url.path();
    out.extend_from_slice(base.as_bytes());
    out.extend_from_slice(path.as_bytes());
    if base.is_empty() && path.is_empty() {
        out.push(b'/');
    }
    destination
        .query
        .write(query.map(str::as_bytes), out)
        .map_err(|conflict| refused(destination, conflict.name))
}

fn refused(destination: &Destination, name: &str) -> Problem {
    Problem::new(
        Slug::ConflictingHeader,
        format!("The collection sets {name} itself: leave it out."),
    )
    .of(&destination.collection)
}
