//! The one form of a request that both sides can work out.

use percent_encoding::{AsciiSet, percent_decode, percent_encode};

use super::Head;
use crate::percent::UNRESERVED;

/// What is escaped in a path, segment by segment.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// A request, and how its service reads it.
pub(super) struct Canonical<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// By name in lower case; those of one name in their order.
    fields: Vec<(String, &'a [u8])>,
    payload: &'a str,
    is_s3: bool,
}

impl<'a> Canonical<'a> {
    /// `payload` is the hash of the body, or what stands for it; `is_s3` says
    /// that paths are escaped once and not normalised.
    pub(super) fn of(
        head: &Head<'a>,
        added: impl Iterator<Item = (&'a str, &'a [u8])>,
        payload: &'a str,
        is_s3: bool,
    ) -> Self {
        let fields = head.fields.iter().copied().chain(added);
        let mut fields: Vec<_> = fields
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            method: head.method,
            path: head.path,
            query: head.query.unwrap_or_default(),
            fields,
            payload,
            is_s3,
        }
    }

    /// Writes it piece by piece.
    pub(super) fn write(&self, mut out: impl FnMut(&[u8])) {
        out(self.method.as_bytes());
        out(b"\n");
        self.path(&mut out);
        out(b"\n");
        query(self.query, &mut out);
        out(b"\n");
        for same in self.fields.chunk_by(|(a, _), (b, _)| a == b) {
            for (index, (name, value)) in same.iter().enumerate() {
                if index == 0 {
                    out(name.as_bytes());
                }
                out(if index == 0 { b":" } else { b"," });
                single_spaced(value, &mut out);
            }
            out(b"\n");
        }
        out(b"\n");
        out(self.names().as_bytes());
        out(b"\n");
        out(self.payload.as_bytes());
    }

    /// The names of what is signed, as `SignedHeaders` lists them.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| &**name).collect();
        names.dedup();
        names.join(";")
    }

    fn path(&self, out: &mut impl FnMut(&[u8])) {
        let encode = |bytes: &[u8], out: &mut dyn FnMut(&[u8])| {
            percent_encode(bytes, PATH).for_each(|piece| out(piece.as_bytes()));
        };
        if self.is_s3 {
            // However the caller escaped it, the name of the object is signed.
            let name: Vec<u8> = percent_decode(self.path.as_bytes()).collect();
            return encode(&name, out);
        }
        // What is escaped already is escaped again.
        encode(normalised(self.path).as_bytes(), out);
    }
}

/// Without dot segments (RFC 3986 §5.2.4) and empty ones.
fn normalised(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut whole = String::with_capacity(path.len());
    for segment in &segments {
        whole.push('/');
        whole.push_str(segment);
    }
    if segments.is_empty() || path.ends_with('/') {
        whole.push('/');
    }
    whole
}

/// Sorted by name and value, each escaped in one way. A plus is a space, as
/// forms write it and servers read it.
fn query(text: &str, out: &mut impl FnMut(&[u8])) {
    let canonical = |text: &str| {
        let spaced = text.replace('+', " ");
        let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
        percent_encode(&bytes, UNRESERVED).to_string()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (canonical(name), canonical(value))
        })
        .collect();
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out(b"&");
        }
        out(name.as_bytes());
        out(b"=");
        out(value.as_bytes());
    }
}

/// Without white space around it, and with one space for more.
fn single_spaced(value: &[u8], out: &mut impl FnMut(&[u8])) {
    let words = value.split(u8::is_ascii_whitespace);
    for (index, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            out(b" ");
        }
        out(word);
    }
}
