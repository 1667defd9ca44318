//! A JSON object whose members are changed in the text itself: spelling,
//! order, white space and numbers that no type holds stay as they are.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::body::Unwritable;

/// What must be known of an object to change it.
#[derive(Debug, Default)]
pub(super) struct Object {
    found: Vec<Member>,
    /// After the last member, or after the opening brace.
    end: usize,
    empty: bool,
}

/// A member of one of the names that were looked for.
#[derive(Debug)]
pub(super) struct Member {
    /// Which of the names.
    name: usize,
    /// The end of the member before it.
    after: usize,
    value: Range<usize>,
}

/// A part of the text, and what stands there instead.
pub(super) struct Edit {
    range: Range<usize>,
    text: Zeroizing<String>,
}

impl Object {
    /// Finds the members of these names in a text that is an object.
    ///
    /// # Errors
    /// [`Unwritable::NotJson`], [`Unwritable::NotAnObject`].
    pub(super) fn parse(text: &[u8], names: &[&str]) -> Result<Self, Unwritable> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let search = Search { text, names };
        let object = search.deserialize(&mut json);
        object
            .and_then(|object| json.end().map(|()| object))
            .map_err(|error| match error.classify() {
                Category::Data => Unwritable::NotAnObject,
                Category::Syntax | Category::Eof | Category::Io => Unwritable::NotJson,
            })
    }

    /// The members of one of the names, in their order.
    pub(super) fn of(&self, name: usize) -> impl Iterator<Item = &Member> {
        self.found.iter().filter(move |member| member.name == name)
    }

    /// A new last member; `before` are the edits made so far.
    pub(super) fn append(&self, name: &str, literal: &str, before: &[Edit]) -> Edit {
        let here = self.end..self.end;
        let first = self.empty && before.iter().all(|edit| edit.range != here);
        let comma = if first { "" } else { "," };
        let name = self::literal(name);
        let length = comma.len() + name.len() + 1 + literal.len();
        let mut text = Zeroizing::new(String::with_capacity(length));
        for part in [comma, &*name, ":", literal] {
            text.push_str(part);
        }
        Edit { range: here, text }
    }
}

impl Edit {
    pub(super) fn replace(member: &Member, literal: Zeroizing<String>) -> Self {
        Self {
            range: member.value.clone(),
            text: literal,
        }
    }

    /// For a member that is not the first: it goes with the comma before it.
    pub(super) fn cut(member: &Member) -> Self {
        Self {
            range: member.after..member.value.end,
            text: Zeroizing::default(),
        }
    }
}

/// Appends the text with the edits, which do not overlap.
pub(super) fn apply(text: &[u8], mut edits: Vec<Edit>, out: &mut Vec<u8>) {
    // Stable: what is inserted in one place keeps its order.
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut done = 0;
    for edit in &edits {
        out.extend_from_slice(&text[done..edit.range.start]);
        out.extend_from_slice(edit.text.as_bytes());
        done = edit.range.end;
    }
    out.extend_from_slice(&text[done..]);
}

/// The text as a JSON string.
pub(super) fn literal(text: &str) -> Zeroizing<String> {
    let mut literal = Zeroizing::new(Vec::with_capacity(2 * text.len() + 2));
    // Writing to memory cannot fail, and the result is UTF-8.
    let _ = serde_json::to_writer(&mut *literal, text);
    Zeroizing::new(String::from_utf8_lossy(&literal).into_owned())
}

#[derive(Clone, Copy)]
struct Search<'a> {
    text: &'a [u8],
    names: &'a [&'a str],
}

impl Search<'_> {
    /// Where a piece of the text is in it.
    fn range(&self, piece: &RawValue) -> Range<usize> {
        let start = piece.get().as_ptr().addr() - self.text.as_ptr().addr();
        start..start + piece.get().len()
    }

    /// Which of the names a key is, also when it is spelled with escapes.
    fn name(&self, key: &RawValue) -> Option<usize> {
        let decoded;
        let key = if key.get().contains('\\') {
            // One with half a surrogate pair is no text, and so none of ours.
            decoded = serde_json::from_str::<String>(key.get()).ok()?;
            &*decoded
        } else {
            key.get().trim_matches('"')
        };
        self.names.iter().position(|name| *name == key)
    }
}

impl<'de> DeserializeSeed<'de> for Search<'de> {
    type Value = Object;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Object, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Search<'de> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
        let brace = self.text.iter().position(|byte| *byte == b'{');
        let mut object = Object {
            found: Vec::new(),
            end: brace.ok_or_else(|| A::Error::custom("no brace"))? + 1,
            empty: true,
        };
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            let value = self.range(value);
            let after = std::mem::replace(&mut object.end, value.end);
            object.empty = false;
            if let Some(name) = self.name(key) {
                object.found.push(Member { name, after, value });
            }
        }
        Ok(object)
    }
}
