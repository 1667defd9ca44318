//! What a reader made of a stream of bytes, in terms that all readers share.

use std::fmt;

/// Everything one reader found in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The messages, in their order. The last may be incomplete.
    pub messages: Vec<Message>,
    /// Why there are no more.
    pub end: End,
}

/// How a reading ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The input was used up, perhaps in the middle of a message.
    #[default]
    Waiting,
    /// A message said that none follows, or that what follows is not HTTP.
    Closed,
    /// The reader refused to go on, for this reason.
    Refused(String),
}

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    /// Names as they are compared, and values.
    pub fields: Vec<Field>,
    /// As much of it as was handed out.
    pub body: Vec<u8>,
    /// The fields behind a chunked body.
    pub trailers: Vec<Field>,
    /// Its end was found.
    pub whole: bool,
    /// The connection may carry another message after it.
    pub keep: bool,
    /// How many bytes of the input it and what was before it took; only of
    /// readers that say it.
    pub end: Option<usize>,
}

/// A name and a value.
pub type Field = (Bytes, Bytes);

/// The first line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// RFC 9112 §3.
    Request {
        /// In its case.
        method: Bytes,
        /// As it was sent.
        target: Bytes,
        /// The digit after the dot.
        minor: u8,
    },
    /// RFC 9112 §4.
    Answer {
        /// Three digits.
        status: u16,
    },
}

/// Bytes that show themselves as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("start", &self.start)
            .field("fields", &self.fields)
            .field("body", &self.body.escape_ascii().to_string())
            .field("trailers", &self.trailers)
            .field("whole", &self.whole)
            .field("keep", &self.keep)
            .field("end", &self.end)
            .finish()
    }
}

impl Message {
    /// A message of which nothing but the head has been seen.
    pub fn begun(start: Start, fields: Vec<Field>, keep: bool) -> Self {
        Self {
            start,
            fields,
            body: Vec::new(),
            trailers: Vec::new(),
            whole: false,
            keep,
            end: None,
        }
    }
}

/// Names in lower case, and fields of one name side by side in their order:
/// what a reader that keeps a map of them has left.
pub fn mapped(fields: &[Field]) -> Vec<Field> {
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (Bytes(name.0.to_ascii_lowercase()), value.clone()))
        .collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}
