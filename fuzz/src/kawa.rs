//! Messages as the parser of the proxy Sōzu reads them.

use kawa::h1::{self, ParserCallbacks};
use kawa::{
    AsBuffer, Block, BodySize, Buffer, Kawa, Kind, ParsingPhase, SliceBuffer, StatusLine, Store,
    Version,
};

use crate::ours::Role;
use crate::reading::{Bytes, End, Field, Message, Reading, Start};

/// Reads messages one after the other. It does not judge whether a connection
/// goes on, so it reads until the input has ended or it refuses.
///
/// Host becomes the first field, and Cookie is missing: it takes both apart.
pub fn read(role: Role, input: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut taken = 0;
    let mut finals = 0;
    while taken < input.len() && reading.end == End::Waiting {
        // It does not know the empty line of RFC 9112 §2.2.
        if matches!(role, Role::Requests) && input[taken..].starts_with(b"\r\n") {
            taken += 2;
        }
        let (kind, to_head) = match role {
            Role::Requests => (Kind::Request, false),
            Role::Answers(heads) => (Kind::Response, heads.contain(finals)),
        };
        let mut bytes = input[taken..].to_vec();
        let mut buffer = Buffer::new(SliceBuffer(&mut bytes));
        buffer.fill(input.len() - taken);
        let mut kawa = Kawa::new(kind, buffer);
        let mut head = HeadEnd::default();
        h1::parse(&mut kawa, &mut head);
        if let ParsingPhase::Error { .. } = kawa.parsing_phase {
            reading.end = End::Refused(format!("{:?}", kawa.parsing_phase));
        }
        let Some(head) = head.0 else { break };
        let mut message = message(&kawa);
        let interim = matches!(message.start, Start::Answer { status: 100..=199 });
        finals += usize::from(!interim);
        let length = if to_head && !interim {
            // It does not know of HEAD.
            message.body.clear();
            message.trailers.clear();
            reading.end = End::Waiting;
            Some(head)
        } else if kawa.is_terminated() {
            Some(kawa.storage.head)
        } else if kawa.parsing_phase == ParsingPhase::Body && kawa.body_size == BodySize::Empty {
            Some(bytes_left(&kawa))
        } else {
            None
        };
        if let Some(length) = length {
            taken += length;
            message.whole = true;
            message.end = Some(taken);
        }
        reading.messages.push(message);
        if length.is_none() {
            break;
        }
    }
    reading
}

/// Where the head of a message ends.
#[derive(Default)]
struct HeadEnd(Option<usize>);

impl<T: AsBuffer> ParserCallbacks<T> for HeadEnd {
    fn on_headers(&mut self, kawa: &mut Kawa<T>) {
        self.0 = Some(kawa.storage.head);
    }
}

fn bytes_left<T: AsBuffer>(kawa: &Kawa<T>) -> usize {
    kawa.storage.buffer().len()
}

fn message<T: AsBuffer>(kawa: &Kawa<T>) -> Message {
    let buffer = kawa.storage.buffer();
    let bytes = |store: &Store| Bytes::from(store.data_opt(buffer).unwrap_or_default());
    let minor = |version: &Version| u8::from(matches!(version, Version::V11));
    let mut fields: Vec<Field> = Vec::new();
    let start = match &kawa.detached.status_line {
        StatusLine::Request {
            version,
            method,
            authority,
            uri,
            ..
        } => {
            fields.push(("host".into(), bytes(authority)));
            Start::Request {
                method: bytes(method),
                target: bytes(uri),
                minor: minor(version),
            }
        }
        StatusLine::Response { code, .. } => Start::Answer { status: *code },
        StatusLine::Unknown => unreachable!("it has read a head"),
    };
    let mut message = Message::begun(start, Vec::new(), true);
    let mut in_trailers = false;
    for block in &kawa.blocks {
        match block {
            Block::Header(pair) if pair.is_elided() => {}
            Block::Header(pair) => {
                let field = (bytes(&pair.key), bytes(&pair.val));
                if in_trailers {
                    message.trailers.push(field);
                } else {
                    fields.push(field);
                }
            }
            Block::Chunk(chunk) => message.body.extend_from_slice(&bytes(&chunk.data).0),
            Block::Flags(flags) => in_trailers |= flags.end_body,
            Block::StatusLine | Block::Cookies | Block::ChunkHeader(_) => {}
        }
    }
    message.fields = fields;
    message
}
