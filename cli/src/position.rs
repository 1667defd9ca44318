//! Where a field stands in a file.

use std::collections::BTreeMap;
use std::fmt;

/// A place in a text: both numbers begin at one, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The character in the line.
    pub(crate) column: usize,
}

impl Position {
    /// The first character of a text.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The path of a member: `spec` and `auth` give `spec.auth`. Keys that would
/// be read as more than one step are put in brackets.
pub(crate) fn member(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}

/// The path of a list's item: `spec.headers` and 0 give `spec.headers[0]`.
pub(crate) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The positions of a document's fields, by their path.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    start: Position,
    keys: BTreeMap<String, Position>,
    values: BTreeMap<String, Position>,
}

impl Positions {
    /// Of a document that begins here and has no fields yet.
    pub(crate) fn new(start: Position) -> Self {
        Self {
            start,
            keys: BTreeMap::new(),
            values: BTreeMap::new(),
        }
    }

    /// Those of the part of the document that is at this path, as if it were a
    /// document of its own.
    pub(crate) fn below(&self, path: &str) -> Self {
        let part = |all: &BTreeMap<String, Position>| {
            let inside = all.iter().filter_map(|(field, position)| {
                let rest = field.strip_prefix(path)?;
                let rest = match rest.strip_prefix('.') {
                    Some(member) => member,
                    None if rest.starts_with('[') => rest,
                    None => return None,
                };
                Some((rest.to_owned(), *position))
            });
            inside.collect()
        };
        Self {
            start: self.of_value(path),
            keys: part(&self.keys),
            values: part(&self.values),
        }
    }

    pub(crate) fn set_key(&mut self, path: &str, position: Position) {
        self.keys.insert(path.to_owned(), position);
    }

    pub(crate) fn set_value(&mut self, path: &str, position: Position) {
        self.values.insert(path.to_owned(), position);
    }

    /// Where the field's name stands; of an item of a list, where the item
    /// begins. A field that is not there has the place of what should hold it.
    pub(crate) fn of_key(&self, path: &str) -> Position {
        nearest(path, |path| {
            self.keys.get(path).or_else(|| self.values.get(path))
        })
        .unwrap_or(self.start)
    }

    /// Where the field's value stands; of what holds other fields, its name.
    pub(crate) fn of_value(&self, path: &str) -> Position {
        nearest(path, |path| {
            self.values.get(path).or_else(|| self.keys.get(path))
        })
        .unwrap_or(self.start)
    }
}

/// The first thing found on the way from the field to the root.
fn nearest<'a>(path: &str, find: impl Fn(&str) -> Option<&'a Position>) -> Option<Position> {
    let mut path = path;
    loop {
        if let Some(position) = find(path) {
            return Some(*position);
        }
        path = parent(path)?;
    }
}

/// The path without its last step. A key in brackets may hold dots, but no
/// bracket (a label's and a ConfigMap's key can't).
fn parent(path: &str) -> Option<&str> {
    let cut = if path.ends_with(']') {
        path.rfind('[')
    } else {
        path.rfind('.')
    };
    cut.map(|cut| &path[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize) -> Position {
        Position { line, column: 1 }
    }

    #[test]
    fn paths_bracket_what_would_be_read_as_two_steps() {
        assert_eq!(member("", "spec"), "spec");
        assert_eq!(member("spec", "base-url"), "spec.base-url");
        assert_eq!(member("data", "tls.crt"), "data[tls.crt]");
        assert_eq!(item("spec.headers", 2), "spec.headers[2]");
    }

    #[test]
    fn a_missing_field_is_where_its_nearest_holder_is() {
        let mut positions = Positions::new(at(1));
        positions.set_key("spec", at(2));
        positions.set_key("spec.auth", at(3));
        positions.set_value("data[tls.crt]", at(9));
        assert_eq!(positions.of_value("spec.auth.apiKey.name"), at(3));
        assert_eq!(positions.of_value("spec.headers[0].name"), at(2));
        assert_eq!(positions.of_key("data[tls.crt]"), at(9));
        assert_eq!(positions.of_value("metadata.name"), at(1));
    }
}
