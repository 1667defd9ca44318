//! The call that shows whether a credential works.

use credence_core::call::SafeMethod;

use super::*;

fn verifying(verification: &Value) -> Value {
    json!({"baseUrl": "https://api.test", "verification": verification})
}

#[test]
fn a_verification_is_a_get_once_an_hour_unless_it_says_otherwise() {
    let usual = collection(&verifying(&json!({"path": "/models"})));
    let usual = usual.verification.unwrap();
    assert_eq!(usual.method, SafeMethod::Get);
    assert_eq!(usual.target.to_string(), "/models");
    assert_eq!(usual.expected, BTreeSet::from([200]));
    assert_eq!(usual.interval, Duration::from_mins(60));
    let own = collection(&verifying(&json!({
        "method": "HEAD",
        "path": "/a?b=c",
        "expectStatus": [204, 404],
        "intervalMinutes": 5,
    })));
    let own = own.verification.unwrap();
    assert_eq!(own.method, SafeMethod::Head);
    assert_eq!(own.target.query(), Some("b=c"));
    assert_eq!(own.expected, BTreeSet::from([204, 404]));
    assert_eq!(own.interval, Duration::from_mins(5));
    let base = collection(&verifying(&json!({}))).verification.unwrap();
    assert_eq!(base.target.to_string(), "");
}

#[test]
fn without_a_word_on_it_nothing_is_called() {
    let collection = collection(&json!({"baseUrl": "https://api.test"}));
    assert_eq!(collection.verification, None);
}

#[test]
fn no_method_that_changes_something_can_be_written() {
    for method in ["POST", "DELETE", "get", "OPTIONS"] {
        let object = json!({
            "apiVersion": "credence.dev/v1alpha1",
            "kind": "ApiCollection",
            "metadata": {"name": "openai"},
            "spec": verifying(&json!({"method": method})),
        });
        let read = serde_json::from_value::<ApiCollection>(object);
        assert!(read.is_err(), "{method}");
    }
}

#[test]
fn what_is_wrong_with_a_verification_is_said_all_at_once() {
    let problems = problems(&json!({
        "baseUrl": "https://api.test",
        "auth": {"apiKey": {"in": "Body", "name": "token", "value": "${secret.key}"}},
        "verification": {"path": "models", "expectStatus": [0], "intervalMinutes": 0},
    }));
    let fields: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.split_once(' '))
        .map(|(field, _)| field.trim_end_matches(':'))
        .collect();
    let expected = [
        "spec.verification.path",
        "spec.verification.expectStatus",
        "spec.verification.intervalMinutes",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_key_in_the_body_cannot_be_verified_by_a_call_without_one() {
    let problems = problems(&json!({
        "baseUrl": "https://api.test",
        "auth": {"apiKey": {"in": "Body", "name": "token", "value": "${secret.key}"}},
        "verification": {"path": "/models"},
    }));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("spec.verification"), "{problems:?}");
}
