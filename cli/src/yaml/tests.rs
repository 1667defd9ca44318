use serde_json::json;

use super::*;

fn one(text: &str) -> Document {
    let (mut documents, faults) = parse(text);
    assert_eq!(faults, []);
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

#[test]
fn every_field_has_the_position_of_its_name_and_its_value() {
    let document = one(concat!(
        "kind: ApiCollection\n",
        "spec:\n",
        "  auth:\n",
        "    apiKey: {in: Header, name: X}\n",
        "  headers:\n",
        "  - name: a\n",
        "    value: \"1\"\n",
    ));
    assert_eq!(
        document.value,
        json!({"kind": "ApiCollection", "spec": {
            "auth": {"apiKey": {"in": "Header", "name": "X"}},
            "headers": [{"name": "a", "value": "1"}],
        }})
    );
    let positions = &document.positions;
    assert_eq!(positions.of_key("spec.auth.apiKey.in"), at(4, 14));
    assert_eq!(positions.of_value("spec.auth.apiKey.in"), at(4, 18));
    assert_eq!(positions.of_value("spec.auth.apiKey"), at(4, 5));
    assert_eq!(positions.of_value("spec.auth.apiKey.value"), at(4, 5));
    assert_eq!(positions.of_value("spec.headers[0].value"), at(7, 12));
    assert_eq!(positions.of_value("spec.headers[0].onConflict"), at(6, 5));
    assert_eq!(positions.of_value("metadata.name"), at(1, 1));
}

#[test]
fn a_file_may_hold_many_documents_and_empty_ones() {
    let (documents, faults) = parse("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");
    assert_eq!(faults, []);
    let values: Vec<_> = documents.iter().map(|d| d.value.clone()).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(documents[1].positions.of_key("b"), at(7, 1));
}

#[test]
fn json_is_read_too() {
    let document = one("{\n\t\"a\": [1, {\"b\": null}],\n\t\"url\": \"http:\\/\\/x\"\n}\n");
    assert_eq!(
        document.value,
        json!({"a": [1, {"b": null}], "url": "http://x"})
    );
    assert_eq!(document.positions.of_key("a[1].b"), at(2, 12));
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let document = one("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n");
    assert_eq!(document.value, json!({"a": 1, "b": "x\ny\n"}));
    assert_eq!(document.positions.of_key("b"), at(2, 1));
}

#[test]
fn a_syntax_error_has_its_line_and_column() {
    let (documents, faults) = parse("a: 1\n---\nb: [1, 2\nc: 3\n");
    assert_eq!(documents.len(), 1);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].message.starts_with("not YAML: "), "{faults:?}");
    assert!(faults[0].position.line >= 3, "{faults:?}");
}

#[test]
fn a_key_given_twice_is_a_fault() {
    let (_, faults) = parse("spec:\n  a: 1\n  a: {b: 2}\n");
    assert_eq!(faults, [fault(at(3, 3), "spec.a", "is given twice")]);
}

#[test]
fn aliases_and_merges_are_expanded() {
    let document = one("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nsame: *b\n");
    assert_eq!(document.value["use"], json!({"x": 1, "y": 3}));
    assert_eq!(document.value["same"], json!({"x": 1, "y": 2}));
    assert_eq!(document.positions.of_value("same.x"), at(5, 7));
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let line = format!(
            "a{n}: &a{n} [{}]\n",
            vec![format!("*a{}", n - 1); 10].join(", ")
        );
        text.push_str(&line);
    }
    let (_, faults) = parse(&text);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].message.contains("200000"), "{faults:?}");
}

#[test]
fn what_json_cannot_say_is_a_fault() {
    let (_, faults) = parse("a: .inf\nb: !!binary eA==\n? [1]\n: 2\n");
    let lines: Vec<_> = faults.iter().map(|f| f.position.line).collect();
    assert_eq!(lines, [1, 2, 3]);
}

#[test]
fn depth_is_bounded() {
    let (_, faults) = parse(&"[".repeat(100_000));
    assert_eq!(faults.len(), 1);
}
