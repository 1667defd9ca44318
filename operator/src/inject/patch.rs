//! A JSON Patch (RFC 6902) that removes nothing: it adds, and it moves what is
//! ours.

use serde::Serialize;
use serde_json::{Map, Value};

/// Operations in the order in which they apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(Vec<Operation>);

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation {
    Add { path: Pointer, value: Value },
    Move { from: Pointer, path: Pointer },
}

/// A JSON Pointer (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Pointer(String);

impl Pointer {
    /// From the top of the object through these members.
    pub(super) fn to(members: &[&str]) -> Self {
        let root = Self::default();
        members.iter().fold(root, |at, member| at.child(member))
    }

    /// One step further; `~` and `/` are escaped (RFC 6901 §3).
    pub(super) fn child(&self, token: &str) -> Self {
        let escaped = token.replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{escaped}", self.0))
    }
}

impl Patch {
    /// Sets members of the object at `at`, which is made if it is `absent`.
    pub(super) fn set(&mut self, at: &Pointer, absent: bool, members: Map<String, Value>) {
        if absent && !members.is_empty() {
            self.add(at.clone(), Value::Object(members));
        } else {
            for (name, value) in members {
                self.add(at.child(&name), value);
            }
        }
    }

    /// Inserts elements before `index` of the array at `at`, which is made if
    /// there is none.
    pub(super) fn insert(
        &mut self,
        at: &Pointer,
        length: Option<usize>,
        index: usize,
        elements: Vec<Value>,
    ) {
        match length {
            None => self.add(at.clone(), Value::Array(elements)),
            Some(length) if index >= length => {
                for element in elements {
                    self.add(at.child("-"), element);
                }
            }
            Some(_) => {
                for (offset, element) in elements.into_iter().enumerate() {
                    self.add(at.child(&(index + offset).to_string()), element);
                }
            }
        }
    }

    /// Moves an element of the array at `at` to where `to` is once it is taken
    /// out (RFC 6902 §4.4).
    pub(super) fn rearrange(&mut self, at: &Pointer, from: usize, to: usize) {
        self.0.push(Operation::Move {
            from: at.child(&from.to_string()),
            path: at.child(&to.to_string()),
        });
    }

    /// Sets the member at `path`, whose object is there.
    pub(super) fn put(&mut self, path: Pointer, value: Value) {
        self.add(path, value);
    }

    /// Whether it leaves everything as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, path: Pointer, value: Value) {
        self.0.push(Operation::Add { path, value });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operations(patch: &Patch) -> Value {
        serde_json::to_value(patch).unwrap()
    }

    #[test]
    fn slash_and_tilde_are_escaped_in_the_right_order() {
        assert_eq!(
            Pointer::to(&["a", "b/c", "d~e", "~1"]),
            Pointer("/a/b~1c/d~0e/~01".to_owned())
        );
    }

    #[test]
    fn members_are_set_one_by_one_where_the_object_exists_and_together_where_not() {
        let at = Pointer::to(&["metadata", "labels"]);
        let members = || Map::from_iter([("a/b".to_owned(), json!("1"))]);
        let mut patch = Patch::default();
        patch.set(&at, false, members());
        patch.set(&at, true, members());
        assert_eq!(
            operations(&patch),
            json!([
                {"op": "add", "path": "/metadata/labels/a~1b", "value": "1"},
                {"op": "add", "path": "/metadata/labels", "value": {"a/b": "1"}},
            ])
        );
    }

    #[test]
    fn elements_keep_their_order_wherever_they_are_inserted() {
        let at = Pointer::to(&["l"]);
        let two = || vec![json!("x"), json!("y")];
        let mut patch = Patch::default();
        patch.insert(&at, None, 0, two());
        patch.insert(&at, Some(3), 1, two());
        patch.insert(&at, Some(3), 3, two());
        assert_eq!(
            operations(&patch),
            json!([
                {"op": "add", "path": "/l", "value": ["x", "y"]},
                {"op": "add", "path": "/l/1", "value": "x"},
                {"op": "add", "path": "/l/2", "value": "y"},
                {"op": "add", "path": "/l/-", "value": "x"},
                {"op": "add", "path": "/l/-", "value": "y"},
            ])
        );
    }
}
