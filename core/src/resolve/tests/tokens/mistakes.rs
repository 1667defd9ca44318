//! Requests that cannot be made.

use super::*;

#[test]
fn what_is_wrong_with_a_request_is_said_and_what_to_do() {
    let with_url = |url: &str| {
        let mut method = token_method(Flow::ClientCredentials);
        method.request.url = template(url);
        method
    };
    let mut odd_header = custom();
    odd_header.request.headers = vec![RequestHeader {
        name: "X".to_owned(),
        value: template("${secret.line}"),
    }];
    let mut no_param = custom();
    let param = FieldValue::List(vec![FieldValue::Text(template("${secret.none}"))]);
    no_param.request.params = vec![("a".to_owned(), param)];
    let raw = TokenMethod {
        client: Some(Client {
            id: template("${secret.colon}"),
            ..client(ClientAuthentication::BasicRaw)
        }),
        ..token_method(Flow::ClientCredentials)
    };
    let of = "spec.auth.oauth2ClientCredentials.token";
    for (method, reason, expected) in [
        (
            with_url("${values.host}/token"),
            Reason::TokenUrlInvalid,
            format!("{of}.url, with its variables filled in, is not a URL"),
        ),
        (
            with_url("https://u:p@a.test/token"),
            Reason::TokenUrlInvalid,
            format!("{of}.url must not hold a user name or password: use client."),
        ),
        (
            with_url("http://auth.test/token"),
            Reason::TokenUrlInsecure,
            format!("{of}.url begins with http://"),
        ),
        (
            with_url("https://auth.test/${secret.none}"),
            Reason::SecretKeyMissing,
            "Secret \"openai-dev\" has no key \"none\"".to_owned(),
        ),
        (
            odd_header,
            Reason::SecretValueInvalid,
            "Key \"line\" of Secret \"openai-dev\" holds a line feed, which no header may hold."
                .to_owned(),
        ),
        (
            no_param,
            Reason::SecretKeyMissing,
            "change spec.auth.oauth2CustomToken.token.params.a[0].".to_owned(),
        ),
        (
            raw,
            Reason::SecretValueInvalid,
            "Key \"colon\" of Secret \"openai-dev\" holds a colon".to_owned(),
        ),
    ] {
        let collection = Collection {
            development: Some(Settings {
                values: BTreeMap::from([("host".to_owned(), "a b".to_owned())]),
                ..settings("openai-dev")
            }),
            ..with_token(method)
        };
        let mut held = HELD.to_vec();
        held.extend([("line", "a\nb"), ("colon", "a:b")]);
        let unresolved = in_development(&collection, &with_dev(secret(&held))).unwrap_err();
        assert!(unresolved.message.contains(&expected), "{unresolved}");
        assert_eq!(unresolved.reason, reason);
    }
}

#[test]
fn a_certificate_for_the_token_endpoint_must_be_there_and_be_shown_over_tls() {
    let method = TokenMethod {
        mtls: true,
        ..token_method(Flow::ClientCredentials)
    };
    let unresolved = resolved(method.clone()).unwrap_err();
    assert_eq!(unresolved.reason, Reason::SecretRefMissing);
    assert_eq!(
        unresolved.message,
        "spec.auth.oauth2ClientCredentials.token.mtls needs a certificate, but the development \
         environment names no Secret with one. Add spec.development.tlsSecretRef."
    );
    let mut plain = method;
    plain.request.url = template("http://auth.test/token");
    let unresolved = resolved(plain).unwrap_err();
    assert_eq!(
        unresolved.message,
        "spec.auth.oauth2ClientCredentials.token.url begins with http://, where no client \
         certificate can be shown. Write https:// or remove mtls."
    );
}

#[test]
fn a_token_of_an_answer_never_becomes_a_part_of_a_request() {
    let mut method = custom();
    method.request.params = vec![text_field("t", "${token}")];
    let order = order(method);
    let values = LateValues::at(Moment {
        unix_seconds: 0,
        random: [0; 16],
    });
    let error = asked(&order).message(&values, false).unwrap_err();
    assert_eq!(error.to_string(), "${token} has no value yet");
}
