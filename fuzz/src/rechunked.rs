//! What is written in chunks is what is read out of them.

use crate::http1::{Decoder, Event, Framing, chunk};

/// Writes the data in pieces of which its own bytes give the lengths, and reads
/// it back.
///
/// # Panics
/// When it comes back as something else.
pub fn is_the_same(data: &[u8]) {
    let mut wire = Vec::new();
    let mut rest = data;
    while let Some(first) = rest.first() {
        let length = rest.len().min(usize::from(*first) + 1);
        let (piece, after) = rest.split_at(length);
        chunk::begin(piece.len(), &mut wire);
        wire.extend_from_slice(piece);
        wire.extend_from_slice(chunk::END);
        rest = after;
    }
    wire.extend_from_slice(chunk::LAST);
    wire.extend_from_slice(b"X: y\r\n\r\nnext");

    let mut decoder = Decoder::new(Framing::Chunked);
    let mut read = Vec::new();
    let mut pending = &wire[..];
    loop {
        let (taken, event) = decoder
            .decode(pending)
            .expect("what we write is well-formed");
        pending = &pending[taken..];
        match event {
            Event::Data(piece) => read.extend_from_slice(piece),
            Event::End(trailers) => {
                assert_eq!(trailers, b"X: y\r\n");
                break;
            }
            Event::More => panic!("it is all there"),
        }
    }
    assert!(read == data && pending == b"next", "read back as {read:?}");
}
