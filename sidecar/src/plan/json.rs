//! A JSON object whose members are changed in the text itself: spelling,
//! order, white space and numbers that no type holds stay as they are.

use std::borrow::Cow;
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
    /// For each of the names, where the last one begins that differs from it
    /// in case only.
    lookalikes: Vec<Option<usize>>,
    /// After the opening brace.
    begin: usize,
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

    /// Whether a member comes before one that a decoder which ignores case
    /// would take in its place: many take the last.
    pub(super) fn is_eclipsed(&self, member: &Member) -> bool {
        self.lookalikes[member.name].is_some_and(|last| member.value.start < last)
    }

    /// Takes away the comma after the members that are cut, where none is left
    /// before it.
    pub(super) fn close_gap(&self, text: &[u8], edits: &mut Vec<Edit>) {
        edits.sort_by_key(Edit::position);
        let gap = edits.iter().fold(self.begin, |gap, edit| {
            let cut = edit.text.is_empty() && edit.range.start == gap;
            if cut { edit.range.end } else { gap }
        });
        if gap == self.begin {
            return;
        }
        if let Some(comma) = text[gap..].iter().position(|byte| *byte == b',') {
            edits.push(Edit {
                range: gap..gap + comma + 1,
                text: Zeroizing::default(),
            });
        }
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

    /// The member goes with the comma before it, if it is not the first.
    pub(super) fn cut(member: &Member) -> Self {
        Self {
            range: member.after..member.value.end,
            text: Zeroizing::default(),
        }
    }

    fn position(&self) -> (usize, usize) {
        (self.range.start, self.range.end)
    }
}

/// Appends the text with the edits, which do not overlap.
pub(super) fn apply(text: &[u8], mut edits: Vec<Edit>, out: &mut Vec<u8>) {
    // Stable: what is inserted in one place keeps its order.
    edits.sort_by_key(Edit::position);
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

/// As those compare who ignore case, to some of whom U+017F is an `s` and U+212A
/// a `k`.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
}

#[derive(Clone, Copy)]
struct Search<'a> {
    text: &'a [u8],
    names: &'a [&'a str],
}

impl<'de> Search<'de> {
    /// Where a piece of the text is in it.
    fn range(&self, piece: &RawValue) -> Range<usize> {
        let start = piece.get().as_ptr().addr() - self.text.as_ptr().addr();
        start..start + piece.get().len()
    }

    /// What a key spells, also with escapes. One with half a surrogate pair is
    /// no text, and so none of ours.
    fn spelled(key: &'de RawValue) -> Option<Cow<'de, str>> {
        if key.get().contains('\\') {
            serde_json::from_str(key.get()).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(key.get().trim_matches('"')))
        }
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
        let begin = brace.ok_or_else(|| A::Error::custom("no brace"))? + 1;
        let mut object = Object {
            found: Vec::new(),
            lookalikes: vec![None; self.names.len()],
            begin,
            end: begin,
            empty: true,
        };
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            let value = self.range(value);
            let after = std::mem::replace(&mut object.end, value.end);
            object.empty = false;
            let Some(key) = Self::spelled(key) else {
                continue;
            };
            if let Some(name) = self.names.iter().position(|name| *name == key) {
                object.found.push(Member { name, after, value });
                continue;
            }
            for (name, last) in self.names.iter().zip(&mut object.lookalikes) {
                if folded(name).eq(folded(&key)) {
                    *last = Some(value.start);
                }
            }
        }
        Ok(object)
    }
}
