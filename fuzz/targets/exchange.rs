//! Messages that follow one another on a connection.
//!
//! The first byte says which side's they are: an even one requests, an odd one
//! answers, and its other bits which of those are to a HEAD.

#![no_main]

use credence_fuzz::compared;
use credence_fuzz::ours::{Heads, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((mode, stream)) = input.split_first() else {
        return;
    };
    let role = match mode % 2 {
        0 => Role::Requests,
        _ => Role::Answers(Heads(mode >> 1)),
    };
    compared::by_all(role, stream);
});
