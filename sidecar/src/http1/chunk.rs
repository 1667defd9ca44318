//! Writing chunks (RFC 9112 §7.1).

/// Begins a chunk of `length` bytes; what follows is the data and [`END`].
///
/// An empty chunk would end the body, so there is none of zero bytes.
pub fn begin(length: usize, out: &mut Vec<u8>) {
    debug_assert!(length > 0, "an empty chunk ends the body");
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut rest = length;
    while rest > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Ends a chunk.
pub const END: &[u8] = b"\r\n";

/// The last chunk; what follows are trailer lines and an empty line.
pub const LAST: &[u8] = b"0\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal_without_leading_zeros() {
        for (length, line) in [(1, "1\r\n"), (16, "10\r\n"), (0xdead_beef, "deadbeef\r\n")] {
            let mut out = Vec::new();
            begin(length, &mut out);
            assert_eq!(out, line.as_bytes());
        }
    }
}
