//! JSON as a person would set it: what fits stands on one line.

use serde_json::Value;

const WIDTH: usize = 100;

/// The text of a golden file.
pub(crate) fn layout(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// `taken` are the columns that stand before the value on its line.
fn write(value: &Value, indent: usize, taken: usize, text: &mut String) {
    let flat = flat(value);
    let (open, members, close): (_, Vec<(String, &Value)>, _) = match value {
        Value::Object(object) => {
            let named = |(name, value)| (format!("{}: ", Value::from(name)), value);
            let members = object.iter().map(|(name, value)| (name.as_str(), value));
            ('{', members.map(named).collect(), '}')
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| (String::new(), item));
            ('[', items.collect(), ']')
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return text.push_str(&flat);
        }
    };
    if taken + flat.chars().count() <= WIDTH {
        return text.push_str(&flat);
    }
    text.push(open);
    for (index, (name, member)) in members.iter().enumerate() {
        let start = format!("\n{:indent$}{name}", "", indent = indent + 2);
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str(&start);
        write(member, indent + 2, start.chars().count(), text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn flat(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Object(object) => {
            let members = object.iter();
            let member = |(name, value)| format!("{}: {}", Value::from(name), flat(value));
            let members = members.map(|(name, value)| (name.as_str(), value));
            format!("{{{}}}", list(members.map(member).collect()))
        }
        Value::Array(items) => format!("[{}]", list(items.iter().map(flat).collect())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[test]
fn what_fits_stands_on_one_line_and_means_the_same() {
    let short = serde_json::json!({"a": [1, null, "b\n"], "c": {}});
    assert_eq!(layout(&short), "{\"a\": [1, null, \"b\\n\"], \"c\": {}}\n");
    let long = serde_json::json!({"a": ["x".repeat(60), "y".repeat(60)], "b": true});
    let text = layout(&long);
    assert_eq!(text.lines().count(), 7);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), long);
}
