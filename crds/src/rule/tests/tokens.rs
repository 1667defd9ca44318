//! Methods that obtain a token.

use super::*;

fn token(method: &str, of_method: Value, of_token: Value) -> Value {
    let mut token = json!({"url": "https://auth.example.com/token"});
    let merge = |into: &mut Value, other: Value| {
        let Value::Object(other) = other else {
            panic!("{other}");
        };
        into.as_object_mut().unwrap().extend(other);
    };
    merge(&mut token, of_token);
    let mut block = json!({"token": token});
    merge(&mut block, of_method);
    json!({"auth": {method: block}})
}

fn custom(of_token: Value) -> Value {
    token("oauth2CustomToken", json!({}), of_token)
}

#[test]
fn good_tokens_break_no_rule() {
    for spec in [
        token("oauth2Password", json!({}), json!({})),
        token("oauth2RefreshToken", json!({}), json!({})),
        custom(json!({"client": {"id": "a", "secret": "${secret.client-secret}"}})),
        custom(json!({"url": "${values.auth}/token", "body": "{}"})),
        custom(json!({"bodyFormat": "Raw", "body": "<a/>"})),
        custom(json!({"params": {"a": {"b": [1, true, null, "${secret.k}"]}}})),
        custom(json!({"placement": {"in": "None"}})),
        custom(json!({"placement": {"name": "X-Token"}})),
        token(
            "tokenExchange",
            json!({"subjectToken": "${secret.t}"}),
            json!({}),
        ),
        token(
            "jwtBearer",
            json!({"jwt": {"key": "${secret.k}"}}),
            json!({}),
        ),
        custom(
            json!({"client": {"id": "a", "authentication": "PrivateKeyJwt", "assertion": {"key": "${secret.k#/x}", "algorithm": "EdDSA"}}}),
        ),
        json!({"auth": {"signedJwt": {"jwt": {"key": "${secret.k}", "claims": {"scope": ["a", {"b": null}]}}}}}),
    ] {
        assert_eq!(broken(&spec), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn a_literal_secret_of_a_token_request_is_refused() {
    let literal = |value: &str| {
        [
            (
                custom(json!({"client": {"id": "a", "secret": value}})),
                "oauth2CustomToken.token.client.secret: secret",
                "client-secret",
                "secret",
            ),
            (
                token("jwtBearer", json!({"jwt": {"key": value}}), json!({})),
                "jwtBearer.jwt.key: key",
                "private-key",
                "key",
            ),
            (
                custom(json!({"client": {"id": "a", "assertion": {"key": value}}})),
                "oauth2CustomToken.token.client.assertion.key: key",
                "private-key",
                "key",
            ),
            (
                token("tokenExchange", json!({"subjectToken": value}), json!({})),
                "tokenExchange.subjectToken: subjectToken",
                "subject-token",
                "token",
            ),
            (
                token("oauth2Password", json!({"password": value}), json!({})),
                "oauth2Password.password: password",
                "password",
                "password",
            ),
            (
                token(
                    "oauth2RefreshToken",
                    json!({"refreshToken": value}),
                    json!({}),
                ),
                "oauth2RefreshToken.refreshToken: refreshToken",
                "refresh-token",
                "token",
            ),
        ]
    };
    for value in ["s3cret", "$${secret.k}", "${values.k}"] {
        for (spec, member, key, noun) in literal(value) {
            let expected = format!(
                "spec.auth.{member} must come from the Secret, such as \"${{secret.{key}}}\": \
                 whoever may read this object could read a {noun} that is written here"
            );
            assert_eq!(broken(&spec), [expected], "{value}");
        }
    }
}

#[test]
fn a_token_request_says_what_it_needs() {
    let of = "spec.auth.oauth2CustomToken.token";
    for (members, expected) in [
        (
            json!({"url": "ftp://auth.example.com"}),
            format!(
                "{of}.url: url must begin with https:// (or with http://, where allowInsecureHttp is set)"
            ),
        ),
        (
            json!({"bodyFormat": "Form", "body": "a=b"}),
            format!(
                "{of}.body: body is used only with bodyFormat: Json or Raw: write one of them, or params instead of body"
            ),
        ),
        (
            json!({"bodyFormat": "Raw"}),
            format!("{of}.body: body is required by bodyFormat: Raw: write the whole body"),
        ),
        (
            json!({"placement": {"in": "Cookie"}}),
            format!(
                "{of}.placement.name: name is required: write the name of the query parameter or cookie"
            ),
        ),
        (
            json!({"placement": {"in": "None", "prefix": "x"}}),
            format!(
                "{of}.placement.name: name and prefix are not used for None: remove them, and write ${{token}} into headers or query"
            ),
        ),
        (
            json!({"headers": [{"name": "Connection", "value": ""}]}),
            format!("{of}.headers[0].name: {RESERVED_NAME}"),
        ),
    ] {
        assert_eq!(broken(&custom(members)), [expected]);
    }
    let jwt = json!({"key": "${secret.k}", "lifetimeSeconds": 60});
    assert_eq!(
        broken(&json!({"auth": {"signedJwt": {"jwt": jwt}}})),
        [
            "spec.auth.signedJwt.jwt.backdateSeconds: backdateSeconds must be less than lifetimeSeconds: \
             the JWT would be over before it is sent"
        ]
    );
}

#[test]
fn where_a_body_refuses_a_token_and_what_it_says_go_together() {
    let expected =
        "spec.refreshOn[0]: bodyPath and bodyEquals go together: write both, or the status alone";
    for sign in [
        json!({"status": 200, "bodyPath": "a"}),
        json!({"status": 200, "bodyEquals": "1"}),
    ] {
        assert_eq!(broken(&json!({"refreshOn": [sign]})), [expected]);
    }
    let whole = json!({"status": 200, "bodyPath": "a", "bodyEquals": "1"});
    let spec = json!({"refreshOn": [whole, {"status": 401}]});
    assert_eq!(broken(&spec), Vec::<String>::new());
}
