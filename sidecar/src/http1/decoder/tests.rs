use super::*;

/// All data, the trailers, and what was left over.
type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);

/// What comes of this input, fed in pieces of `step`.
fn decoded(framing: Framing, input: &[u8], step: usize) -> Result<Parts, BodyError> {
    let mut decoder = Decoder::new(framing);
    let mut data = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut arriving = input.chunks(step);
    loop {
        let (taken, event) = decoder.decode(&pending)?;
        let ended = match event {
            Event::Data(part) => {
                assert!(!part.is_empty());
                data.extend_from_slice(part);
                None
            }
            Event::End(trailers) => Some(trailers.to_vec()),
            Event::More => {
                pending.drain(..taken);
                match arriving.next() {
                    Some(piece) => pending.extend_from_slice(piece),
                    None => {
                        decoder.end_of_input()?;
                        return Ok((data, Vec::new(), pending));
                    }
                }
                continue;
            }
        };
        pending.drain(..taken);
        if let Some(trailers) = ended {
            assert!(decoder.is_done());
            pending.extend(arriving.flatten());
            return Ok((data, trailers, pending));
        }
    }
}

/// The same at every width of the pieces, or the test fails.
fn at_every_width(framing: Framing, input: &[u8]) -> Result<Parts, BodyError> {
    let whole = decoded(framing, input, input.len().max(1));
    for step in 1..input.len() {
        assert_eq!(decoded(framing, input, step), whole, "in pieces of {step}");
    }
    whole
}

fn chunked(input: &str) -> Result<Parts, BodyError> {
    at_every_width(Framing::Chunked, input.as_bytes())
}

#[test]
fn a_length_body_ends_after_so_many_bytes() {
    let (data, _, rest) = at_every_width(Framing::Length(3), b"abcGET").unwrap();
    assert_eq!((&data[..], &rest[..]), (&b"abc"[..], &b"GET"[..]));
    assert_eq!(
        at_every_width(Framing::Length(9), b"abc"),
        Err(BodyError::Truncated)
    );
}

#[test]
fn no_body_takes_nothing() {
    for framing in [Framing::None, Framing::Length(0)] {
        let (data, _, rest) = at_every_width(framing, b"GET").unwrap();
        assert_eq!((data.len(), &rest[..]), (0, &b"GET"[..]));
    }
}

#[test]
fn a_body_until_close_is_everything() {
    let (data, _, rest) = at_every_width(Framing::UntilClose, b"abc").unwrap();
    assert_eq!((&data[..], rest.len()), (&b"abc"[..], 0));
}

#[test]
fn chunks_are_joined_and_trailers_kept() {
    let (data, trailers, rest) =
        chunked("3\r\nabc\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nnext").unwrap();
    assert_eq!(data, b"abc0123456789");
    assert_eq!(trailers, b"A: b\r\nC: d\r\n");
    assert_eq!(rest, b"next");
}

#[test]
fn bad_chunking_is_refused_at_every_cut() {
    for (input, why) in [
        ("\r\n", BodyError::Size),
        ("x\r\n", BodyError::Size),
        ("0x1\r\na\r\n", BodyError::Size),
        ("+1\r\na\r\n", BodyError::Size),
        (" 1\r\na\r\n", BodyError::Size),
        ("1 \r\na\r\n", BodyError::Size),
        ("1\na\r\n", BodyError::Size),
        ("10000000000000000\r\n", BodyError::Size),
        ("00000000000000001\r\n", BodyError::Size),
        ("1;a\nb\r\n", BodyError::LineEnding),
        ("1;a\0\r\n", BodyError::Size),
        ("1\rx", BodyError::LineEnding),
        ("1\r\nab\r\n", BodyError::LineEnding),
        ("1\r\na\n", BodyError::LineEnding),
        ("1\r\na\r\r\n", BodyError::LineEnding),
        ("0\r\nA : b\r\n\r\n", BodyError::Trailers),
        ("0\r\n a: b\r\n\r\n", BodyError::Trailers),
        ("0\r\nA: b\n\r\n", BodyError::Trailers),
        ("0\r\n", BodyError::Truncated),
        ("5\r\nabc", BodyError::Truncated),
    ] {
        assert_eq!(chunked(input), Err(why), "{input:?}");
    }
}

#[test]
fn extensions_and_trailers_have_limits() {
    let line = format!("1;{}\r\na\r\n", "x".repeat(300));
    assert_eq!(chunked(&line), Err(BodyError::Extensions));
    let many = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(100);
    assert_eq!(
        decoded(Framing::Chunked, many.as_bytes(), 999),
        Err(BodyError::Extensions)
    );
    let trailers = format!("0\r\nA: {}\r\n\r\n", "x".repeat(MAX_TRAILERS));
    assert_eq!(
        decoded(Framing::Chunked, trailers.as_bytes(), 999),
        Err(BodyError::Trailers)
    );
}

/// Splits a body at random, writes it as chunks, cuts the result at random and
/// reads it back; the generator is a fixed one, so that a failure repeats.
#[test]
fn what_is_written_as_chunks_is_read_back() {
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    for _ in 0..500 {
        let body: Vec<u8> = (0..random.below(700))
            .map(|_| random.next() as u8)
            .collect();
        let mut wire = Vec::new();
        let mut rest = &body[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(1 + random.below(rest.len()));
            super::super::chunk::begin(part.len(), &mut wire);
            wire.extend_from_slice(part);
            wire.extend_from_slice(super::super::chunk::END);
            rest = after;
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        let step = 1 + random.below(64);
        let (data, trailers, left) = decoded(Framing::Chunked, &wire, step).unwrap();
        assert_eq!((data, trailers.len(), left.len()), (body, 0, 0));
    }
}

/// Damaged chunking either fails or yields the same events however it is cut.
#[test]
fn damage_is_judged_alike_however_the_input_is_cut() {
    let mut random = Xorshift(0x2545_f491_4f6c_dd1d);
    let wire = b"5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n";
    for _ in 0..2_000 {
        let mut damaged = wire.to_vec();
        let at = random.below(damaged.len());
        damaged[at] = b"\r\n;0 f\0:"[random.below(8)];
        let whole = decoded(Framing::Chunked, &damaged, damaged.len());
        for step in [1, 2, 3, 7] {
            assert_eq!(decoded(Framing::Chunked, &damaged, step), whole);
        }
    }
}

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which must not be zero.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
