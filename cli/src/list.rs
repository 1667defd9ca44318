//! `kind: List`, as `kubectl get -o yaml` prints several objects.

use serde_json::Value;

use crate::position::item;
use crate::yaml::Document;

/// The items of a list, each where it stands in the file; of any other document
/// the document itself.
pub(crate) fn expand(document: Document) -> Vec<Document> {
    let is =
        |field: &str, text: &str| document.value.get(field).and_then(Value::as_str) == Some(text);
    if !is("apiVersion", "v1") || !is("kind", "List") {
        return vec![document];
    }
    let Document {
        mut value,
        positions,
    } = document;
    let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
        return Vec::new();
    };
    let items = items.into_iter().enumerate();
    items
        .map(|(index, value)| Document {
            value,
            positions: positions.below(&item("items", index)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;
    use crate::yaml;

    #[test]
    fn items_stand_where_they_are_written() {
        let text =
            "apiVersion: v1\nkind: List\nitems:\n- kind: A\n  data: {tls.crt: x}\n- kind: B\n";
        let (documents, _) = yaml::parse(text);
        let items: Vec<Document> = documents.into_iter().flat_map(expand).collect();
        let kinds: Vec<&Value> = items.iter().map(|item| &item.value["kind"]).collect();
        assert_eq!(kinds, ["A", "B"]);
        let at = |line, column| Position { line, column };
        assert_eq!(items[0].positions.of_value("data[tls.crt]"), at(5, 19));
        assert_eq!(items[0].positions.of_key("data"), at(5, 3));
        assert_eq!(items[1].positions.of_value("kind"), at(6, 9));
        assert_eq!(items[1].positions.of_key("missing"), at(6, 3));
    }

    #[test]
    fn everything_else_stays_what_it_is() {
        for text in [
            "kind: List\n",
            "apiVersion: v1\nkind: Secret\nitems: [{a: 1}]\n",
        ] {
            let (documents, _) = yaml::parse(text);
            let before = documents[0].value.clone();
            let after: Vec<Document> = documents.into_iter().flat_map(expand).collect();
            assert_eq!((after.len(), &after[0].value), (1, &before));
        }
        let (documents, _) = yaml::parse("apiVersion: v1\nkind: List\n");
        assert_eq!(documents.into_iter().flat_map(expand).count(), 0);
    }
}
