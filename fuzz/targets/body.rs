//! A body in one framing, whatever follows it, and the same body in chunks.
//!
//! The first byte says what frames it: its low bit whether it is an answer's;
//! a 2 there a length, for which its upper half stands; a 4 an answer that lasts
//! until the connection ends. Otherwise it comes in chunks.

#![no_main]

use credence_fuzz::compared;
use credence_fuzz::ours::{Heads, Role};
use credence_fuzz::rechunked;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((mode, body)) = input.split_first() else {
        return;
    };
    let (role, first) = match mode & 1 {
        0 => (Role::Requests, "PUT / HTTP/1.1\r\nHost: h\r\n"),
        _ => (Role::Answers(Heads(0)), "HTTP/1.1 200 OK\r\n"),
    };
    let fields = match mode & 6 {
        2 => format!("Content-Length: {}\r\n", mode >> 4),
        4 if mode & 1 == 1 => String::new(),
        _ => "Transfer-Encoding: chunked\r\n".to_owned(),
    };
    let head = format!("{first}{fields}\r\n");
    compared::by_all(role, &[head.as_bytes(), body].concat());
    rechunked::is_the_same(body);
});
