//! What a violation says: what must be written, never what was.

use credence_core::closest::closest;
use serde_json::Value;

use super::strings;

/// Of a value of a Secret's `data`.
pub(crate) const NOT_BASE64: &str =
    "is not base64: encode it, or put the text itself under stringData";

fn kind(schema: &Value) -> &str {
    schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let expected = kind(schema);
    let given = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let fits = match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    if fits {
        return None;
    }
    let quotes = if expected == "string" && (value.is_boolean() || value.is_number()) {
        ": put it in quotes"
    } else {
        ""
    };
    Some(format!("must be {}, not {given}{quotes}", noun(expected)))
}

fn noun(kind: &str) -> &str {
    match kind {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

pub(super) fn empty(schema: &Value) -> String {
    match kind(schema) {
        "object" => "has no value: write {} or fill it in, or leave the field out".to_owned(),
        kind => format!(
            "has no value: it must be {}, or leave the field out",
            noun(kind)
        ),
    }
}

pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match closest(name, known) {
        Some(meant) => format!("unknown field \"{name}\": did you mean \"{meant}\"?"),
        None => format!("unknown field \"{name}\""),
    }
}

pub(super) fn one_of(text: &str, allowed: &[&str]) -> String {
    let quoted: Vec<String> = allowed.iter().map(|word| format!("\"{word}\"")).collect();
    let list = quoted.join(", ");
    match closest(text, allowed.iter().copied()) {
        Some(meant) => format!("must be one of {list}: did you mean \"{meant}\"?"),
        None => format!("must be one of {list}"),
    }
}

/// Forms that each require one field are the fields' names to a reader.
pub(super) fn choice(how_many: &str, forms: &[Value]) -> String {
    let fields: Vec<&str> = forms
        .iter()
        .filter_map(|form| strings(form, "required").next())
        .collect();
    if fields.len() == forms.len() {
        format!("must have {how_many} of {}", fields.join(", "))
    } else {
        format!("must fit {how_many} of the forms that its schema allows")
    }
}
