//! Where a head ends.

use memchr::memchr2;

use super::{HeadError, MAX_HEAD};

/// Finds the empty line that ends a head or a trailer section, and refuses
/// lines that do not end with CR LF.
///
/// It remembers how far it has looked, so that a head which arrives byte by
/// byte costs no more than one that arrives at once.
#[derive(Clone, Debug, Default)]
pub struct HeadScan {
    looked: usize,
    line: usize,
    blank: bool,
}

impl HeadScan {
    /// For a request: one empty line before it is passed over (RFC 9112 §2.2).
    pub fn request() -> Self {
        Self {
            blank: true,
            ..Self::default()
        }
    }

    /// Looks at what was not looked at before. `input` must begin where it
    /// began the last time, and may have grown.
    ///
    /// Returns the length of the section with its empty line, once it is all
    /// there.
    ///
    /// # Errors
    /// [`HeadError::LineEnding`], [`HeadError::TooLarge`].
    pub fn advance(&mut self, input: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(offset) = memchr2(b'\r', b'\n', &input[self.looked..]) {
            let at = self.looked + offset;
            if input[at] == b'\n' {
                return Err(HeadError::LineEnding);
            }
            match input.get(at + 1) {
                Some(b'\n') => {}
                Some(_) => return Err(HeadError::LineEnding),
                None => {
                    self.looked = at;
                    return self.unfinished(input);
                }
            }
            let empty = at == self.line;
            let end = at + 2;
            self.looked = end;
            self.line = end;
            if empty && !(self.blank && end == 2) {
                return if end > MAX_HEAD {
                    Err(HeadError::TooLarge)
                } else {
                    Ok(Some(end))
                };
            }
        }
        self.looked = input.len();
        self.unfinished(input)
    }

    fn unfinished(&self, input: &[u8]) -> Result<Option<usize>, HeadError> {
        if input.len() >= MAX_HEAD {
            Err(HeadError::TooLarge)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(input: &[u8]) -> Result<Option<usize>, HeadError> {
        HeadScan::request().advance(input)
    }

    #[test]
    fn the_end_is_found_wherever_the_input_is_cut() {
        let head = b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
        for cut in 0..head.len() {
            let mut scan = HeadScan::request();
            let early = scan.advance(&head[..cut]).unwrap();
            assert_eq!(early, (cut >= 24).then_some(24), "{cut}");
            if early.is_none() {
                assert_eq!(scan.advance(head).unwrap(), Some(24));
            }
        }
    }

    #[test]
    fn a_line_ends_with_both_characters() {
        for bad in [&b"GET /\n"[..], b"GET /\r\r\n", b"G\rET", b"\n", b"A\r\n\n"] {
            assert_eq!(at_once(bad), Err(HeadError::LineEnding), "{bad:?}");
        }
    }

    #[test]
    fn one_empty_line_before_a_request_is_passed_over() {
        assert_eq!(at_once(b"\r\nG\r\n\r\n"), Ok(Some(7)));
        assert_eq!(at_once(b"\r\n"), Ok(None));
        assert_eq!(at_once(b"\r\n\r\n"), Ok(Some(4)));
        assert_eq!(HeadScan::default().advance(b"\r\n"), Ok(Some(2)));
    }

    #[test]
    fn a_head_of_64_kib_is_the_largest() {
        let mut head = vec![b'a'; MAX_HEAD - 4];
        assert_eq!(at_once(&head), Ok(None));
        head.extend(b"\r\n\r\n");
        assert_eq!(at_once(&head), Ok(Some(MAX_HEAD)));
        head.insert(0, b'a');
        assert_eq!(at_once(&head), Err(HeadError::TooLarge));
        assert_eq!(at_once(&vec![b'a'; MAX_HEAD]), Err(HeadError::TooLarge));
    }
}
