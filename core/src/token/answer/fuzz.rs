//! Answers that nobody would send, by a generator that always makes the same
//! ones.

use super::tests::{Reader, ok};
use super::*;

/// xorshift64*: enough to stir bytes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

const FRAGMENTS: [&str; 38] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "<",
    "&",
    "=",
    "+",
    "%",
    "%2",
    "%ff",
    " ",
    "\n",
    "\u{feff}",
    "null",
    "true",
    "1e999",
    "-0",
    "1767229200",
    "0:00:01",
    "2026-01-01T01:00:00Z",
    "\"access_token\"",
    "\"s3cr3t\"",
    "\"expires_in\"",
    "\"error\"",
    "\"invalid_grant\"",
    "\"scope\"",
    "\"token_type\"",
    "\"refresh_token\"",
    "access_token=s3cr3t",
    "error=s3cr3t",
    "a.eyJleHAiOjF9.b",
];

const SOUND: &str = r#"{"access_token": "s3cr3t", "expires_in": "3600", "refresh_token": "r", "scope": ["a"], "data": [{"id": 1}], "token_type": "Bearer"}"#;

fn body(dice: &mut Dice) -> Vec<u8> {
    match dice.roll(3) {
        0 => (0..dice.roll(64)).map(|_| dice.roll(256) as u8).collect(),
        1 => {
            let count = dice.roll(24);
            let parts: Vec<&str> = (0..count).map(|_| *dice.pick(&FRAGMENTS)).collect();
            parts.concat().into_bytes()
        }
        _ => {
            let mut bytes = SOUND.as_bytes().to_vec();
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(bytes.len().max(1));
                match dice.roll(3) {
                    0 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            bytes
        }
    }
}

#[test]
fn no_answer_whatever_panics_or_gives_an_unusable_token() {
    let readers = [
        Reader::default(),
        Reader::default().token_at(""),
        Reader::default().token_at("data.0.id"),
        Reader::default()
            .capturing("a", "header:x")
            .capturing("b", "cookie:x")
            .success_when("error", "0"),
    ];
    let statuses = [100, 200, 201, 204, 302, 400, 429, 500, 599, 999];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut tokens = 0;
    for _ in 0..60_000 {
        let mut raw = ok("");
        raw.status = *dice.pick(&statuses);
        raw.body = body(&mut dice).into();
        for name in ["x", "set-cookie", "date", "retry-after"] {
            let value: Vec<u8> = match dice.roll(2) {
                0 => dice.pick(&FRAGMENTS).as_bytes().to_vec(),
                _ => (0..dice.roll(12)).map(|_| dice.roll(256) as u8).collect(),
            };
            raw.headers.push((name.to_owned(), value.into()));
        }
        let reader = dice.pick(&readers);
        let _salvaged = salvaged_refresh_token(&raw, &reader.shape);
        match reader.read(&raw) {
            Ok(answer) => {
                tokens += 1;
                assert!(raw.is_success());
                assert!(!answer.access_token.expose().is_empty());
                for secret in answer.captured.values().chain([&answer.access_token]) {
                    assert!(!secret.expose().chars().any(char::is_control));
                }
            }
            Err(error) => {
                let shown = format!("{error:?} {error}");
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
    // Else the generator makes nothing but rubbish and shows little.
    assert!(tokens > 1_000, "{tokens}");
}
