use credence_core::Environment;
use serde_json::{Value, json};

use super::*;

fn object(spec: &Value) -> ApiCollection {
    let object = json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ApiCollection",
        "metadata": {"name": "openai"},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn collection(spec: &Value) -> Collection {
    Collection::try_from(&object(spec)).unwrap()
}

fn problems(spec: &Value) -> Vec<String> {
    let rejected = Collection::try_from(&object(spec)).unwrap_err();
    rejected.problems.iter().map(Problem::to_string).collect()
}

#[test]
fn the_example_of_the_readme_is_a_collection() {
    let collection = collection(&json!({
        "baseUrl": "https://api.openai.com/v1",
        "auth": {"apiKey": {"in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}"}},
        "live": {"secretRef": {"name": "openai-live"}},
        "development": {"secretRef": {"name": "openai-dev"}},
    }));
    assert_eq!(collection.name.as_str(), "openai");
    assert_eq!(
        collection.base_url.as_ref().unwrap().as_str(),
        "https://api.openai.com/v1"
    );
    assert_eq!(collection.development_fallback, DevelopmentFallback::Deny);
    assert_eq!(collection.service_accounts, None);
    let Method::ApiKey { place, name, value } = &collection.method else {
        panic!("{:?}", collection.method);
    };
    assert_eq!(
        (*place, name.as_str(), value.as_str()),
        (Place::Header, "Authorization", "Bearer ${secret.api-key}",)
    );
    let secret = |environment| collection.selected(environment).settings.secret.as_deref();
    assert_eq!(secret(Environment::Live), Some("openai-live"));
    assert_eq!(secret(Environment::Development), Some("openai-dev"));
}

#[test]
fn every_field_arrives() {
    let collection = collection(&json!({
        "description": "All of it.",
        "auth": {"basic": {"password": ""}},
        "headers": [{"name": "X-Version", "value": "1", "onConflict": "IfAbsent"}],
        "query": [{"name": "team", "value": "${values.team}", "onConflict": "Reject"}, {"name": "a", "value": ""}],
        "live": {
            "baseUrl": "https://${values.team}.example.com",
            "secretRef": {"name": "s"},
            "caRef": {"kind": "ConfigMap", "name": "ca"},
            "values": {"team": "payments"},
            "allowPrivateNetworks": true,
        },
        "developmentFallback": "UseLive",
        "access": {"serviceAccounts": ["checkout"]},
    }));
    let Method::Basic { username, password } = &collection.method else {
        panic!("{:?}", collection.method);
    };
    assert_eq!(
        (username.as_str(), password.as_str()),
        ("${secret.username}", "")
    );
    let fields = |fields: &[Field]| -> Vec<_> {
        let shown = |field: &Field| {
            (
                field.name.clone(),
                field.value.to_string(),
                field.on_conflict,
            )
        };
        fields.iter().map(shown).collect()
    };
    let field =
        |name: &str, value: &str, on_conflict| (name.to_owned(), value.to_owned(), on_conflict);
    assert_eq!(
        fields(&collection.headers),
        [field("X-Version", "1", bundle::OnConflict::IfAbsent)]
    );
    assert_eq!(
        fields(&collection.query),
        [
            field("team", "${values.team}", bundle::OnConflict::Reject),
            field("a", "", bundle::OnConflict::Replace),
        ]
    );
    assert_eq!(
        collection.service_accounts.unwrap(),
        BTreeSet::from(["checkout".to_owned()])
    );
    assert_eq!(
        collection.development_fallback,
        DevelopmentFallback::UseLive
    );
    assert!(collection.development.is_none());
    let live = collection.live.unwrap();
    assert_eq!(
        live.base_url.unwrap().as_str(),
        "https://${values.team}.example.com"
    );
    assert_eq!(live.secret.as_deref(), Some("s"));
    assert_eq!(live.values["team"], "payments");
    assert!(live.allow_private_networks);
    let trust = live.trust.unwrap();
    assert_eq!(
        (trust.kind, trust.name.as_str(), trust.key.as_str()),
        (TrustKind::ConfigMap, "ca", "ca.crt")
    );
}

#[test]
fn no_method_is_the_method_none() {
    for spec in [json!({}), json!({"auth": {"none": {}}})] {
        assert!(matches!(collection(&spec).method, Method::None), "{spec}");
    }
}

#[test]
fn an_empty_list_of_accounts_is_not_the_absence_of_one() {
    let nobody = collection(&json!({"access": {"serviceAccounts": []}}));
    assert_eq!(nobody.service_accounts, Some(BTreeSet::new()));
    let everybody = collection(&json!({"access": {}}));
    assert_eq!(everybody.service_accounts, None);
}

#[test]
fn problems_name_the_field_and_say_what_to_write() {
    let key = |key: Value| json!({"auth": {"apiKey": key}});
    let header = |name: &str, value: &str| json!({"headers": [{"name": name, "value": value}]});
    for (spec, expected) in [
        (
            json!({"baseUrl": "http://a.test"}),
            "spec.baseUrl: must begin with https://",
        ),
        (
            json!({"live": {"baseUrl": "https://a.test?x"}}),
            "spec.live.baseUrl: must end with the path: put query parameters into spec.query",
        ),
        (
            json!({"development": {"baseUrl": "https://${secret.host}"}}),
            "spec.development.baseUrl: must not refer to a Secret: write ${values.NAME}",
        ),
        (
            json!({"baseUrl": "https://${value.host}"}),
            "spec.baseUrl: at character 11: unknown variable \"value.host\" (did you mean \"values.host\"?); \
             there are secret.KEY and values.NAME",
        ),
        (
            json!({"auth": {}}),
            "spec.auth: takes exactly one of none, apiKey and basic",
        ),
        (
            json!({"auth": {"none": {}, "basic": {}}}),
            "spec.auth: takes exactly one of none, apiKey and basic",
        ),
        (
            key(json!({"in": "Header", "name": "Authorization", "value": "Bearer sk-1"})),
            "spec.auth.apiKey.value: must take the key from the Secret, such as \"Bearer ${secret.api-key}\"",
        ),
        (
            key(json!({"in": "Query", "name": "k", "value": "$${secret.k}"})),
            "spec.auth.apiKey.value: must take the key from the Secret, such as \"Bearer ${secret.api-key}\"",
        ),
        (
            key(json!({"in": "Header", "name": "Host", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: header \"Host\" is set by the proxy itself: leave it out",
        ),
        (
            key(json!({"in": "Query", "name": "", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: must be the name of a query parameter",
        ),
        (
            key(json!({"in": "Query", "name": "k", "value": "${secret.k|base46}"})),
            "spec.auth.apiKey.value: at character 12: unknown filter \"base46\" (did you mean \"base64\"?); \
             there are base64, base64url, hex, sha256hex, sha256base64, hmacSha256, urlencode, upper, lower, trim",
        ),
        (
            json!({"auth": {"basic": {"username": "a:b"}}}),
            "spec.auth.basic.username: must not hold a colon: HTTP Basic ends the user name there (RFC 7617)",
        ),
        (
            json!({"auth": {"basic": {"username": "a", "password": "b"}}}),
            "spec.auth.basic: username or password must come from the Secret, such as \"${secret.password}\"",
        ),
        (
            header("X A", "1"),
            "spec.headers[0].name: \"X A\" cannot be a header name: write letters, digits and any of \
             !#$%&'*+-.^_`|~",
        ),
        (
            header("X-A", "1\n"),
            "spec.headers[0].value: must be one line, without control characters",
        ),
        (
            json!({"headers": [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]}),
            "spec.headers[1].name: \"x-a\" is there already: keep one of them",
        ),
        (
            json!({"live": {}, "development": {}, "developmentFallback": "UseLive"}),
            "spec.developmentFallback: UseLive is only used without spec.development: remove one of the two",
        ),
        (
            json!({"live": {"values": {"a b": "1"}}}),
            "spec.live.values: \"a b\" cannot be referred to: use letters, digits, \"-\", \"_\" and \".\"",
        ),
    ] {
        assert_eq!(problems(&spec), [expected], "{spec}");
    }
}

#[test]
fn the_name_must_be_a_path_segment() {
    let mut object = object(&json!({}));
    for name in [None, Some("a.b".to_owned())] {
        object.metadata.name = name;
        let rejected = Collection::try_from(&object).unwrap_err();
        assert_eq!(rejected.problems[0].field, "metadata.name");
        assert_eq!(rejected.problems.len(), 1);
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let spec = json!({
        "baseUrl": "nowhere",
        "auth": {"basic": {"username": "${a}", "password": "${"}},
        "query": [{"name": "q", "value": "${b.c}"}],
    });
    let fields: Vec<String> = Collection::try_from(&object(&spec))
        .unwrap_err()
        .problems
        .into_iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(
        fields,
        [
            "spec.baseUrl",
            "spec.auth.basic.username",
            "spec.auth.basic.password",
            "spec.query[0].value"
        ]
    );
}
