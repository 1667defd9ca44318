use std::collections::BTreeSet;
use std::time::Duration;

use credence_core::collection::{Field, TrustKind};
use credence_core::{Environment, bundle};
use serde_json::{Value, json};

use super::*;

mod aws_sig_v4;
mod cluster;
mod jwts;
mod tokens;
mod verification;

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

fn service_accounts(collection: &Collection) -> Option<&BTreeSet<String>> {
    match &collection.scope {
        Scope::Namespace { service_accounts } => service_accounts.as_ref(),
        Scope::Cluster { .. } => panic!("{:?}", collection.scope),
    }
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
    assert_eq!(service_accounts(&collection), None);
    let Method::ApiKey { placement, value } = &collection.method else {
        panic!("{:?}", collection.method);
    };
    assert_eq!(*placement, Placement::Header("Authorization".to_owned()));
    assert_eq!(value.as_str(), "Bearer ${secret.api-key}");
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
            "tlsSecretRef": {"name": "t"},
            "allowInsecureHttp": true,
            "allowPrivateNetworks": true,
        },
        "developmentFallback": "UseLive",
        "access": {"serviceAccounts": ["checkout"]},
        "forwarding": {"via": false, "forwarded": true, "rewriteLocation": false},
        "timeouts": {"connectSeconds": 1, "firstByteSeconds": 2, "idleSeconds": 3},
        "sidecarPort": 9001,
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
        service_accounts(&collection),
        Some(&BTreeSet::from(["checkout".to_owned()]))
    );
    assert_eq!(
        collection.development_fallback,
        DevelopmentFallback::UseLive
    );
    assert!(collection.development.is_none());
    assert_eq!(
        collection.forwarding,
        bundle::Forwarding {
            via: false,
            forwarded: true,
            rewrite_location: false,
        }
    );
    assert_eq!(
        collection.timeouts,
        bundle::Timeouts {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(2),
            idle: Duration::from_secs(3),
        }
    );
    assert_eq!(collection.sidecar_port, Some(9001));
    let live = collection.live.unwrap();
    assert_eq!(
        live.base_url.unwrap().as_str(),
        "https://${values.team}.example.com"
    );
    assert_eq!(live.secret.as_deref(), Some("s"));
    assert_eq!(live.values["team"], "payments");
    assert_eq!(live.tls_secret.as_deref(), Some("t"));
    assert!(live.allow_insecure_http);
    assert!(live.allow_private_networks);
    let trust = live.trust.unwrap();
    assert_eq!(
        (trust.kind, trust.name.as_str(), trust.key.as_str()),
        (TrustKind::ConfigMap, "ca", "ca.crt")
    );
}

/// Requirement 21.
#[test]
fn no_method_is_the_method_none() {
    for spec in [json!({}), json!({"auth": {"none": {}}})] {
        assert!(matches!(collection(&spec).method, Method::None), "{spec}");
    }
}

#[test]
fn an_empty_list_of_accounts_is_not_the_absence_of_one() {
    let nobody = collection(&json!({"access": {"serviceAccounts": []}}));
    assert_eq!(service_accounts(&nobody), Some(&BTreeSet::new()));
    let everybody = collection(&json!({"access": {}}));
    assert_eq!(service_accounts(&everybody), None);
}

#[test]
fn problems_name_the_field_and_say_what_to_write() {
    let key = |key: Value| json!({"auth": {"apiKey": key}});
    let header = |name: &str, value: &str| json!({"headers": [{"name": name, "value": value}]});
    for (spec, expected) in [
        (
            json!({"baseUrl": "ftp://a.test"}),
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
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            json!({"auth": {}}),
            "spec.auth: takes exactly one of none, apiKey, basic, clientCertificate, awsSigV4, oauth2ClientCredentials, oauth2Password, oauth2RefreshToken, oauth2CustomToken, jwtBearer, tokenExchange and signedJwt",
        ),
        (
            json!({"auth": {"none": {}, "basic": {}}}),
            "spec.auth: takes exactly one of none, apiKey, basic, clientCertificate, awsSigV4, oauth2ClientCredentials, oauth2Password, oauth2RefreshToken, oauth2CustomToken, jwtBearer, tokenExchange and signedJwt",
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
            key(json!({"in": "Body", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: is required: write the name of the header, query parameter, cookie or member \
             of the body",
        ),
        (
            key(json!({"in": "Body", "name": "a\nb", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: must be the name of a member of a body",
        ),
        (
            key(json!({"in": "Cookie", "name": "a;b", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: \"a;b\" cannot be the name of a cookie: write letters, digits and any of \
             !#$%&'*+-.^_`|~",
        ),
        (
            key(json!({"in": "Path", "name": "a", "value": "${secret.k}"})),
            "spec.auth.apiKey.name: is not used for Path, where value becomes part of the path itself: remove it",
        ),
        (
            key(json!({"in": "Path", "value": "/bot?${secret.k}"})),
            "spec.auth.apiKey.value: must not hold \"?\" for Path: write it percent-encoded (RFC 3986)",
        ),
        (
            json!({
                "auth": {"apiKey": {"in": "Cookie", "name": "a", "value": "${secret.k}"}},
                "headers": [{"name": "COOKIE", "value": "b=1"}],
            }),
            "spec.headers[0].name: must not be Cookie beside spec.auth.apiKey in: Cookie: remove it, cookies of the \
             caller are left alone",
        ),
        (
            key(json!({"in": "Path", "value": "/${(secret.k now.unix)|hex}"})),
            "spec.auth.apiKey.value: must not refer to ${now.unix}, which is new on each call: it can be used in \
             headers, query, cookies and body",
        ),
        (
            json!({"baseUrl": "https://a.test/${uuid}"}),
            "spec.baseUrl: must not refer to ${uuid}, which is new on each call: it can be used in headers, query, \
             cookies and body",
        ),
        (
            json!({"live": {"baseUrl": "${baseUrl}/v2"}}),
            "spec.live.baseUrl: must not refer to ${baseUrl}, which is made from it",
        ),
        (
            json!({"auth": {"clientCertificate": {}}}),
            "spec.auth.clientCertificate: takes the certificate of tlsSecretRef: add it to spec.live and \
             spec.development",
        ),
        (
            json!({"auth": {"clientCertificate": {}}, "live": {"tlsSecretRef": {"name": "t"}}, "development": {}}),
            "spec.development.tlsSecretRef: is required by spec.auth.clientCertificate: name a Secret of type \
             kubernetes.io/tls",
        ),
        (
            json!({"timeouts": {"idleSeconds": 0}}),
            "spec.timeouts.idleSeconds: must be at least 1 (seconds)",
        ),
        (
            json!({"refreshOn": []}),
            "spec.refreshOn: is for methods that obtain a token: remove it, nothing else can be renewed",
        ),
        (
            json!({"retryOnUnauthorized": "Never"}),
            "spec.retryOnUnauthorized: is for methods that obtain a token: remove it, nothing else can be renewed",
        ),
        (
            json!({"sidecarPort": 2734}),
            "spec.sidecarPort: must be from 1024 to 65535, and not 2733 or 2734, which the sidecar has already",
        ),
        (
            json!({"sidecarPort": 80}),
            "spec.sidecarPort: must be from 1024 to 65535, and not 2733 or 2734, which the sidecar has already",
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

#[test]
fn a_key_can_go_to_each_place() {
    let name = || "n".to_owned();
    for (place, expected) in [
        ("Header", Placement::Header(name())),
        ("Query", Placement::Query(name())),
        ("Cookie", Placement::Cookie(name())),
        ("Body", Placement::Body(name())),
    ] {
        let key = json!({"in": place, "name": "n", "value": "${secret.k}"});
        let Method::ApiKey { placement, .. } = collection(&json!({"auth": {"apiKey": key}})).method
        else {
            panic!("{place}");
        };
        assert_eq!(placement, expected);
    }
    let key = json!({"in": "Path", "value": "/bot${secret.k}"});
    let method = collection(&json!({"auth": {"apiKey": key}})).method;
    let placed = matches!(
        &method,
        Method::ApiKey {
            placement: Placement::Path,
            ..
        }
    );
    assert!(placed, "{method:?}");
}

#[test]
fn a_certificate_is_taken_from_every_environment_that_is_there() {
    let reference = json!({"tlsSecretRef": {"name": "t"}});
    for spec in [
        json!({"auth": {"clientCertificate": {}}, "live": reference, "development": reference}),
        json!({"auth": {"clientCertificate": {}}, "live": reference, "developmentFallback": "UseLive"}),
        json!({"auth": {"clientCertificate": {}}, "development": reference}),
    ] {
        assert!(
            matches!(collection(&spec).method, Method::ClientCertificate),
            "{spec}"
        );
    }
}
