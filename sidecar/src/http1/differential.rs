//! Damaged heads, read by the parser and by the plainest reader there is:
//! what the one accepts, the other must read alike, and however it was cut.

use super::{FieldStorage, Framing, HeadScan, RequestHead};

/// The generator's sequence is the same in every run, so a failure repeats.
struct Dice(u64);

impl Dice {
    /// Below `limit`, which must not be zero.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

const HEAD: &[u8] =
    b"POST /a/b?c=d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nX-A: b, c\r\n\
    Connection: keep-alive\r\nX-Empty:\r\n\r\n";

/// What damages a head in the ways that have fooled parsers.
const SPLINTERS: [&[u8]; 20] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\xff",
    b",",
    b"0",
    b"+",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: identity\r\n",
    b"Host: evil.example\r\n",
    b"\r\n folded",
    b"HTTP/1.0",
];

fn damaged(dice: &mut Dice) -> Vec<u8> {
    let mut head = HEAD.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(head.len());
        let splinter = SPLINTERS[dice.below(SPLINTERS.len())];
        let replaced = dice.below(3).min(head.len() - at);
        head.splice(at..at + replaced, splinter.iter().copied());
    }
    head
}

fn scanned(head: &[u8], step: usize) -> Option<usize> {
    let mut scan = HeadScan::request();
    let mut seen = 0;
    while seen < head.len() {
        seen = (seen + step).min(head.len());
        match scan.advance(&head[..seen]) {
            Ok(None) => {}
            Ok(found) => return found,
            Err(_) => return None,
        }
    }
    None
}

type Plain = (Vec<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);

/// Lines by CR LF, words by one space, names up to the first colon.
fn plainly(head: &[u8]) -> Plain {
    let text = |bytes: &[u8]| bytes.to_vec();
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    assert_eq!((lines.pop(), rest), (Some(&b""[..]), &b""[..]));
    let words = lines[0].split(|b| *b == b' ').map(text).collect();
    let field = |line: &&[u8]| {
        let colon = line
            .iter()
            .position(|b| *b == b':')
            .expect("a colon in each line");
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let value = &line[colon + 1..];
        let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
        let end = value
            .iter()
            .rposition(|b| !blank(b))
            .map_or(start, |at| at + 1);
        (text(&line[..colon]), text(&value[start..end]))
    };
    (words, lines[1..].iter().map(field).collect())
}

#[test]
fn what_is_accepted_is_read_as_anybody_would_read_it() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..6_000 {
        let bytes = damaged(&mut dice);
        let whole = scanned(&bytes, bytes.len());
        for step in [1, 2, 5] {
            assert_eq!(
                scanned(&bytes, step),
                whole,
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
        let Some(length) = whole else { continue };
        let bytes = &bytes[..length];
        let mut storage = FieldStorage::new();
        let Ok(head) = RequestHead::parse(bytes, &mut storage) else {
            continue;
        };
        accepted += 1;
        let shown = bytes.escape_ascii().to_string();
        let (words, fields) = plainly(bytes);
        assert_eq!(words.len(), 3, "{shown}");
        assert_eq!(words[0], head.method.as_bytes(), "{shown}");
        assert_eq!(words[1], head.target.as_bytes(), "{shown}");
        let read: Vec<_> = head
            .fields
            .iter()
            .map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()))
            .collect();
        assert_eq!(read, fields, "{shown}");
        let named = |name: &str| {
            let same = |field: &&(Vec<u8>, Vec<u8>)| field.0.eq_ignore_ascii_case(name.as_bytes());
            fields.iter().filter(same).count()
        };
        assert!(named("host") <= 1, "{shown}");
        let framings = (named("content-length"), named("transfer-encoding"));
        match head.framing {
            Framing::None => assert_eq!(framings, (0, 0), "{shown}"),
            Framing::Length(_) => assert_eq!(framings, (1, 0), "{shown}"),
            Framing::Chunked => assert_eq!(framings, (0, 1), "{shown}"),
            Framing::UntilClose => panic!("no request has it: {shown}"),
        }
    }
    // Otherwise it would prove nothing.
    assert!(accepted > 200, "only {accepted} were accepted");
}
