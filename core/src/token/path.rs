//! Where in an answer a field stands.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A path to one field: `access_token`, `data.0.token`, `authed_user.token`.
///
/// A number is an index where an array stands, and a name where an object
/// does. `\.` and `\\` write a dot and a backslash that belong to a name. The
/// empty path is the whole body.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: Box<str>,
    segments: Vec<Box<str>>,
}

impl FieldPath {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path to a member of the body itself.
    pub(super) fn of_name(name: &str) -> Self {
        Self {
            text: name.into(),
            segments: vec![name.into()],
        }
    }

    /// The path of the whole body.
    pub fn whole() -> Self {
        Self {
            text: "".into(),
            segments: Vec::new(),
        }
    }

    /// Whether it stands for the whole body.
    pub fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    /// The name, where the path consists of one: all that can be found in a
    /// form.
    pub fn as_name(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The field of a document, if it has one there. `null` counts as absent.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        follow(&self.segments, document).filter(|found| !found.is_null())
    }

    /// What the field is a part of, if the document has that.
    pub(super) fn find_parent<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        let (_, parents) = self.segments.split_last()?;
        follow(parents, document)
    }
}

fn follow<'a>(segments: &[Box<str>], document: &'a Value) -> Option<&'a Value> {
    segments.iter().try_fold(document, |at, segment| match at {
        Value::Object(members) => members.get(segment.as_ref()),
        Value::Array(items) => items.get(index(segment)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Digits alone: what `usize::from_str` takes besides, a sign, is no index.
fn index(segment: &str) -> Option<usize> {
    segment
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| segment.parse().ok())
        .flatten()
}

/// The text is not the path of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFieldPath {
    /// `a..b`, or a dot at one of the ends.
    #[error(
        "has an empty part: write names with one dot between them, and \\. for a dot in a name"
    )]
    EmptyPart,
    /// A backslash before something else than a dot or a backslash.
    #[error("has a lone backslash: write \\\\ for a backslash and \\. for a dot in a name")]
    Escape,
}

impl FromStr for FieldPath {
    type Err = InvalidFieldPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut segments = Vec::new();
        if !text.is_empty() {
            let mut segment = String::new();
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                match c {
                    '.' => segments.push(finished(&mut segment)?),
                    '\\' => match chars.next() {
                        Some(escaped @ ('.' | '\\')) => segment.push(escaped),
                        _ => return Err(InvalidFieldPath::Escape),
                    },
                    other => segment.push(other),
                }
            }
            segments.push(finished(&mut segment)?);
        }
        Ok(Self {
            text: text.into(),
            segments,
        })
    }
}

fn finished(segment: &mut String) -> Result<Box<str>, InvalidFieldPath> {
    if segment.is_empty() {
        return Err(InvalidFieldPath::EmptyPart);
    }
    Ok(std::mem::take(segment).into())
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_leads_through_objects_and_arrays() {
        let document = json!({
            "access_token": "a",
            "data": [{"token": "b"}, {"0": "c"}],
            "a.b": {"c\\d": "d"},
            "gone": null,
        });
        for (text, expected) in [
            ("access_token", Some(json!("a"))),
            ("data.0.token", Some(json!("b"))),
            ("data.1.0", Some(json!("c"))),
            ("a\\.b.c\\\\d", Some(json!("d"))),
            ("", Some(document.clone())),
            ("a.b", None),
            ("data.2", None),
            ("data.+1", None),
            ("data.token", None),
            ("data.99999999999999999999999", None),
            ("access_token.x", None),
            ("gone", None),
        ] {
            assert_eq!(path(text).find(&document), expected.as_ref(), "{text}");
        }
    }

    #[test]
    fn only_a_single_name_is_the_field_of_a_form() {
        assert_eq!(path("oauth_token").as_name(), Some("oauth_token"));
        assert_eq!(path("a\\.b").as_name(), Some("a.b"));
        assert_eq!(path("a.b").as_name(), None);
        assert_eq!(path("").as_name(), None);
        assert!(path("").is_whole());
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, expected) in [
            (".", InvalidFieldPath::EmptyPart),
            ("a..b", InvalidFieldPath::EmptyPart),
            (".a", InvalidFieldPath::EmptyPart),
            ("a.", InvalidFieldPath::EmptyPart),
            ("a\\", InvalidFieldPath::Escape),
            ("a\\n", InvalidFieldPath::Escape),
        ] {
            assert_eq!(text.parse::<FieldPath>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_path_is_shown_as_it_was_written() {
        assert_eq!(path("a\\.b.0").to_string(), "a\\.b.0");
        assert_eq!(path("a\\.b.0").as_str(), "a\\.b.0");
    }
}
