//! What is known late, and what is looked up in two places.

use super::*;

#[test]
fn json_is_json_whatever_its_variables_stand_for() {
    for (text, expected) in [
        (r#"{"a": "${secret.a}", "n": ${values.n}}"#, true),
        (r#"["x${uuid}y", {"<id>": <n>}]"#, true),
        (r#""${secret.a}""#, true),
        ("${secret.a}", true),
        (r#"{"n": 1${values.n}}"#, false),
        (r#"{${values.k}: 1}"#, false),
        (r#"{"a": "${secret.a}}"#, false),
        ("a=${secret.a}", false),
        ("", false),
    ] {
        let template = Template::parse_with_aliases(text).unwrap();
        assert_eq!(template.is_json(), expected, "{text}");
    }
}

#[test]
fn aliases_are_keys_where_no_value_has_their_name() {
    let template = Template::parse_with_aliases("<a> <b> ${secret.c}").unwrap();
    let values = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    assert_eq!(Vec::from_iter(template.secret_keys(&values)), ["b", "c"]);
    let text = Template::parse("<a>").unwrap();
    assert_eq!(text.as_literal().as_deref(), Some("<a>"));
}

#[test]
fn a_token_and_its_fields_are_known_late() {
    let template = Template::parse("${token} ${token.realm-id} ${tokens}").unwrap_err();
    assert!(template.to_string().contains("unknown variable \"tokens\""));
    assert_eq!(
        rendered("Bearer ${token} ${token.realm}"),
        "varying: Bearer ${token} ${token.realm}"
    );
    assert!(error("${token.}").contains("cannot be a key"));
}
