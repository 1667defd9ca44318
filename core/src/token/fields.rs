//! The fields of a token request, written in every format.

use std::convert::Infallible;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::collection::FieldValue;
use crate::percent::{FORM, UNRESERVED};
use crate::template::{LateText, LateValues, NoValueYet, concatenated, json_string};

/// A field with its name.
pub(crate) type Rendered<'a> = (&'a str, FieldValue<Zeroizing<String>>);

/// Fields with their late values in them.
///
/// # Errors
/// [`NoValueYet`].
pub(crate) fn rendered<'a>(
    fields: &'a [(String, FieldValue<LateText>)],
    values: &LateValues<'_>,
) -> Result<Vec<Rendered<'a>>, NoValueYet> {
    let fields = fields.iter().map(|(name, value)| {
        let value = value.map("", &mut |_, text| text.render(values))?;
        Ok((name.as_str(), value))
    });
    fields.collect()
}

/// What fields will be like, as JSON, since that can hold every field.
pub(crate) fn sample(fields: &[(String, FieldValue<LateText>)]) -> Zeroizing<String> {
    let sampled = fields.iter().map(|(name, value)| {
        let mut sample = |_: &str, text: &LateText| Ok(text.sample());
        let value = value.map::<_, Infallible>("", &mut sample);
        value.map(|value| (name.as_str(), value))
    });
    let Ok(sampled) = sampled.collect::<Result<Vec<_>, _>>();
    json(&sampled)
}

/// As `application/x-www-form-urlencoded` writes a text (RFC 6749 Appendix B).
pub(crate) fn form_encoded(text: &str) -> Zeroizing<String> {
    // Room for all at once: growing would leave copies behind.
    let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            encoded.push('+');
        }
        encoded.extend(utf8_percent_encode(word, FORM));
    }
    encoded
}

/// `a=1&b=2`, for a body.
pub(super) fn form(fields: &[Rendered<'_>]) -> Zeroizing<String> {
    pairs(fields, form_encoded)
}

/// The URL with the fields at the end of its query.
pub(super) fn in_url(url: &str, fields: &[Rendered<'_>]) -> Zeroizing<String> {
    // A fragment stays where it is: it is refused later.
    let separator = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let encoded = |text: &str| {
        let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
        encoded.extend(utf8_percent_encode(text, UNRESERVED));
        encoded
    };
    concatenated(&[owned(url), owned(separator), pairs(fields, encoded)])
}

/// `{"a":"1","b":2}`.
pub(crate) fn json(fields: &[Rendered<'_>]) -> Zeroizing<String> {
    let mut parts = Vec::new();
    object(
        fields.iter().map(|(name, value)| (*name, value)),
        &mut parts,
    );
    concatenated(&parts)
}

fn pairs(
    fields: &[Rendered<'_>],
    encoded: impl Fn(&str) -> Zeroizing<String>,
) -> Zeroizing<String> {
    let mut parts = Vec::with_capacity(fields.len() * 4);
    for (name, value) in fields {
        if !parts.is_empty() {
            parts.push(owned("&"));
        }
        parts.push(encoded(name));
        parts.push(owned("="));
        match value {
            FieldValue::Text(text) => parts.push(encoded(text)),
            FieldValue::Literal(literal) => parts.push(encoded(literal.as_str())),
            // No manifest has them here; as JSON they are at least not lost.
            FieldValue::List(_) | FieldValue::Object(_) => {
                let mut nested = Vec::new();
                write(value, &mut nested);
                parts.push(encoded(&concatenated(&nested)));
            }
        }
    }
    concatenated(&parts)
}

fn write(value: &FieldValue<Zeroizing<String>>, parts: &mut Vec<Zeroizing<String>>) {
    match value {
        FieldValue::Text(text) => quoted(text, parts),
        FieldValue::Literal(literal) => parts.push(owned(literal.as_str())),
        FieldValue::List(values) => {
            parts.push(owned("["));
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    parts.push(owned(","));
                }
                write(value, parts);
            }
            parts.push(owned("]"));
        }
        FieldValue::Object(members) => {
            object(
                members.iter().map(|(name, value)| (name.as_str(), value)),
                parts,
            );
        }
    }
}

fn object<'a>(
    members: impl Iterator<Item = (&'a str, &'a FieldValue<Zeroizing<String>>)>,
    parts: &mut Vec<Zeroizing<String>>,
) {
    parts.push(owned("{"));
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            parts.push(owned(","));
        }
        quoted(name, parts);
        parts.push(owned(":"));
        write(value, parts);
    }
    parts.push(owned("}"));
}

fn quoted(text: &str, parts: &mut Vec<Zeroizing<String>>) {
    parts.extend([owned("\""), json_string(text), owned("\"")]);
}

fn owned(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Literal;

    fn text(text: &str) -> FieldValue<Zeroizing<String>> {
        FieldValue::Text(owned(text))
    }

    fn fields() -> Vec<Rendered<'static>> {
        vec![
            ("grant_type", text("password")),
            ("a b", text("x&y=\u{e9} \"+\"")),
            ("n", FieldValue::Literal(Literal::of(&7.into()).unwrap())),
        ]
    }

    #[test]
    fn a_form_is_written_as_the_html_standard_has_it() {
        assert_eq!(
            *form(&fields()),
            "grant_type=password&a+b=x%26y%3D%C3%A9+%22%2B%22&n=7"
        );
    }

    #[test]
    fn a_query_has_no_plus_for_a_space() {
        let query = "grant_type=password&a%20b=x%26y%3D%C3%A9%20%22%2B%22&n=7";
        for (url, expected) in [
            ("https://a.test/t", format!("https://a.test/t?{query}")),
            ("https://a.test/t?", format!("https://a.test/t?{query}")),
            (
                "https://a.test/t?k=v",
                format!("https://a.test/t?k=v&{query}"),
            ),
        ] {
            assert_eq!(*in_url(url, &fields()), expected);
        }
    }

    #[test]
    fn json_is_nested_as_deep_as_the_manifest_has_it() {
        let mut fields = fields();
        let name = ("name".to_owned(), text("\n"));
        fields.push((
            "credentials",
            FieldValue::Object(vec![
                ("site".to_owned(), FieldValue::Object(vec![name])),
                ("l".to_owned(), FieldValue::List(vec![text("1"), text("2")])),
            ]),
        ));
        assert_eq!(
            *json(&fields),
            r#"{"grant_type":"password","a b":"x&y=é \"+\"","n":7,"credentials":{"site":{"name":"\n"},"l":["1","2"]}}"#
        );
        assert_eq!(*json(&[]), "{}");
    }
}
