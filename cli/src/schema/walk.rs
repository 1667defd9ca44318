//! One walk over an object and its structural schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Map, Value};

use super::message::{NOT_BASE64, choice, empty, one_of, unknown, wrong_type};
use super::{At, Checked, Nulls, Violation, strings};
use crate::position::{item, member};

pub(super) fn check(schema: &Value, nulls: Nulls, object: &mut Value) -> Checked {
    let mut walk = Walk {
        nulls,
        checked: Checked::default(),
    };
    walk.value(schema, object, "");
    walk.checked
}

struct Walk {
    nulls: Nulls,
    checked: Checked,
}

impl Walk {
    fn refuse(&mut self, at: At, field: &str, message: impl Into<String>) {
        self.checked.violations.push(Violation {
            field: field.to_owned(),
            at,
            message: message.into(),
        });
    }

    fn value(&mut self, schema: &Value, value: &mut Value, path: &str) {
        if value.is_null() {
            if let Some(default) = schema.get("default") {
                *value = default.clone();
            } else if flag(schema, "nullable") || self.nulls_are_absent(path) {
                return;
            } else {
                self.checked.misshapen = true;
                return self.refuse(At::Name, path, empty(schema));
            }
        }
        if let Some(message) = wrong_type(schema, value) {
            self.checked.misshapen = true;
            return self.refuse(At::Value, path, message);
        }
        match value {
            Value::Object(members) => self.object(schema, members, path),
            Value::Array(items) => self.array(schema, items, path),
            Value::String(text) => self.text(schema, text, path),
            Value::Number(number) => self.number(schema, number.as_f64(), path),
            Value::Null | Value::Bool(_) => {}
        }
        self.forms(schema, value, path);
    }

    fn nulls_are_absent(&self, path: &str) -> bool {
        self.nulls == Nulls::Absent || path == "metadata" || path.starts_with("metadata.")
    }

    fn object(&mut self, schema: &Value, members: &mut Map<String, Value>, path: &str) {
        let none = Map::new();
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&none);
        for (name, property) in properties {
            if let (Some(default), false) = (property.get("default"), members.contains_key(name)) {
                members.insert(name.clone(), default.clone());
            }
        }
        for required in strings(schema, "required") {
            // One that is null is told about when its turn comes.
            let missing = match (members.get(required), self.nulls) {
                (None, _) | (Some(Value::Null), Nulls::Absent) => true,
                (Some(_), _) => false,
            };
            if missing {
                self.checked.misshapen = true;
                self.refuse(At::Name, &member(path, required), "is required");
            }
        }
        for (name, value) in members.iter_mut() {
            let field = member(path, name);
            if let Some(property) = properties.get(name) {
                self.value(property, value, &field);
            } else if let Some(rest) = schema.get("additionalProperties").filter(|s| s.is_object())
            {
                self.value(rest, value, &field);
            } else if !properties.is_empty() && !open(schema) {
                let known = properties.keys().map(String::as_str);
                self.checked.confused.insert(path.to_owned());
                self.refuse(At::Name, &field, unknown(name, known));
            }
        }
        self.count(schema, "Properties", "entries", members.len(), path);
    }

    fn array(&mut self, schema: &Value, items: &mut [Value], path: &str) {
        self.count(schema, "Items", "items", items.len(), path);
        if let Some(of_items) = schema.get("items") {
            for (index, value) in items.iter_mut().enumerate() {
                self.value(of_items, value, &item(path, index));
            }
        }
        self.unique(schema, items, path);
    }

    /// The items of a map-list have different keys, those of a set differ.
    fn unique(&mut self, schema: &Value, items: &[Value], path: &str) {
        let keys: Vec<&str> = strings(schema, "x-kubernetes-list-map-keys").collect();
        let kind = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
        for (index, value) in items.iter().enumerate() {
            let same = |other: &Value| match kind {
                Some("map") => keys.iter().all(|key| other.get(key) == value.get(key)),
                Some("set") => other == value,
                _ => false,
            };
            if items[..index].iter().any(same) {
                let message = match kind {
                    Some("map") => format!("has the same {} as an item before it", keys.join(", ")),
                    _ => "is in the list twice".to_owned(),
                };
                self.refuse(At::Value, &item(path, index), message);
            }
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        self.count(schema, "Length", "characters", text.chars().count(), path);
        let allowed: Vec<&str> = strings(schema, "enum").collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            self.checked.misshapen = true;
            self.refuse(At::Value, path, one_of(text, &allowed));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            // A pattern that this engine does not know is left to the server.
            if Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
                self.refuse(At::Value, path, format!("must match {pattern}"));
            }
        }
        if schema.get("format").and_then(Value::as_str) == Some("byte")
            && STANDARD.decode(text.replace(['\n', '\r'], "")).is_err()
        {
            self.refuse(At::Value, path, NOT_BASE64);
        }
    }

    fn number(&mut self, schema: &Value, number: Option<f64>, path: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let (Some(number), Some(minimum)) = (number, bound("minimum"))
            && number < minimum
        {
            self.refuse(At::Value, path, format!("must be at least {minimum}"));
        }
        if let (Some(number), Some(maximum)) = (number, bound("maximum"))
            && number > maximum
        {
            self.refuse(At::Value, path, format!("must be at most {maximum}"));
        }
    }

    fn count(&mut self, schema: &Value, suffix: &str, unit: &str, count: usize, path: &str) {
        let bound = |prefix: &str| {
            let bound = schema.get(format!("{prefix}{suffix}"))?.as_u64()?;
            usize::try_from(bound).ok()
        };
        match (bound("min"), bound("max")) {
            (Some(1), _) if count == 0 => self.refuse(At::Value, path, "must not be empty"),
            (Some(minimum), _) if count < minimum => {
                self.refuse(
                    At::Value,
                    path,
                    format!("must have at least {minimum} {unit}"),
                );
            }
            (_, Some(maximum)) if count > maximum => {
                self.refuse(
                    At::Value,
                    path,
                    format!("must have at most {maximum} {unit}"),
                );
            }
            _ => {}
        }
    }

    /// `oneOf`, `anyOf`, `allOf` and `not`, which in a structural schema hold
    /// conditions only.
    fn forms(&mut self, schema: &Value, value: &Value, path: &str) {
        let forms = |name: &str| schema.get(name).and_then(Value::as_array);
        if let Some(forms) = forms("oneOf")
            && matching(forms, value) != 1
        {
            self.refuse(At::Name, path, choice("exactly one", forms));
        }
        if let Some(forms) = forms("anyOf")
            && matching(forms, value) == 0
        {
            self.refuse(At::Name, path, choice("at least one", forms));
        }
        if let Some(forms) = forms("allOf") {
            for form in forms {
                self.value(form, &mut value.clone(), path);
            }
        }
        if schema.get("not").is_some_and(|form| accepts(form, value)) {
            self.refuse(At::Value, path, "has a form that is not allowed");
        }
    }
}

fn matching(forms: &[Value], value: &Value) -> usize {
    forms.iter().filter(|form| accepts(form, value)).count()
}

/// Whether a value meets a condition. A condition does not say which fields
/// there may be, so that a field it does not name is no matter.
fn accepts(form: &Value, value: &Value) -> bool {
    let mut form = form.clone();
    form["x-kubernetes-preserve-unknown-fields"] = Value::Bool(true);
    check(&form, Nulls::Refused, &mut value.clone())
        .violations
        .is_empty()
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn open(schema: &Value) -> bool {
    flag(schema, "x-kubernetes-preserve-unknown-fields") || flag(schema, "additionalProperties")
}
