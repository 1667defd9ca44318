use credence_core::bundle::{BodySign, Refusal, Retry, Sign};
use credence_core::collection::{
    ClientAuthentication, ContentSettings, FieldFormat, FieldValue, Flow, RequestMethod,
    TokenMethod,
};
use credence_core::token::{CaptureFrom, ExpiresKind, Lifetime, ResponseShape};

use super::*;

mod exchange;
mod steps;

const URL: &str = "https://auth.example.com/token";

fn client() -> Value {
    json!({"id": "${secret.client-id}", "secret": "${secret.client-secret}"})
}

/// A collection with this method, whose token block has these members besides.
fn with(method: &str, token: &Value) -> Value {
    let mut block = json!({"url": URL});
    if method == "oauth2ClientCredentials" {
        block["client"] = client();
    }
    let members = token.as_object().unwrap().clone();
    block.as_object_mut().unwrap().extend(members);
    let mut block = json!({"token": block});
    if method == "tokenExchange" {
        block["subjectToken"] = json!("${secret.subject-token}");
    }
    json!({"baseUrl": "https://api.example.com", "auth": {method: block}})
}

fn credentials(token: &Value) -> Value {
    with("oauth2ClientCredentials", token)
}

fn custom(token: &Value) -> Value {
    with("oauth2CustomToken", token)
}

fn read(spec: &Value) -> TokenMethod {
    let Method::Token(method) = collection(spec).method else {
        panic!("{spec}");
    };
    *method
}

#[test]
fn what_is_left_out_is_as_the_standard_has_it() {
    let method = read(&credentials(&json!({})));
    assert!(matches!(method.flow, Flow::ClientCredentials));
    let request = method.request;
    assert_eq!(request.url.as_str(), URL);
    assert_eq!(request.method, RequestMethod::Post);
    assert_eq!(request.grant_type.as_deref(), Some("client_credentials"));
    assert_eq!(request.scope_separator, " ");
    assert!(matches!(
        request.content,
        ContentSettings::Fields(FieldFormat::Form)
    ));
    let client = method.client.unwrap();
    assert_eq!(client.authentication, ClientAuthentication::Basic);
    assert_eq!(client.id_field, "client_id");
    assert_eq!(method.response, ResponseShape::default());
    assert_eq!(method.lifetime, Lifetime::default());
    assert!(!method.mtls);
    let placement = method.placement.unwrap();
    assert_eq!(
        placement.placement,
        Placement::Header("Authorization".to_owned())
    );
    assert_eq!(placement.prefix, "Bearer ");
}

#[test]
fn every_method_has_its_own_grant_and_its_own_defaults() {
    for (name, grant_type, format) in [
        ("oauth2Password", Some("password"), FieldFormat::Form),
        (
            "oauth2RefreshToken",
            Some("refresh_token"),
            FieldFormat::Form,
        ),
        (
            "tokenExchange",
            Some("urn:ietf:params:oauth:grant-type:token-exchange"),
            FieldFormat::Form,
        ),
        ("oauth2CustomToken", None, FieldFormat::Json),
    ] {
        let method = read(&with(name, &json!({})));
        assert_eq!(method.flow.as_str(), name);
        assert_eq!(method.request.grant_type.as_deref(), grant_type);
        assert!(
            matches!(method.request.content, ContentSettings::Fields(found) if found == format)
        );
    }
    let Flow::Password { username, password } = read(&with("oauth2Password", &json!({}))).flow
    else {
        panic!("not a password");
    };
    assert_eq!(
        [username.as_str(), password.as_str()],
        ["${secret.username}", "${secret.password}"]
    );
    let Flow::RefreshToken { refresh_token } = read(&with("oauth2RefreshToken", &json!({}))).flow
    else {
        panic!("not a refresh token");
    };
    assert_eq!(refresh_token.as_str(), "${secret.refresh-token}");
}

#[test]
fn every_field_of_a_token_arrives() {
    let mut spec = custom(&json!({
        "url": "https://${values.host}/${secret.tenant}",
        "client": {"id": "app", "secret": "${secret.s}", "authentication": "Body", "idField": "app_id", "secretField": "app_key"},
        "grantType": "account_credentials",
        "scopes": ["a", "${values.scope}"],
        "scopeSeparator": ",",
        "audience": "https://api",
        "params": {"account": "${secret.account}", "n": 7, "on": true, "deep": {"list": ["${uuid}"]}},
        "method": "PUT",
        "headers": [{"name": "X-Client", "value": "<app>"}],
        "response": {
            "accessTokenPath": "data.token",
            "expiresPath": "data.until",
            "expiresKind": "EpochMilliseconds",
            "refreshTokenPath": "data.refresh",
            "baseUrlPath": "instance_url",
            "capture": [{"name": "realm", "path": "data.realm"}, {"name": "sid", "path": "cookie:sid"}],
            "success": {"path": "ok", "equals": "true"},
        },
        "placement": {"in": "Query", "name": "t", "prefix": "v1."},
        "mtls": true,
        "lifetime": {"defaultSeconds": 1, "refreshBeforeSeconds": 2, "keepAliveHours": 3, "graceSeconds": 4},
    }));
    spec["baseUrlAllow"] = json!(["*.example.com"]);
    spec["headers"] = json!([{"name": "X-Realm", "value": "${token.realm}"}]);
    let method = read(&spec);
    let request = &method.request;
    assert_eq!(
        request.url.as_str(),
        "https://${values.host}/${secret.tenant}"
    );
    assert_eq!(request.method, RequestMethod::Put);
    assert_eq!(request.grant_type.as_deref(), Some("account_credentials"));
    assert_eq!(request.scopes.len(), 2);
    assert_eq!(request.scope_separator, ",");
    assert_eq!(request.audience.as_ref().unwrap().as_str(), "https://api");
    assert_eq!(request.params.len(), 4);
    assert!(matches!(&request.params[1].1, FieldValue::Object(_)));
    assert_eq!(request.headers[0].value.references().aliases.len(), 1);
    let client = method.client.as_ref().unwrap();
    assert_eq!(client.authentication, ClientAuthentication::Body);
    assert_eq!(
        [&*client.id_field, &*client.secret_field],
        ["app_id", "app_key"]
    );
    let shape = &method.response;
    assert_eq!(shape.access_token.as_str(), "data.token");
    assert_eq!(shape.expires.as_str(), "data.until");
    assert_eq!(shape.expires_kind, ExpiresKind::EpochMilliseconds);
    assert_eq!(shape.refresh_token.as_str(), "data.refresh");
    assert_eq!(shape.base_url.as_ref().unwrap().as_str(), "instance_url");
    assert_eq!(shape.capture[1].from, CaptureFrom::Cookie("sid".to_owned()));
    assert_eq!(shape.success.as_ref().unwrap().equals, "true");
    assert_eq!(method.base_url_allow.len(), 1);
    assert!(method.mtls);
    let placement = method.placement.as_ref().unwrap();
    assert_eq!(placement.placement, Placement::Query("t".to_owned()));
    assert_eq!(placement.prefix, "v1.");
    assert_eq!(
        method.lifetime,
        Lifetime {
            default: Some(Duration::from_secs(1)),
            refresh_before: Duration::from_secs(2),
            keep_alive: Some(Duration::from_secs(3 * 3600)),
            grace: Duration::from_secs(4),
        }
    );
}

/// Requirement 62.
#[test]
fn a_token_elsewhere_than_in_authorization_has_no_word_before_it() {
    for (placement, expected) in [
        (json!({}), "Bearer "),
        (json!({"name": "authorization"}), "Bearer "),
        (json!({"name": "X-Tableau-Auth"}), ""),
        (json!({"prefix": "Token "}), "Token "),
        (json!({"in": "Cookie", "name": "s"}), ""),
    ] {
        let method = read(&credentials(&json!({"placement": placement})));
        assert_eq!(method.placement.unwrap().prefix, expected, "{placement}");
    }
}

/// Requirement 38.
#[test]
fn a_body_of_json_has_aliases_and_one_of_anything_else_has_not() {
    let aliases = |token: &Value| match read(&custom(token)).request.content {
        ContentSettings::Json(body) | ContentSettings::Raw(body) => body.references().aliases.len(),
        ContentSettings::Fields(_) => panic!("{token}"),
    };
    assert_eq!(
        aliases(&json!({"body": "{\n  \"key\": \"<api-key>\"\n}"})),
        1
    );
    assert_eq!(
        aliases(&json!({"bodyFormat": "Raw", "body": "<request/><key>"})),
        0
    );
}

#[test]
fn a_grant_type_can_be_none() {
    let method = read(&credentials(&json!({"grantType": ""})));
    assert_eq!(method.request.grant_type, None);
}

#[test]
fn problems_of_tokens_name_the_field_and_say_what_to_write() {
    let of = "spec.auth.oauth2ClientCredentials.token";
    let of_custom = "spec.auth.oauth2CustomToken.token";
    let headers = |value: &str| {
        let mut spec = credentials(&json!({}));
        spec["headers"] = json!([{"name": "X", "value": value}]);
        spec
    };
    let mut allowed = credentials(&json!({}));
    allowed["baseUrlAllow"] = json!(["*.com"]);
    for (spec, expected) in [
        (
            json!({"auth": {"oauth2ClientCredentials": {"token": {"url": URL}}}}),
            vec![format!("{of}.client: is required: write id and secret, such as \"${{secret.client-id}}\" and \"${{secret.client-secret}}\"")],
        ),
        (
            credentials(&json!({"url": "https://auth.example.com/#x"})),
            vec![format!("{of}.url: must not hold a fragment (#)")],
        ),
        (
            credentials(&json!({"client": {"id": "a", "secret": "s3cret"}})),
            vec![format!("{of}.client.secret: must come from the Secret, such as \"${{secret.client-secret}}\"")],
        ),
        (
            credentials(&json!({"client": {"id": "a", "authentication": "Body"}})),
            vec![format!("{of}.client.secret: is required by authentication: Body: write \"${{secret.client-secret}}\"")],
        ),
        (
            credentials(&json!({"client": {"id": "a", "secret": "${secret.s}", "authentication": "None"}})),
            vec![format!("{of}.client.secret: is not sent by authentication: None: remove one of the two")],
        ),
        (
            credentials(&json!({"client": {"id": "a", "secret": "${secret.s}", "idField": "x"}})),
            vec![format!("{of}.client.idField: is not used by authentication: Basic: remove it")],
        ),
        (
            credentials(&json!({"client": {"id": "${uuid}", "secret": "${secret.s}"}})),
            vec![format!("{of}.client.id: must not refer to ${{uuid}}, which is new on each call: it can be used in headers, query, cookies and body")],
        ),
        (
            credentials(&json!({"scopes": ["${secret.s}"]})),
            vec![format!("{of}.scopes[0]: must not refer to a Secret: write ${{values.NAME}}")],
        ),
        (
            credentials(&json!({"params": {"grant_type": "x", "t": "${token}"}})),
            vec![
                format!("{of}.params.grant_type: is set by grantType already: remove one of the two"),
                format!("{of}.params.t: must not refer to ${{token}}, which is what the request asks for"),
            ],
        ),
        (
            credentials(&json!({"params": {"deep": {"a": 1}}})),
            vec![format!("{of}.params.deep: is a list or an object, which only bodyFormat: Json can write: write a text")],
        ),
        (
            credentials(&json!({"headers": [{"name": "authorization", "value": "x"}, {"name": "Host", "value": "x"}]})),
            vec![
                format!("{of}.headers[1].name: header \"Host\" is set by the proxy itself: leave it out"),
                format!("{of}.headers[0].name: must not be Authorization beside client.authentication: Basic, which sets it: remove one of the two"),
            ],
        ),
        (
            custom(&json!({"body": "{\"a\": <b>", "params": {"x": "y"}})),
            vec![
                format!("{of_custom}.params: is not sent beside body: write it into body, or leave body out"),
                format!("{of_custom}.body: is not JSON: variables stand within the quotes of a text, or alone for a value"),
            ],
        ),
        (
            custom(&json!({"client": {"id": "a"}, "body": "{}"})),
            vec![format!("{of_custom}.client: is not sent by authentication: None beside body: write it into body")],
        ),
        (
            custom(&json!({"body": "{}", "method": "GET"})),
            vec![format!("{of_custom}.body: is not sent by method: GET: write params")],
        ),
        (
            custom(&json!({"bodyFormat": "Raw"})),
            vec![format!("{of_custom}.body: is required by bodyFormat: Raw: write the whole body")],
        ),
        (
            custom(&json!({"bodyFormat": "Form", "body": "a=b"})),
            vec![format!("{of_custom}.body: is used only with bodyFormat: Json or Raw: write one of them, or params instead of body")],
        ),
        (
            credentials(&json!({"response": {"accessTokenPath": "a..b", "capture": [{"name": "a", "path": "header:"}]}})),
            vec![
                format!("{of}.response.accessTokenPath: has an empty part: write names with one dot between them, and \\. for a dot in a name"),
                format!("{of}.response.capture[0].path: \"\" cannot be the name of a header: write header:X-Name"),
            ],
        ),
        (
            credentials(&json!({"response": {"baseUrlPath": "instance_url"}})),
            vec![format!("{of}.response.baseUrlPath: needs spec.baseUrlAllow: write the hosts that the answer may lead to, such as *.example.com")],
        ),
        (
            allowed,
            vec![
                format!("spec.baseUrlAllow: is used only with {of}.response.baseUrlPath: add that or remove this"),
                "spec.baseUrlAllow[0]: \"*.com\" names hosts of everybody: write at least *.example.com".to_owned(),
            ],
        ),
        (
            credentials(&json!({"placement": {"in": "None"}})),
            vec![format!("{of}.placement: is None, and nothing refers to the token: write ${{token}} into spec.headers or spec.query")],
        ),
        (
            credentials(&json!({"placement": {"in": "Query"}})),
            vec![format!("{of}.placement.name: is required: write the name of the query parameter or cookie")],
        ),
        (
            {
                let mut spec = credentials(&json!({"placement": {"in": "Cookie", "name": "s"}}));
                spec["headers"] = json!([{"name": "cookie", "value": "a=1"}]);
                spec
            },
            vec![format!("spec.headers[0].name: must not be Cookie beside {of}.placement in: Cookie: remove it, cookies of the caller are left alone")],
        ),
        (
            headers("${token.realm}"),
            vec!["spec.headers[0].value: must not refer to ${token.realm}, which the answer does not give: add {name: realm, path: …} to token.response.capture".to_owned()],
        ),
        (
            json!({"headers": [{"name": "X", "value": "Bearer ${token}"}]}),
            vec!["spec.headers[0].value: must not refer to ${token}: spec.auth obtains no token".to_owned()],
        ),
        (
            json!({"baseUrl": "https://${token}.example.com"}),
            vec!["spec.baseUrl: must not refer to ${token}: it can be used in headers and query".to_owned()],
        ),
        (
            with("oauth2Password", &json!({"params": {"password": "x", "refresh_token": "y"}})),
            vec![
                "spec.auth.oauth2Password.token.params.password: is set by the method already: remove one of the two".to_owned(),
                "spec.auth.oauth2Password.token.params.refresh_token: is set by the method already: remove one of the two".to_owned(),
            ],
        ),
    ] {
        assert_eq!(problems(&spec), expected, "{spec}");
    }
}

#[test]
fn a_token_may_be_in_headers_and_parameters_of_calls() {
    let mut spec = credentials(&json!({"placement": {"in": "None"}}));
    spec["query"] = json!([{"name": "t", "value": "${token|base64url}"}]);
    assert_eq!(read(&spec).placement, None);
}

#[test]
fn what_refuses_a_token_arrives_and_replaces_the_usual() {
    let of = |change: &Value| {
        let mut spec = credentials(&json!({}));
        let members = change.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(members);
        collection(&spec).refusal
    };
    assert_eq!(of(&json!({})), Refusal::default());
    let refusal = of(&json!({
        "refreshOn": [{"status": 403}, {"status": 200, "bodyPath": "errors.0.code", "bodyEquals": "601"}],
        "retryOnUnauthorized": "Always",
    }));
    let body = BodySign {
        path: "errors.0.code".parse().unwrap(),
        equals: "601".to_owned(),
    };
    let expected = Refusal {
        signs: vec![
            Sign {
                status: 403,
                body: None,
            },
            Sign {
                status: 200,
                body: Some(body),
            },
        ],
        retry: Retry::Always,
    };
    assert_eq!(refusal, expected);
    assert_eq!(of(&json!({"refreshOn": []})).signs, []);
}

#[test]
fn problems_of_refusals_name_the_field() {
    for (sign, expected) in [
        (json!({"status": 100}), "status: must be from 200 to 599"),
        (
            json!({"status": 200, "bodyPath": "a"}),
            "bodyEquals: is required by bodyPath: write what is there",
        ),
        (
            json!({"status": 200, "bodyEquals": "1"}),
            "bodyPath: is required by bodyEquals: write where that is",
        ),
        (
            json!({"status": 200, "bodyPath": "a..b", "bodyEquals": "1"}),
            "bodyPath: has an empty part: write names with one dot between them, and \\. for a dot in a name",
        ),
    ] {
        let mut spec = credentials(&json!({}));
        spec["refreshOn"] = json!([{"status": 401}, sign]);
        assert_eq!(problems(&spec), [format!("spec.refreshOn[1].{expected}")]);
    }
}
