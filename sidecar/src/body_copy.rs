//! A copy of a body that passes by.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::budget::{Budget, Reserved};
use crate::http1::Framing;
use crate::whole_body::WholeBody;

/// As much of a body as has passed, until it is more than may be kept: then
/// there is no copy. Its `Debug` shows nothing of it.
pub(crate) struct BodyCopy {
    body: Option<WholeBody>,
    most: usize,
    ended: bool,
}

impl BodyCopy {
    /// Of a body with this framing, if it says to have no more than `most`
    /// bytes, or does not say.
    pub(crate) fn of(framing: Framing, most: usize, budget: &Arc<Budget>) -> Option<Self> {
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::None | Framing::Chunked | Framing::UntilClose => None,
        };
        let fits = length.is_none_or(|length| length <= most as u64);
        fits.then(|| Self {
            body: WholeBody::expecting(length, budget).ok(),
            most,
            ended: false,
        })
    }

    /// Copies what passes.
    pub(crate) fn take(&mut self, data: &[u8]) {
        if let Some(body) = &mut self.body {
            let fits = body.len() + data.len() <= self.most;
            if !fits || body.push(data).is_err() {
                self.body = None;
            }
        }
    }

    /// The body has ended. Its trailers are not copied, so that without them
    /// it would be another one.
    pub(crate) fn end(&mut self, trailers: &[u8]) {
        self.ended = true;
        if !trailers.is_empty() {
            self.body = None;
        }
    }

    /// Whether all of it is here.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended && self.body.is_some()
    }

    /// All of it, and the memory that is to be counted as long as it is kept.
    pub(crate) fn into_whole(self) -> Option<(Zeroizing<Vec<u8>>, Reserved)> {
        let body = self.body.filter(|_| self.ended)?;
        Some(body.into_parts())
    }
}

impl fmt::Debug for BodyCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyCopy").field(&self.body).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(framing: Framing, pieces: &[&str], trailers: &str) -> Option<String> {
        let budget = Budget::of(16 * 1024);
        let mut copy = BodyCopy::of(framing, 8, &budget)?;
        pieces.iter().for_each(|piece| copy.take(piece.as_bytes()));
        assert!(!copy.is_whole(), "it has not ended");
        copy.end(trailers.as_bytes());
        assert_eq!(copy.is_whole(), copy.body.is_some());
        let (bytes, _counted) = copy.into_whole()?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn what_is_small_and_has_no_trailers_is_copied() {
        for (framing, pieces, trailers, expected) in [
            (
                Framing::Length(8),
                &["abcd", "efgh"][..],
                "",
                Some("abcdefgh"),
            ),
            (Framing::Length(9), &[], "", None),
            (Framing::Chunked, &["abcd", "efgh"], "", Some("abcdefgh")),
            (Framing::Chunked, &["abcd", "efghi"], "", None),
            (Framing::Chunked, &["abcd", "efghi", "j"], "", None),
            (Framing::Chunked, &["a"], "Digest: 1\r\n", None),
            (Framing::Chunked, &[], "", Some("")),
        ] {
            let found = copied(framing, pieces, trailers);
            assert_eq!(found.as_deref(), expected, "{framing:?} {pieces:?}");
        }
    }

    #[test]
    fn a_copy_that_is_given_up_gives_back_what_it_had() {
        let budget = Budget::of(4 * 1024);
        let mut first = BodyCopy::of(Framing::Chunked, 4, &budget).unwrap();
        first.take(b"abcd");
        let mut second = BodyCopy::of(Framing::Chunked, 4, &budget).unwrap();
        second.take(b"abcd");
        second.end(b"");
        assert!(!second.is_whole(), "there was no memory for it");
        first.take(b"e");
        let mut third = BodyCopy::of(Framing::Chunked, 4, &budget).unwrap();
        third.take(b"abcd");
        third.end(b"");
        assert!(third.is_whole());
    }
}
