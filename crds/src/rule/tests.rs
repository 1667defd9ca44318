mod exchange;
mod tokens;
mod verification;

use kube::core::cel::{ValidationErrors, validate_cel};

use super::*;
use crate::{ApiCollection, ClusterApiCollection};

/// What the API server would say about an object with this name and spec: the
/// messages of the rules that it breaks, with their fields.
fn broken_of(name: &str, spec: &Value) -> Vec<String> {
    let object: ApiCollection = serde_json::from_value(json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ApiCollection",
        "metadata": {"name": name},
        "spec": spec,
    }))
    .unwrap();
    told(validate_cel(&object))
}

fn told(checked: Result<(), ValidationErrors>) -> Vec<String> {
    match checked {
        Ok(()) => vec![],
        Err(errors) => errors
            .iter()
            .map(|error| format!("{}: {}", error.field_path, error.message))
            .collect(),
    }
}

fn broken_of_cluster(spec: &Value) -> Vec<String> {
    let object: ClusterApiCollection = serde_json::from_value(json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ClusterApiCollection",
        "metadata": {"name": "openai"},
        "spec": spec,
    }))
    .unwrap();
    told(validate_cel(&object))
}

fn broken(spec: &Value) -> Vec<String> {
    broken_of("openai", spec)
}

fn api_key_in(place: &str, name: &str, value: &str) -> Value {
    json!({"auth": {"apiKey": {"in": place, "name": name, "value": value}}})
}

fn aws(other: Value) -> Value {
    let mut method = json!({
        "region": "eu-central-1",
        "service": "s3",
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": "${secret.key}",
    });
    let Value::Object(other) = other else {
        panic!("{other}");
    };
    method.as_object_mut().unwrap().extend(other);
    json!({"auth": {"awsSigV4": method}})
}

#[test]
fn good_objects_break_no_rule() {
    for spec in [
        json!({}),
        json!({"baseUrl": "https://api.example.com/v1", "auth": {"none": {}}, "live": {}, "development": {}}),
        json!({"baseUrl": "${values.base}", "developmentFallback": "UseLive", "live": {"values": {"base": "x"}}}),
        json!({"auth": {"basic": {}}}),
        json!({"auth": {"basic": {"username": "${secret.key}", "password": ""}}}),
        json!({"auth": {"basic": {"username": "", "password": "${(secret.a secret.b)|hex}"}}}),
        json!({"headers": [{"name": "X-A_b.c!#$%&'*+^`|~", "value": "${secret.a}"}]}),
        json!({"query": [{"name": "any thing", "value": ""}]}),
        json!({"access": {"serviceAccounts": []}}),
        api_key_in("Query", "Host", "${secret.a}"),
        api_key_in("Header", "Authorization", "Bearer ${secret.api-key}"),
        api_key_in("Header", "A", "${ secret.a | upper }"),
        api_key_in("Header", "A", "${(\"x\" secret.a)|base64}"),
        api_key_in("Header", "A", "${(values.a \"secret.\" secret.a)}"),
        api_key_in("Header", "A", "${values.a|hmacSha256:key|hex}"),
        api_key_in("Header", "A", "$ ${secret.a}"),
        api_key_in("Cookie", "session", "${secret.a}"),
        api_key_in("Body", "any thing", "${secret.a}"),
        json!({"auth": {"apiKey": {"in": "Path", "value": "/bot${secret.a}"}}}),
        json!({"baseUrl": "http://a.test", "live": {"baseUrl": "http://a.test", "allowInsecureHttp": true}}),
        json!({"auth": {"clientCertificate": {}}, "live": {"tlsSecretRef": {"name": "t"}}}),
        json!({"auth": {"basic": {}}, "headers": [{"name": "Cookie", "value": "a=1"}]}),
        json!({"sidecarPort": 9001, "timeouts": {}, "forwarding": {}}),
        aws(json!({})),
        aws(
            json!({"sessionToken": "${secret.token}", "payload": "Unsigned", "region": "${values.region}"}),
        ),
    ] {
        assert_eq!(broken(&spec), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn a_literal_secret_is_refused() {
    for value in [
        "Bearer sk_live_1",
        "secret.api-key",
        "${values.key}",
        "$${secret.api-key}",
        "Bearer $${secret.api-key}",
        "${values.secret.key}",
    ] {
        let problems = broken(&api_key_in("Header", "Authorization", value));
        assert_eq!(
            problems,
            [
                "spec.auth.apiKey.value: value must take the key from the Secret, such as \
              \"Bearer ${secret.api-key}\": whoever may read this object could read a key that is written here"
            ],
            "{value}"
        );
    }
    for (username, password) in [("a", "b"), ("", ""), ("${values.a}", "$${secret.b}")] {
        let spec = json!({"auth": {"basic": {"username": username, "password": password}}});
        assert_eq!(
            broken(&spec),
            [
                "spec.auth.basic: username or password must come from the Secret, such as \
              \"${secret.password}\": whoever may read this object could read a password that is written here"
            ],
            "{spec}"
        );
    }
}

#[test]
fn a_literal_key_or_token_of_aws_is_refused() {
    for (member, key) in [
        ("secretAccessKey", "secret-access-key"),
        ("sessionToken", "session-token"),
    ] {
        for value in ["wJalrXUtnFEMI", "$${secret.key}", "${values.key}"] {
            let expected = format!(
                "spec.auth.awsSigV4.{member}: {member} must come from the Secret, such as \"${{secret.{key}}}\": \
                 whoever may read this object could read a key that is written here"
            );
            assert_eq!(broken(&aws(json!({member: value}))), [expected], "{value}");
        }
    }
    for member in [
        "region",
        "service",
        "accessKeyId",
        "secretAccessKey",
        "sessionToken",
    ] {
        let expected = format!("spec.auth.awsSigV4.{member}: {member} must be one line");
        let spec = aws(json!({member: "${secret.key}\n"}));
        assert_eq!(broken(&spec), [expected]);
    }
}

#[test]
fn a_refusal_never_quotes_what_may_be_a_secret() {
    // The API server quotes strings, so no rule may stand at such a field.
    let definition = serde_json::to_value(crate::definition()).unwrap();
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let auth = &spec["properties"]["auth"]["properties"];
    for field in [
        &auth["apiKey"]["properties"]["value"],
        &auth["basic"]["properties"]["username"],
        &auth["basic"]["properties"]["password"],
        &auth["awsSigV4"]["properties"]["accessKeyId"],
        &auth["awsSigV4"]["properties"]["secretAccessKey"],
        &auth["awsSigV4"]["properties"]["sessionToken"],
        &auth["oauth2Password"]["properties"]["password"],
        &auth["oauth2RefreshToken"]["properties"]["refreshToken"],
        &auth["signedJwt"]["properties"]["jwt"]["properties"]["key"],
        &auth["oauth2CustomToken"]["properties"]["token"]["properties"]["body"],
        &auth["oauth2CustomToken"]["properties"]["token"]["properties"]["client"]["properties"]["secret"],
        &spec["properties"]["headers"]["items"]["properties"]["value"],
        &spec["properties"]["query"]["items"]["properties"]["value"],
    ] {
        assert_eq!(field["type"], "string");
        assert_eq!(field["x-kubernetes-validations"], Value::Null);
        assert_eq!(field["pattern"], Value::Null);
    }
}

#[test]
fn auth_takes_one_method() {
    for auth in [
        json!({}),
        json!({"none": {}, "basic": {}}),
        json!({"basic": {}, "clientCertificate": {}}),
    ] {
        let expected = "spec.auth: auth takes exactly one of none, apiKey, basic, clientCertificate, awsSigV4, oauth2ClientCredentials, oauth2Password, oauth2RefreshToken, oauth2CustomToken, jwtBearer, tokenExchange and signedJwt";
        let spec = json!({"auth": auth, "live": {"tlsSecretRef": {"name": "t"}}});
        assert_eq!(broken(&spec), [expected], "{auth}");
    }
}

#[test]
fn headers_of_the_connection_are_refused() {
    for name in RESERVED
        .into_iter()
        .chain(["Host", "TE", "Proxy-Connection", "X-Forwarded-For"])
    {
        let expected = format!("spec.auth.apiKey.name: {RESERVED_NAME}");
        assert_eq!(
            broken(&api_key_in("Header", name, "${secret.a}")),
            [expected],
            "{name}"
        );
        let expected = format!("spec.headers[0].name: {RESERVED_NAME}");
        assert_eq!(
            broken(&json!({"headers": [{"name": name, "value": ""}]})),
            [expected],
            "{name}"
        );
    }
}

/// Requirement 89.
#[test]
fn what_is_no_header_name_is_refused() {
    for name in ["a b", "a:", "\u{e9}", "a\n", "a\"", "a\\b", "(a)"] {
        let expected = format!("spec.auth.apiKey.name: {NOT_A_TOKEN}");
        assert_eq!(
            broken(&api_key_in("Header", name, "${secret.a}")),
            [expected],
            "{name}"
        );
    }
}

#[test]
fn values_are_one_line() {
    for value in ["1\n", "1\r\n2", "\u{0}", "\u{7f}", "a\tb"] {
        let spec = json!({"headers": [{"name": "A", "value": value}], "query": [{"name": "b", "value": value}]});
        let expected = [
            "spec.headers[0].value: value must be one line",
            "spec.query[0].value: value must be one line",
        ];
        assert_eq!(broken(&spec), expected, "{value:?}");
    }
}

#[test]
fn base_urls_are_https_and_hold_no_secret() {
    for (url, expected) in [
        (
            "ftp://a.test",
            "baseUrl must begin with https:// (or with http://, where allowInsecureHttp is set)",
        ),
        (
            "https://${secret.host}",
            "baseUrl must not refer to a Secret: write ${values.NAME}, and put secrets into auth, headers or query",
        ),
    ] {
        assert_eq!(
            broken(&json!({ "baseUrl": url })),
            [format!("spec.baseUrl: {expected}")]
        );
        let own = json!({"live": {"baseUrl": url}});
        assert_eq!(broken(&own), [format!("spec.live.baseUrl: {expected}")]);
    }
}

#[test]
fn a_fallback_beside_a_development_block_is_refused() {
    let spec = json!({"live": {}, "development": {}, "developmentFallback": "UseLive"});
    let expected = "spec: developmentFallback: UseLive is only used without development: remove one of the two";
    assert_eq!(broken(&spec), [expected]);
}

#[test]
fn names_are_path_segments() {
    assert_eq!(broken_of(&"x".repeat(63), &json!({})), Vec::<String>::new());
    for name in ["a.b", &"x".repeat(64)] {
        assert_eq!(broken_of(name, &json!({})).len(), 1, "{name}");
    }
}

#[test]
fn http_is_allowed_beside_it() {
    let own = json!({"live": {"baseUrl": "http://a.test"}});
    let expected = "spec.live.baseUrl: baseUrl must begin with https://, or allowInsecureHttp be true beside it";
    assert_eq!(broken(&own), [expected]);
}

#[test]
fn a_name_is_there_for_every_place_but_the_path() {
    let key = |key: Value| json!({"auth": {"apiKey": key}});
    for place in ["Header", "Query", "Cookie", "Body"] {
        assert_eq!(
            broken(&key(json!({"in": place, "value": "${secret.a}"}))),
            [format!("spec.auth.apiKey.name: {NAME_MISSING}")]
        );
    }
    assert_eq!(
        broken(&api_key_in("Path", "a", "${secret.a}")),
        [format!("spec.auth.apiKey.name: {NAME_IN_PATH}")]
    );
    for name in ["a b", "a=b", "a;b", "\u{e9}"] {
        assert_eq!(
            broken(&api_key_in("Cookie", name, "${secret.a}")),
            [format!("spec.auth.apiKey.name: {NOT_A_COOKIE}")],
            "{name}"
        );
    }
}

#[test]
fn a_certificate_must_come_from_somewhere() {
    let expected = [format!("spec: {NO_CERTIFICATE}")];
    for spec in [
        json!({"auth": {"clientCertificate": {}}}),
        json!({"auth": {"clientCertificate": {}}, "live": {}}),
        json!({"auth": {"clientCertificate": {}}, "live": {"tlsSecretRef": {"name": "t"}}, "development": {}}),
    ] {
        assert_eq!(broken(&spec), expected, "{spec}");
        assert_eq!(broken_of_cluster(&spec), expected, "{spec}");
    }
}

#[test]
fn a_cookie_and_the_header_of_all_cookies_exclude_each_other() {
    let mut spec = api_key_in("Cookie", "session", "${secret.a}");
    spec["headers"] = json!([{"name": "cOOkie", "value": "a=1"}]);
    let expected = "spec: headers must not set Cookie beside auth.apiKey in: Cookie: remove it, cookies of the \
                    caller are left alone";
    assert_eq!(broken(&spec), [expected]);
}

#[test]
fn the_sidecars_own_ports_are_taken() {
    for port in [2733, 2734] {
        let expected = "spec.sidecarPort: sidecarPort must not be 2733 or 2734, which the sidecar has already: \
                        choose another from 1024 to 65535";
        assert_eq!(broken(&json!({"sidecarPort": port})), [expected]);
    }
}

#[test]
fn a_cluster_collection_keeps_the_same_rules_and_has_its_own() {
    let selector = |operator: &str, values: &[&str]| {
        json!({"namespaceSelector": {"matchExpressions": [
            {"key": "zone", "operator": operator, "values": values},
        ]}})
    };
    for spec in [
        json!({}),
        selector("In", &["eu"]),
        selector("Exists", &[]),
        json!({"namespaceSelector": {}}),
    ] {
        assert_eq!(broken_of_cluster(&spec), Vec::<String>::new(), "{spec}");
    }
    let values = "spec.namespaceSelector.matchExpressions[0].values";
    for (spec, expected) in [
        (
            json!({"developmentFallback": "UseLive"}),
            "spec: developmentFallback: UseLive is for ApiCollection only: name Secrets for development in \
             spec.development"
                .to_owned(),
        ),
        (
            selector("NotIn", &[]),
            format!("{values}: values must have at least one value for In and NotIn"),
        ),
        (
            selector("DoesNotExist", &["eu"]),
            format!("{values}: values must be left out for Exists and DoesNotExist"),
        ),
        (
            json!({"auth": {}}),
            "spec.auth: auth takes exactly one of none, apiKey, basic, clientCertificate, awsSigV4, oauth2ClientCredentials, oauth2Password, oauth2RefreshToken, oauth2CustomToken, jwtBearer, tokenExchange and signedJwt".to_owned(),
        ),
        (
            json!({"sidecarPort": 2733}),
            "spec.sidecarPort: sidecarPort must not be 2733 or 2734, which the sidecar has already: choose another \
             from 1024 to 65535"
                .to_owned(),
        ),
    ] {
        assert_eq!(broken_of_cluster(&spec), [expected], "{spec}");
    }
}
