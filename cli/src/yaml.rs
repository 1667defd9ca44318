//! YAML, and JSON as a part of it, read into JSON values with the position of
//! every field.

mod scalar;

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use crate::position::{Position, Positions, item, member};

/// Aliases may make at most this many values of a file: far above what a
/// person writes, and far below what exhausts memory.
const MAX_VALUES: usize = 200_000;

/// One document of a file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// Where it says it.
    pub(crate) positions: Positions,
}

/// What is wrong with the text itself. Messages hold no value of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) position: Position,
    /// The field, as far as one is known; else empty.
    pub(crate) field: String,
    /// What, in words.
    pub(crate) message: String,
}

/// Reads a file's text. Documents that could be read are there also when the
/// text has faults.
pub(crate) fn parse(text: &str) -> (Vec<Document>, Vec<Fault>) {
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(
            text.trim_start_matches('\u{feff}'),
            granit_parser::options! { emit_comments: false },
        ),
        anchors: HashMap::new(),
        values: 0,
        faults: Vec::new(),
    };
    let mut documents = Vec::new();
    if let Err(fault) = reader.documents(&mut documents) {
        reader.faults.push(fault);
    }
    (documents, reader.faults)
}

struct Reader<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Fault> {
        self.events.next().transpose().map_err(|error| Fault {
            position: position(error.marker()),
            field: String::new(),
            message: format!("not YAML: {}", error.info()),
        })
    }

    fn documents(&mut self, documents: &mut Vec<Document>) -> Result<(), Fault> {
        while let Some((event, span)) = self.next()? {
            if !event.is_node() {
                continue;
            }
            self.anchors.clear();
            let mut positions = Positions::new(position(&span.start));
            let value = self.node(event, span, "", &mut positions)?;
            // `---` twice in a row, or a document of comments only.
            if !value.is_null() {
                documents.push(Document { value, positions });
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        path: &str,
        positions: &mut Positions,
    ) -> Result<Value, Fault> {
        let here = position(&span.start);
        let before = self.values;
        self.count(1, here, path)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                positions.set_value(path, here);
                let value = self.scalar(&text, style, tag.as_deref(), here, path);
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                // An item has no name of its own to point at.
                positions.set_value(path, here);
                (self.sequence(path, positions)?, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                if path.ends_with(']') {
                    positions.set_value(path, here);
                }
                (self.mapping(path, positions)?, anchor)
            }
            Event::Alias(id) => {
                positions.set_value(path, here);
                let Some((value, size)) = self.anchors.get(&id).cloned() else {
                    return Err(fault(
                        here,
                        path,
                        "refers to an anchor that is not complete",
                    ));
                };
                self.count(size, here, path)?;
                (value, 0)
            }
            _ => return Err(fault(here, path, "not YAML: a value was expected")),
        };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (value.clone(), self.values - before));
        }
        Ok(value)
    }

    fn count(&mut self, values: usize, here: Position, path: &str) -> Result<(), Fault> {
        self.values += values;
        if self.values > MAX_VALUES {
            return Err(fault(
                here,
                path,
                "the file has more than 200000 values, aliases expanded",
            ));
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        here: Position,
        path: &str,
    ) -> Value {
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() => scalar::tagged(text, tag.suffix()),
            // `!`: a text, whatever it looks like (YAML 1.2 §6.9.1).
            Some(tag) if tag.handle().is_empty() && tag.suffix() == "!" => {
                Ok(Value::String(text.to_owned()))
            }
            Some(_) => Err(scalar::BadScalar::UnknownTag),
            None if style == ScalarStyle::Plain => scalar::plain(text),
            None => Ok(Value::String(text.to_owned())),
        };
        value.unwrap_or_else(|error| {
            self.faults.push(fault(here, path, &error.to_string()));
            Value::Null
        })
    }

    fn sequence(&mut self, path: &str, positions: &mut Positions) -> Result<Value, Fault> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, span, &item(path, items.len()), positions)?);
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, path: &str, positions: &mut Positions) -> Result<Value, Fault> {
        let mut members = Map::new();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            let here = position(&span.start);
            let (key, plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => (text, style == ScalarStyle::Plain),
                _ => return Err(fault(here, path, "has a key that is not a text")),
            };
            let Some((event, span)) = self.next()? else {
                break;
            };
            if plain && key == "<<" {
                merged.push(self.node(event, span, path, &mut positions.clone())?);
                continue;
            }
            let field = member(path, &key);
            if members.contains_key(key.as_ref()) {
                self.faults.push(fault(here, &field, "is given twice"));
                self.node(event, span, &field, &mut positions.clone())?;
                continue;
            }
            positions.set_key(&field, here);
            let value = self.node(event, span, &field, positions)?;
            members.insert(key.into_owned(), value);
        }
        for source in merged {
            merge(&mut members, source);
        }
        Ok(Value::Object(members))
    }
}

/// `<<`: a map, or a list of maps of which the first wins; members that are
/// written out win over both.
fn merge(members: &mut Map<String, Value>, source: Value) {
    match source {
        Value::Object(source) => {
            for (key, value) in source {
                members.entry(key).or_insert(value);
            }
        }
        Value::Array(sources) => {
            for source in sources {
                merge(members, source);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn fault(position: Position, field: &str, message: &str) -> Fault {
    Fault {
        position,
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
