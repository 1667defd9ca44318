use std::time::Duration;

use credence_core::collection::{AccountSettings, Subject};

use super::*;

fn exchanging(members: &Value) -> Value {
    let mut method = json!({"token": {"url": URL}});
    let members = members.as_object().unwrap().clone();
    method.as_object_mut().unwrap().extend(members);
    json!({"baseUrl": "https://api.example.com", "auth": {"tokenExchange": method}})
}

fn account(members: &Value) -> Value {
    let mut account = json!({"name": "reporter", "audience": "https://sts.example.com"});
    let members = members.as_object().unwrap().clone();
    account.as_object_mut().unwrap().extend(members);
    exchanging(&json!({"serviceAccountToken": account}))
}

fn subject(spec: &Value) -> (Subject, String) {
    let Flow::TokenExchange {
        subject,
        subject_token_type,
    } = read(spec).flow
    else {
        panic!("{spec}");
    };
    (subject, subject_token_type)
}

#[test]
fn a_token_that_is_exchanged_comes_from_the_secret_and_has_a_type() {
    let (token, kind) = subject(&exchanging(&json!({"subjectToken": "${secret.t}"})));
    assert!(matches!(token, Subject::Held(token) if token.as_str() == "${secret.t}"));
    assert_eq!(kind, "urn:ietf:params:oauth:token-type:access_token");
    let mut spec = exchanging(&json!({"subjectToken": "literal", "subjectTokenType": "jwt"}));
    spec["auth"]["tokenExchange"]["token"]["params"] = json!({"subject_token": "x"});
    assert_eq!(
        problems(&spec),
        [
            "spec.auth.tokenExchange.subjectToken: must come from the Secret, such as \"${secret.subject-token}\"",
            "spec.auth.tokenExchange.subjectTokenType: must be a URI, such as urn:ietf:params:oauth:token-type:jwt",
            "spec.auth.tokenExchange.token.params.subject_token: is set by the method already: remove one of the two",
        ]
    );
}

#[test]
fn a_token_of_a_service_account_is_a_jwt_of_an_hour() {
    let (token, kind) = subject(&account(&json!({})));
    let expected = AccountSettings {
        name: "reporter".to_owned(),
        audience: "https://sts.example.com".to_owned(),
        lifetime: Duration::from_secs(3600),
    };
    assert!(matches!(token, Subject::ServiceAccount(settings) if settings == expected));
    assert_eq!(kind, "urn:ietf:params:oauth:token-type:jwt");
    let (token, _) = subject(&account(&json!({"expirationSeconds": 600})));
    let Subject::ServiceAccount(settings) = token else {
        panic!("{token:?}");
    };
    assert_eq!(settings.lifetime, Duration::from_secs(600));
}

#[test]
fn one_token_is_exchanged_and_not_two() {
    let both = exchanging(&json!({
        "subjectToken": "${secret.t}",
        "serviceAccountToken": {"name": "reporter", "audience": "https://sts.example.com"},
    }));
    for spec in [both, exchanging(&json!({}))] {
        assert_eq!(
            problems(&spec),
            [
                "spec.auth.tokenExchange: takes exactly one of subjectToken, such as \"${secret.subject-token}\", and serviceAccountToken"
            ]
        );
    }
}

#[test]
fn a_service_accounts_token_is_for_somebody_else_and_not_for_ever() {
    for (member, value, expected) in [
        (
            "audience",
            json!("credence"),
            "audience: must not be credence, which is that of the feed: write the one that the provider demands",
        ),
        (
            "audience",
            json!(""),
            "audience: must be one word, without white space: what the provider demands of the claim aud",
        ),
        (
            "audience",
            json!("a\nb"),
            "audience: must be one word, without white space: what the provider demands of the claim aud",
        ),
        (
            "expirationSeconds",
            json!(599),
            "expirationSeconds: must be from 600 to 86400",
        ),
        (
            "expirationSeconds",
            json!(-1),
            "expirationSeconds: must be from 600 to 86400",
        ),
    ] {
        assert_eq!(
            problems(&account(&json!({member: value}))),
            [format!(
                "spec.auth.tokenExchange.serviceAccountToken.{expected}"
            )]
        );
    }
    let mut spec = account(&json!({}));
    spec["auth"]["tokenExchange"]["token"]["bodyFormat"] = json!("Json");
    spec["auth"]["tokenExchange"]["token"]["body"] = json!("{}");
    assert_eq!(
        problems(&spec),
        [
            "spec.auth.tokenExchange.token.body: cannot be written beside serviceAccountToken, which is sent as the field subject_token: write params instead"
        ]
    );
}
