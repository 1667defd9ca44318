//! The body of a message, taken out of its framing.

use super::{Framing, HeadScan, MAX_FIELDS, field};

/// The longest chunk-size line, extension included.
const MAX_SIZE_LINE: u16 = 256;
/// The most bytes of extensions in one body: they carry nothing anybody uses,
/// and a sender of many tiny chunks could make us read them for ever.
const MAX_EXTENSIONS: u32 = 16 * 1024;
/// The largest trailer section; it is buffered whole.
const MAX_TRAILERS: usize = 8 * 1024;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The connection ended before the body did.
    #[error("the body ends too early")]
    Truncated,
    /// A chunk size that is not plain hexadecimal, or does not fit 64 bits.
    #[error("a chunk size is malformed")]
    Size,
    /// A chunk that is not followed by CR LF, or a bare one of the two.
    #[error("a chunk does not end with CR LF")]
    LineEnding,
    /// More bytes of chunk extensions than anybody needs.
    #[error("the chunk extensions are too long")]
    Extensions,
    /// A trailer section that is malformed or too large.
    #[error("the trailer section is malformed or too large")]
    Trailers,
}

/// What the next bytes of a body are.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// Nothing yet: more input is needed.
    More,
    /// Data, never empty.
    Data(&'b [u8]),
    /// The end, with the lines of the trailer section, each with its CR LF.
    End(&'b [u8]),
}

/// Takes a body out of its framing, without copying it.
#[derive(Debug)]
pub struct Decoder(State);

#[derive(Debug)]
enum State {
    Length(u64),
    UntilClose,
    Size(SizeLine),
    Data { left: u64, extensions: u32 },
    DataEnd { seen_cr: bool, extensions: u32 },
    Trailers(HeadScan),
    Done,
}

#[derive(Debug, Default)]
struct SizeLine {
    size: u64,
    digits: u8,
    length: u16,
    part: Part,
    extensions: u32,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Digits,
    Extension,
    LineFeed,
}

impl Decoder {
    /// For a body that begins with the next byte.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size(SizeLine::default()),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Whether the body has ended; nothing after it is touched.
    pub fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// The next event and how many bytes of `input` it took.
    ///
    /// `input` begins after the bytes that were taken before. With
    /// [`Event::More`] bytes may have been taken too.
    ///
    /// # Errors
    /// [`BodyError`]; the decoder cannot be used any more.
    pub fn decode<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b>), BodyError> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
            match &mut self.0 {
                State::Done => return Ok((taken, Event::End(&[]))),
                State::Trailers(_) => return self.trailers(taken, rest),
                _ if rest.is_empty() => return Ok((taken, Event::More)),
                State::Length(left) => {
                    let data = at_most(rest, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.0 = State::Done;
                    }
                    return Ok((taken + data.len(), Event::Data(data)));
                }
                State::UntilClose => return Ok((input.len(), Event::Data(rest))),
                State::Size(line) => {
                    let (used, ended) = line.read(rest)?;
                    taken += used;
                    if ended {
                        self.0 = match (line.size, line.extensions) {
                            (0, _) => State::Trailers(HeadScan::default()),
                            (left, extensions) => State::Data { left, extensions },
                        };
                    }
                }
                State::Data { left, extensions } => {
                    let data = at_most(rest, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.0 = State::DataEnd {
                            seen_cr: false,
                            extensions: *extensions,
                        };
                    }
                    return Ok((taken + data.len(), Event::Data(data)));
                }
                State::DataEnd {
                    seen_cr,
                    extensions,
                } => {
                    match (*seen_cr, rest[0]) {
                        (false, b'\r') => *seen_cr = true,
                        (true, b'\n') => {
                            self.0 = State::Size(SizeLine {
                                extensions: *extensions,
                                ..SizeLine::default()
                            });
                        }
                        _ => return Err(BodyError::LineEnding),
                    }
                    taken += 1;
                }
            }
        }
    }

    /// To be called when the connection has ended.
    ///
    /// # Errors
    /// [`BodyError::Truncated`] unless that is how this body ends.
    pub fn end_of_input(&mut self) -> Result<(), BodyError> {
        match self.0 {
            State::Done => Ok(()),
            State::UntilClose => {
                self.0 = State::Done;
                Ok(())
            }
            _ => Err(BodyError::Truncated),
        }
    }

    fn trailers<'b>(
        &mut self,
        taken: usize,
        rest: &'b [u8],
    ) -> Result<(usize, Event<'b>), BodyError> {
        let State::Trailers(scan) = &mut self.0 else {
            return Ok((taken, Event::More));
        };
        match scan.advance(rest).map_err(|_| BodyError::Trailers)? {
            None if rest.len() > MAX_TRAILERS => Err(BodyError::Trailers),
            None => Ok((taken, Event::More)),
            Some(length) if length > MAX_TRAILERS => Err(BodyError::Trailers),
            Some(length) => {
                let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
                field::parse_section(&rest[..length], &mut fields)
                    .map_err(|_| BodyError::Trailers)?;
                self.0 = State::Done;
                Ok((taken + length, Event::End(&rest[..length - 2])))
            }
        }
    }
}

fn at_most(input: &[u8], limit: u64) -> &[u8] {
    let length = usize::try_from(limit).map_or(input.len(), |limit| limit.min(input.len()));
    &input[..length]
}

impl SizeLine {
    /// Reads up to the end of the line; says how much it took and whether the
    /// line has ended.
    fn read(&mut self, input: &[u8]) -> Result<(usize, bool), BodyError> {
        for (at, &byte) in input.iter().enumerate() {
            self.length += 1;
            if self.length > MAX_SIZE_LINE {
                return Err(BodyError::Extensions);
            }
            match (self.part, byte) {
                (Part::Digits, b'\r') if self.digits > 0 => self.part = Part::LineFeed,
                (Part::Digits, b';') if self.digits > 0 => self.part = Part::Extension,
                (Part::Digits, _) => self.digit(byte)?,
                (Part::Extension, b'\r') => self.part = Part::LineFeed,
                (Part::Extension, b'\n') => return Err(BodyError::LineEnding),
                (Part::Extension, 0..=8 | 10..=31 | 127) => return Err(BodyError::Size),
                (Part::Extension, _) => {
                    self.extensions += 1;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err(BodyError::Extensions);
                    }
                }
                (Part::LineFeed, b'\n') => return Ok((at + 1, true)),
                (Part::LineFeed, _) => return Err(BodyError::LineEnding),
            }
        }
        Ok((input.len(), false))
    }

    fn digit(&mut self, byte: u8) -> Result<(), BodyError> {
        let value = char::from(byte).to_digit(16).ok_or(BodyError::Size)?;
        self.digits += 1;
        if self.digits > 16 {
            return Err(BodyError::Size);
        }
        self.size = (self.size << 4) | u64::from(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
