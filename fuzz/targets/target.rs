//! The target of a request: what is sent is the caller's, and stays inside the
//! collection however loosely a server reads it.

#![no_main]

use credence_fuzz::sent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // A head's target is text, or the head is refused.
    if let Ok(target) = std::str::from_utf8(input) {
        sent::stays_inside(target);
    }
    sent::owns_its_parameters(input);
});
