//! One head, of a request or of an answer, and whatever follows it.

#![no_main]

use credence_fuzz::ours::{Heads, Role};
use credence_fuzz::{compared, plain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let role = match input.starts_with(b"HTTP/") {
        true => Role::Answers(Heads(0)),
        false => Role::Requests,
    };
    compared::by_all(role, input);
    plain::is_the_same(role, input);
});
