use super::*;

fn exchanging(members: Value) -> Value {
    let mut method = json!({"token": {"url": "https://sts.example.com/token"}});
    let Value::Object(members) = members else {
        panic!("{members}");
    };
    method.as_object_mut().unwrap().extend(members);
    json!({"auth": {"tokenExchange": method}})
}

fn account(audience: &str) -> Value {
    json!({"name": "reporter", "audience": audience})
}

#[test]
fn exactly_one_token_is_exchanged() {
    for good in [
        json!({"subjectToken": "${secret.t}"}),
        json!({"serviceAccountToken": account("//iam.example.com/projects/1")}),
        json!({"serviceAccountToken": account("credence.example.com")}),
    ] {
        assert_eq!(broken(&exchanging(good)), Vec::<String>::new());
    }
    let expected = "spec.auth.tokenExchange: tokenExchange takes exactly one of subjectToken, such as \
                    \"${secret.subject-token}\", and serviceAccountToken";
    let both = json!({"subjectToken": "${secret.t}", "serviceAccountToken": account("a")});
    for bad in [json!({}), both] {
        assert_eq!(broken(&exchanging(bad)), [expected]);
    }
}

#[test]
fn a_service_accounts_token_is_never_for_the_feed() {
    let at = "spec.auth.tokenExchange.serviceAccountToken.audience";
    for (audience, expected) in [
        (
            "credence",
            "audience must not be credence, which is that of the feed: write the one that the provider demands",
        ),
        (
            "a b",
            "audience must be one word, without white space: what the provider demands of the claim aud",
        ),
        (
            "a\n",
            "audience must be one word, without white space: what the provider demands of the claim aud",
        ),
    ] {
        let spec = exchanging(json!({"serviceAccountToken": account(audience)}));
        assert_eq!(broken(&spec), [format!("{at}: {expected}")]);
    }
}

#[test]
fn a_service_accounts_token_is_a_field_and_not_in_a_body() {
    let mut spec = exchanging(json!({"serviceAccountToken": account("a")}));
    spec["auth"]["tokenExchange"]["token"]["body"] = json!("{}");
    spec["auth"]["tokenExchange"]["token"]["bodyFormat"] = json!("Json");
    let expected = "spec.auth.tokenExchange.token.body: token.body cannot be written beside serviceAccountToken, \
                    which is sent as the field subject_token: write params instead";
    assert_eq!(broken(&spec), [expected]);
}
