//! The sidecar's codec, driven as its connections drive it.

use crate::http1::{
    Decoder, Event, FieldStorage, Framing, HeadError, HeadScan, MAX_FIELDS, RequestHead,
    ResponseHead, Version, field,
};

use crate::reading::{End, Field, Message, Reading, Start};

/// Which side's messages a stream holds.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Requests, read as a server.
    Requests,
    /// Answers, read as a client.
    Answers(Heads),
}

/// Which of the answers are to HEAD requests: bit n is about the nth final
/// answer; those behind the last bit are not.
#[derive(Clone, Copy, Debug)]
pub struct Heads(pub u8);

impl Heads {
    /// Whether the final answer of this number is to a HEAD.
    pub fn contain(self, answer: usize) -> bool {
        answer < 8 && self.0 >> answer & 1 == 1
    }
}

/// Reads `input`, which arrives in the pieces that end at `cuts` and at its
/// end, and then the connection's end.
pub fn read(role: Role, input: &[u8], cuts: impl Iterator<Item = usize>) -> Reading {
    let mut reader = Reader {
        role,
        taken: 0,
        finals: 0,
        state: State::head(role),
        reading: Reading::default(),
    };
    for arrived in cuts.chain([input.len()]) {
        while reader.step(&input[..arrived]) {}
    }
    reader.end_of_input();
    reader.reading
}

struct Reader {
    role: Role,
    /// Bytes of the input that are done with.
    taken: usize,
    /// Final answers that have begun.
    finals: usize,
    state: State,
    reading: Reading,
}

enum State {
    Head(HeadScan),
    Body(Decoder),
    Over,
}

impl State {
    fn head(role: Role) -> Self {
        Self::Head(match role {
            Role::Requests => HeadScan::request(),
            Role::Answers(_) => HeadScan::default(),
        })
    }
}

impl Reader {
    /// Goes on with what has arrived; says whether there may be more to do
    /// before more arrives.
    fn step(&mut self, arrived: &[u8]) -> bool {
        let pending = &arrived[self.taken..];
        match &mut self.state {
            State::Head(scan) => match scan.advance(pending) {
                Err(error) => self.refuse(&error),
                Ok(None) => false,
                Ok(Some(length)) => match self.head(&pending[..length]) {
                    Err(error) => self.refuse(&error),
                    Ok((message, framing)) => {
                        self.taken += length;
                        self.reading.messages.push(message);
                        self.state = State::Body(Decoder::new(framing));
                        true
                    }
                },
            },
            State::Body(decoder) => {
                let message = self
                    .reading
                    .messages
                    .last_mut()
                    .expect("a head came before");
                match decoder.decode(pending) {
                    Err(error) => self.refuse(&error),
                    Ok((taken, event)) => {
                        assert!(taken <= pending.len(), "took more than there was");
                        self.taken += taken;
                        match event {
                            Event::More => false,
                            Event::Data(data) => {
                                assert!(!data.is_empty(), "data without a byte");
                                message.body.extend_from_slice(data);
                                true
                            }
                            Event::End(lines) => {
                                assert!(decoder.is_done());
                                message.trailers = trailers(lines);
                                self.ended()
                            }
                        }
                    }
                }
            }
            State::Over => false,
        }
    }

    fn head(&mut self, head: &[u8]) -> Result<(Message, Framing), HeadError> {
        let mut storage = FieldStorage::new();
        match self.role {
            Role::Requests => {
                let head = RequestHead::parse(head, &mut storage)?;
                let start = Start::Request {
                    method: head.method.into(),
                    target: head.target.into(),
                    minor: u8::from(head.version == Version::Http11),
                };
                let message = Message::begun(start, fields(head.fields), !head.close);
                Ok((message, head.framing))
            }
            Role::Answers(heads) => {
                let to_head = heads.contain(self.finals);
                let head = ResponseHead::parse(head, to_head, &mut storage)?;
                let start = Start::Answer {
                    status: head.status,
                };
                self.finals += usize::from(!head.is_interim());
                // What follows an interim answer is its final one, whatever
                // its fields say; what follows 101 is not HTTP.
                let keep = match head.status {
                    101 => false,
                    100..=199 => true,
                    _ => !head.close,
                };
                let message = Message::begun(start, fields(head.fields), keep);
                Ok((message, head.framing))
            }
        }
    }

    fn ended(&mut self) -> bool {
        let message = self.reading.messages.last_mut().expect("it has ended");
        message.whole = true;
        message.end = Some(self.taken);
        if message.keep {
            self.state = State::head(self.role);
        } else {
            self.state = State::Over;
            self.reading.end = End::Closed;
        }
        message.keep
    }

    fn refuse(&mut self, error: &dyn std::error::Error) -> bool {
        self.state = State::Over;
        self.reading.end = End::Refused(error.to_string());
        false
    }

    fn end_of_input(&mut self) {
        if let State::Body(decoder) = &mut self.state
            && decoder.end_of_input().is_ok()
        {
            self.ended();
        }
    }
}

fn fields(fields: &[field::Field<'_>]) -> Vec<Field> {
    let owned = |field: &field::Field<'_>| (field.name.into(), field.value.into());
    fields.iter().map(owned).collect()
}

fn trailers(lines: &[u8]) -> Vec<Field> {
    let section = [lines, b"\r\n"].concat();
    let mut storage = [field::Field {
        name: "",
        value: &[],
    }; MAX_FIELDS];
    let parsed = field::parse_section(&section, &mut storage);
    fields(parsed.expect("the decoder has checked the trailers"))
}
