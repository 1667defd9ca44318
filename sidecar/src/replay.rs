//! A call that can be made once more, with another token.

use std::fmt;
use std::sync::Arc;

use credence_core::bundle::Retry;
use zeroize::Zeroizing;

use crate::authorized::{Applied, Authorized};
use crate::body_copy::BodyCopy;
use crate::budget::{Budget, Reserved};
use crate::buffer;
use crate::destination::Destination;
use crate::entrance::Entrance;
use crate::http1::{FieldStorage, Framing, RequestHead, chunk};
use crate::moment;
use crate::target::{Target, path_and_query};
use crate::upgrade::Upgrade;
use crate::whole_body::LARGEST;

/// The longest head that is kept, in bytes. Few are longer than two thousand.
const LONGEST_HEAD: usize = 16 * 1024;

/// What the caller sent, kept until there is an answer. Its `Debug` shows
/// nothing of it.
pub(crate) struct Replay {
    /// As it came.
    head: Vec<u8>,
    /// The memory for it.
    _counted: Reserved,
    /// A body that had to be known whole before it was sent.
    body: Option<(Zeroizing<Vec<u8>>, Reserved)>,
    /// For bodies.
    budget: Arc<Budget>,
}

impl Replay {
    /// Keeps a head, whose bytes these are, if the call is made with a token,
    /// and there is memory for it.
    ///
    /// Not that of a caller who waits to be told to send its body: who would
    /// be told twice.
    pub(crate) fn of(
        bytes: &[u8],
        head: &RequestHead<'_, '_>,
        expects_continue: bool,
        destination: &Destination,
        budget: &Arc<Budget>,
    ) -> Option<Box<Self>> {
        let waits = expects_continue && head.framing != Framing::None;
        let wanted = destination.route.refusal.retry != Retry::Never;
        if destination.generation.is_none() || !wanted || waits || bytes.len() > LONGEST_HEAD {
            return None;
        }
        let mut counted = budget.reserve();
        counted.grow(bytes.len()).then(|| {
            Box::new(Self {
                head: bytes.to_vec(),
                _counted: counted,
                body: None,
                budget: Arc::clone(budget),
            })
        })
    }

    /// For copying a body that is passed on.
    pub(crate) fn copy(&self, framing: Framing) -> Option<Box<BodyCopy>> {
        let passes = framing != Framing::None;
        let copy = passes.then(|| BodyCopy::of(framing, LARGEST, &self.budget))?;
        copy.map(Box::new)
    }

    /// With a body that is not passed on as it came; none if there is no memory
    /// for it.
    pub(crate) fn with_body(mut self: Box<Self>, body: &[u8]) -> Option<Box<Self>> {
        let length = Framing::Length(body.len() as u64);
        let mut copy = BodyCopy::of(length, LARGEST, &self.budget)?;
        copy.take(body);
        copy.end(&[]);
        self.body = Some(copy.into_whole()?);
        Some(self)
    }

    /// Whether a body was kept.
    pub(crate) fn has_body(&self) -> bool {
        self.body.is_some()
    }

    /// The same call with what a later version of its collection places on it.
    /// `copy` is the body that was passed on. None where that version would
    /// not take the call.
    pub(crate) fn authorize(
        &self,
        copy: Option<Box<BodyCopy>>,
        entrance: &Entrance,
        names: &[String],
        destination: Arc<Destination>,
    ) -> Option<Authorized> {
        let mut storage = FieldStorage::new();
        let head = RequestHead::parse(&self.head, &mut storage).ok()?;
        let (path, query) = match entrance {
            Entrance::Main => match Target::parse(head.target, names).ok()? {
                Target::Call { path, query, .. } => (path, query),
                Target::Index => return None,
            },
            Entrance::Own(_) => path_and_query(head.target, names).ok()?,
        };
        let upgrade = Upgrade::of(&head).ok()?;
        let (moment, room) = (moment::of_call(), buffer::take_room());
        let asked = upgrade.as_ref();
        let applied = Authorized::apply(destination, &head, path, query, asked, moment, room);
        let copied = copy.and_then(|copy| copy.into_whole());
        let body = self.body.as_ref().or(copied.as_ref());
        let body = body.map_or(&[][..], |(body, _)| body);
        match applied.ok()? {
            Applied::Whole(authorized) => Some(authorized.followed_by(framed(head.framing, body))),
            Applied::Head(unfinished) => {
                let body = Zeroizing::new(body.to_vec());
                unfinished.finish(body).ok()
            }
        }
    }
}

/// The body as its head announces it.
fn framed(framing: Framing, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(body.len() + 32));
    match framing {
        Framing::Chunked => {
            if !body.is_empty() {
                chunk::begin(body.len(), &mut out);
                out.extend_from_slice(body);
                out.extend_from_slice(chunk::END);
            }
            out.extend_from_slice(chunk::LAST);
            out.extend_from_slice(b"\r\n");
        }
        Framing::None | Framing::Length(_) | Framing::UntilClose => out.extend_from_slice(body),
    }
    out
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({} bytes)", self.head.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_framed_as_its_head_says() {
        for (framing, body, expected) in [
            (Framing::None, "", ""),
            (Framing::Length(3), "abc", "abc"),
            (Framing::Chunked, "abc", "3\r\nabc\r\n0\r\n\r\n"),
            (Framing::Chunked, "", "0\r\n\r\n"),
        ] {
            let found = framed(framing, body.as_bytes());
            assert_eq!(*found, expected.as_bytes(), "{framing:?}");
        }
    }
}
