//! Lines out of arbitrary pieces (NDJSON: each ends with a line feed).

use zeroize::Zeroizing;

use super::FeedError;

/// The longest line. A bundle of a thousand collections with rules is below
/// one MiB; what is longer is not ours.
pub(super) const LONGEST: usize = 8 << 20;

/// The line that is being put together. It holds secrets, so its memory is
/// overwritten after use.
#[derive(Default)]
pub(super) struct Lines {
    partial: Zeroizing<Vec<u8>>,
}

impl Lines {
    /// Takes the next piece and hands out each line that it completes, without
    /// its line feed. Empty lines are passed over.
    ///
    /// # Errors
    /// [`FeedError::LongLine`], or the first error of `line`.
    pub(super) fn push(
        &mut self,
        mut piece: &[u8],
        mut line: impl FnMut(&[u8]) -> Result<(), FeedError>,
    ) -> Result<(), FeedError> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = (&piece[..end], &piece[end + 1..]);
            piece = rest;
            if self.partial.is_empty() {
                give(head, &mut line)?;
            } else {
                self.keep(head)?;
                let whole = std::mem::take(&mut self.partial);
                give(&whole, &mut line)?;
            }
        }
        self.keep(piece)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), FeedError> {
        let length = self.partial.len() + piece.len();
        if length > LONGEST {
            return Err(FeedError::LongLine(LONGEST));
        }
        if length > self.partial.capacity() {
            // Growing in place would leave a copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.partial);
            self.partial = larger;
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }
}

fn give(line: &[u8], to: &mut impl FnMut(&[u8]) -> Result<(), FeedError>) -> Result<(), FeedError> {
    if line.len() > LONGEST {
        return Err(FeedError::LongLine(LONGEST));
    }
    if line.is_empty() { Ok(()) } else { to(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> Result<Vec<String>, FeedError> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in pieces {
            lines.push(piece, |line| {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
                Ok(())
            })?;
        }
        Ok(seen)
    }

    #[test]
    fn lines_do_not_depend_on_how_they_are_cut() {
        let text = b"one\n\ntwo three\n4\nfive";
        for size in 1..text.len() {
            let pieces: Vec<_> = text.chunks(size).collect();
            assert_eq!(lines_of(&pieces).unwrap(), ["one", "two three", "4"]);
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let piece = vec![b'x'; LONGEST / 2];
        assert!(lines_of(&[&piece, &piece]).is_ok());
        let error = lines_of(&[&piece, &piece, b"x"]).unwrap_err();
        assert!(matches!(error, FeedError::LongLine(_)));
        let mut long = vec![b'x'; LONGEST + 1];
        long.push(b'\n');
        assert!(matches!(lines_of(&[&long]), Err(FeedError::LongLine(_))));
    }
}
