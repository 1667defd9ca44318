//! The body of an answer, read by its looks.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use zeroize::Zeroize;

use super::path::FieldPath;

/// What a body turned out to be. Its `Content-Type` is not asked: JSON comes as
/// `text/plain`, forms as `text/html`, and once a provider has replaced a
/// refresh token the answer must be understood.
pub(super) enum Document {
    /// A JSON object or array.
    Json(Value),
    /// The pairs of a form (`application/x-www-form-urlencoded`).
    Form(Vec<(String, String)>),
    /// Text, or a JSON string without its quotes: a token by itself, if the
    /// manifest says so.
    Text(String),
}

/// The body is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// There is none, or white space only, or JSON without anything in it.
    Empty,
    /// HTML or XML: a page for people, or for another protocol.
    Markup,
    /// Bytes that are no text, or broken JSON.
    Unreadable,
}

impl Document {
    /// Reads a body. With `whole`, what is not JSON is text, else a form.
    pub(super) fn read(body: &[u8], whole: bool) -> Result<Self, Odd> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let text = std::str::from_utf8(body).map_err(|_| Odd::Unreadable)?;
        let text = text.trim();
        match text.bytes().next() {
            None => Err(Odd::Empty),
            Some(b'<') => Err(Odd::Markup),
            Some(b'{' | b'[') => match serde_json::from_str(text) {
                Ok(Value::Object(members)) if members.is_empty() => Err(Odd::Empty),
                Ok(Value::Array(items)) if items.is_empty() => Err(Odd::Empty),
                Ok(document) => Ok(Self::Json(document)),
                Err(_) => Err(Odd::Unreadable),
            },
            Some(b'"') => serde_json::from_str(text)
                .map(Self::Text)
                .map_err(|_| Odd::Unreadable),
            Some(_) if whole => Ok(Self::Text(text.to_owned())),
            Some(_) => Ok(Self::Form(pairs(text))),
        }
    }

    /// The text of a field; `None` where it is absent, `null`, or no single
    /// value.
    pub(super) fn text(&self, path: &FieldPath) -> Option<Cow<'_, str>> {
        match self {
            Self::Json(document) => text_of(path.find(document)?),
            Self::Form(_) => self.form(path.as_name()?).map(Cow::Borrowed),
            Self::Text(text) => path.is_whole().then_some(Cow::Borrowed(text.as_str())),
        }
    }

    /// A field as JSON: what a form says is a text.
    pub(super) fn value(&self, path: &FieldPath) -> Option<Value> {
        match self {
            Self::Json(document) => path.find(document).cloned(),
            Self::Form(_) | Self::Text(_) => {
                self.text(path).map(|text| Value::String(text.into_owned()))
            }
        }
    }

    /// A member of the body itself, if it says anything: what is absent,
    /// `null`, empty, `false` or zero says nothing.
    pub(super) fn says(&self, name: &str) -> Option<Value> {
        self.value(&FieldPath::of_name(name))
            .filter(|value| match value {
                Value::Null => false,
                Value::Bool(said) => *said,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(members) => !members.is_empty(),
            })
    }

    /// Whether there is a text beside a field, in the same object, whose name
    /// is this one when only its letters are looked at, in lower case.
    pub(super) fn has_beside(&self, path: &FieldPath, letters: &str) -> bool {
        match self {
            Self::Json(document) => match path.find_parent(document) {
                Some(Value::Object(members)) => members
                    .iter()
                    .any(|(name, value)| is_text_named(name, value, letters)),
                _ => false,
            },
            Self::Form(_) | Self::Text(_) => self.has(letters),
        }
    }

    /// Whether there is such a text anywhere.
    pub(super) fn has(&self, letters: &str) -> bool {
        match self {
            Self::Json(document) => holds(document, letters),
            Self::Form(pairs) => {
                let says = |text: &str| !text.trim().is_empty();
                pairs
                    .iter()
                    .any(|(name, text)| is_named(name, letters) && says(text))
            }
            Self::Text(_) => false,
        }
    }

    fn form(&self, name: &str) -> Option<&str> {
        match self {
            Self::Form(pairs) => pairs
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.as_str()),
            Self::Json(_) | Self::Text(_) => None,
        }
    }
}

/// As deep as the parser's own limit on nesting.
fn holds(value: &Value, letters: &str) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| is_text_named(name, value, letters) || holds(value, letters)),
        Value::Array(items) => items.iter().any(|item| holds(item, letters)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_text_named(name: &str, value: &Value, letters: &str) -> bool {
    let text = value.as_str().unwrap_or_default();
    is_named(name, letters) && !text.trim().is_empty()
}

fn is_named(name: &str, letters: &str) -> bool {
    let found = name.chars().filter(char::is_ascii_alphabetic);
    found.map(|c| c.to_ascii_lowercase()).eq(letters.chars())
}

/// Whether an answer says this at a path, compared as text.
pub fn says(body: &[u8], path: &FieldPath, text: &str) -> bool {
    let document = Document::read(body, path.is_whole()).ok();
    document.is_some_and(|document| document.text(path).as_deref() == Some(text))
}

/// A single value as text: `true`, `3600`, `ok`.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The pairs of a form. What cannot be decoded is left out.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced)
            .decode_utf8()
            .ok()
            .map(Cow::into_owned)
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((decoded(name)?, decoded(value)?)))
        .collect()
}

impl Drop for Document {
    fn drop(&mut self) {
        match self {
            Self::Json(value) => wipe(value),
            Self::Form(pairs) => pairs.iter_mut().for_each(|(_, value)| value.zeroize()),
            Self::Text(text) => text.zeroize(),
        }
    }
}

/// As deep as the parser's own limit on nesting.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8], path: &str) -> Option<String> {
        let path: FieldPath = path.parse().unwrap();
        let document = Document::read(body, path.is_whole()).ok()?;
        document.text(&path).map(Cow::into_owned)
    }

    #[test]
    fn a_body_is_read_by_its_looks() {
        for (body, path, expected) in [
            (&br#"{"t": "a"}"#[..], "t", Some("a")),
            (b"\xef\xbb\xbf \r\n{\"t\": \"a\"}\n", "t", Some("a")),
            (br#"{"t": 7}"#, "t", Some("7")),
            (br#"{"t": true}"#, "t", Some("true")),
            (br#"[{"t": "a"}]"#, "0.t", Some("a")),
            (b"t=a%2Bb+c&u=1", "t", Some("a+b c")),
            (b"u=1&t=", "t", Some("")),
            (b" abc.def \n", "", Some("abc.def")),
            (br#""abc\u002fdef""#, "", Some("abc/def")),
            (br#"{"t": {}}"#, "t", None),
            (br#"{"t": null}"#, "t", None),
            (b"t=%ff", "t", None),
            (b"abc", "t", None),
            (br#""abc""#, "t", None),
        ] {
            let found = text(body, path);
            assert_eq!(
                found.as_deref(),
                expected,
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn what_is_no_answer_says_what_it_is() {
        for (body, expected) in [
            (&b""[..], Odd::Empty),
            (b" \r\n\t", Odd::Empty),
            (b"\xef\xbb\xbf", Odd::Empty),
            (b"{ }", Odd::Empty),
            (b"[]", Odd::Empty),
            (b"<!DOCTYPE html>", Odd::Markup),
            (b"\n <?xml version=\"1.0\"?>", Odd::Markup),
            (b"{\"t\": ", Odd::Unreadable),
            (b"{} {}", Odd::Unreadable),
            (b"\"a", Odd::Unreadable),
            (b"\xff\xfe{\x00", Odd::Unreadable),
        ] {
            let found = Document::read(body, false).err();
            assert_eq!(found, Some(expected), "{}", String::from_utf8_lossy(body));
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            Document::read(deep.as_bytes(), false).err(),
            Some(Odd::Unreadable)
        );
    }

    #[test]
    fn an_empty_member_says_nothing() {
        let read = |body: &str| Document::read(body.as_bytes(), false).ok();
        for body in [
            r#"{"access_token": "a"}"#,
            r#"{"error": null}"#,
            r#"{"error": ""}"#,
            r#"{"error": false}"#,
            r#"{"error": 0}"#,
            r#"{"error": {}}"#,
            r#"{"error": []}"#,
            "error=&t=a",
        ] {
            assert!(
                read(body).is_some_and(|it| it.says("error").is_none()),
                "{body}"
            );
        }
        for body in [
            r#"{"error": "invalid_grant"}"#,
            r#"{"error": {"code": 1}}"#,
            r#"{"error": true}"#,
            r#"{"error": 7}"#,
            "error=bad",
        ] {
            assert!(
                read(body).is_some_and(|it| it.says("error").is_some()),
                "{body}"
            );
        }
    }
}
