//! Blocks that say how a JWT is made.

use std::time::Duration;

use credence_core::collection::{
    Audience, ClientAuthentication, FieldValue, Flow, JwtSettings, TokenMethod,
};
use credence_core::jwt::{Algorithm, KeyFormat};

use super::*;

const URL: &str = "https://auth.example.com/token";

/// A collection with this method, whose blocks have these members.
fn with(method: &str, jwt: &Value, token: &Value) -> Value {
    let mut block = json!({"url": URL});
    let members = token.as_object().unwrap().clone();
    block.as_object_mut().unwrap().extend(members);
    json!({"baseUrl": "https://api.example.com", "auth": {method: {"jwt": jwt, "token": block}}})
}

fn bearer(jwt: &Value) -> Value {
    with("jwtBearer", jwt, &json!({}))
}

fn signed(jwt: &Value) -> Value {
    json!({"baseUrl": "https://api.example.com", "auth": {"signedJwt": {"jwt": jwt}}})
}

fn asserting(client: &Value) -> Value {
    let token = json!({"url": URL, "client": client});
    json!({"baseUrl": "https://api.example.com", "auth": {"oauth2ClientCredentials": {"token": token}}})
}

fn read(spec: &Value) -> TokenMethod {
    let Method::Token(method) = collection(spec).method else {
        panic!("{spec}");
    };
    *method
}

fn jwt(spec: &Value) -> JwtSettings {
    match collection(spec).method {
        Method::Token(method) => method.flow.jwt().unwrap().clone(),
        Method::SignedJwt(signed) => signed.jwt,
        other => panic!("{other:?}"),
    }
}

fn text(template: Option<&Template>) -> Option<&str> {
    template.map(Template::as_str)
}

#[test]
fn what_a_jwt_leaves_out_is_as_most_providers_want_it() {
    let key = json!({"key": "${secret.k}"});
    for spec in [bearer(&key), signed(&key)] {
        let jwt = jwt(&spec);
        assert_eq!(jwt.algorithm, Algorithm::Rs256);
        assert_eq!(jwt.key_format, KeyFormat::Auto);
        assert_eq!(jwt.kind.as_deref(), Some("JWT"));
        assert_eq!(jwt.audience, Audience::Endpoint);
        assert_eq!(jwt.lifetime, Duration::from_secs(300));
        assert_eq!(jwt.backdate, Duration::from_secs(60));
    }
    let method = read(&bearer(&key));
    assert_eq!(
        method.request.grant_type.as_deref(),
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer")
    );
    let Method::SignedJwt(signed) = collection(&signed(&key)).method else {
        panic!("not signed");
    };
    assert_eq!(signed.placement.unwrap().prefix, "Bearer ");
}

#[test]
fn every_field_of_a_jwt_arrives() {
    let jwt = jwt(&bearer(&json!({
        "algorithm": "EdDSA",
        "key": "${secret.file#/private_key}",
        "keyFormat": "Pem",
        "keyId": "${secret.file#/private_key_id}",
        "type": "",
        "headers": {"x": "${values.x}"},
        "certificate": "${secret.tls.crt}",
        "issuer": "${values.account|upper}.${jwt.keyFingerprint}",
        "subject": "${secret.user}",
        "audience": "",
        "scopes": ["a", "${values.scope}"],
        "claims": {"deep": {"list": ["${uuid}", 7, true, null]}},
        "lifetimeSeconds": 600,
        "backdateSeconds": 0,
    })));
    assert_eq!(jwt.algorithm, Algorithm::EdDsa);
    assert_eq!(jwt.key.as_str(), "${secret.file#/private_key}");
    assert_eq!(jwt.key_format, KeyFormat::Pem);
    assert_eq!(
        text(jwt.key_id.as_ref()),
        Some("${secret.file#/private_key_id}")
    );
    assert_eq!(jwt.kind, None);
    assert_eq!(jwt.headers.len(), 1);
    assert_eq!(text(jwt.certificate.as_ref()), Some("${secret.tls.crt}"));
    assert!(jwt.issuer.unwrap().references().key_fingerprint);
    assert_eq!(text(jwt.subject.as_ref()), Some("${secret.user}"));
    assert_eq!(jwt.audience, Audience::None);
    assert_eq!(jwt.scopes.len(), 2);
    let [(name, FieldValue::Object(deep))] = &*jwt.claims else {
        panic!("{:?}", jwt.claims);
    };
    assert_eq!((name.as_str(), deep.len()), ("deep", 1));
    assert_eq!(jwt.lifetime, Duration::from_secs(600));
    assert_eq!(jwt.backdate, Duration::ZERO);
}

#[test]
fn a_client_signs_with_its_key_or_with_its_secret() {
    let method = read(&asserting(&json!({
        "id": "app",
        "authentication": "PrivateKeyJwt",
        "assertion": {"key": "${secret.k}", "algorithm": "ES384"},
    })));
    let client = method.client.unwrap();
    assert_eq!(client.authentication, ClientAuthentication::PrivateKeyJwt);
    assert_eq!(client.assertion.unwrap().algorithm, Algorithm::Es384);
    let method = read(&asserting(&json!({
        "id": "app",
        "authentication": "ClientSecretJwt",
        "secret": "${secret.s}",
    })));
    let client = method.client.unwrap();
    assert_eq!(client.secret, None);
    let assertion = client.assertion.unwrap();
    assert_eq!(assertion.algorithm, Algorithm::Hs256);
    assert_eq!(assertion.key.as_str(), "${secret.s}");
    let method = read(&asserting(
        &json!({"id": "app", "authentication": "TlsClientAuth"}),
    ));
    assert!(method.mtls);
}

#[test]
fn a_custom_request_may_refer_to_its_jwt() {
    let custom = |jwt: &Value| {
        let token = json!({
            "url": "https://auth.example.com/${values.app}",
            "headers": [{"name": "Authorization", "value": "Bearer ${jwt}"}],
            "params": {"by": "${jwt.keyFingerprint}"},
        });
        with("oauth2CustomToken", jwt, &token)
    };
    let method = read(&custom(&json!({"key": "${secret.k}"})));
    assert!(matches!(method.flow, Flow::Custom { jwt: Some(_) }));
    let mut without = custom(&json!({}));
    let auth = &mut without["auth"]["oauth2CustomToken"];
    auth.as_object_mut().unwrap().remove("jwt");
    let at = "spec.auth.oauth2CustomToken.token";
    assert_eq!(
        problems(&without),
        [
            format!("{at}.headers[0].value: must not refer to ${{jwt}}: no JWT is signed here"),
            format!(
                "{at}.params.by: must not refer to ${{jwt.keyFingerprint}}: no JWT is signed here"
            ),
        ]
    );
}

#[test]
fn a_jwt_is_referred_to_only_where_one_is_signed() {
    for (spec, field, name) in [
        (
            json!({"baseUrl": "https://api.example.com", "headers": [{"name": "X", "value": "${jwt}"}]}),
            "spec.headers[0].value",
            "jwt",
        ),
        (
            json!({"baseUrl": "https://${jwt.keyFingerprint}"}),
            "spec.baseUrl",
            "jwt.keyFingerprint",
        ),
        (
            json!({"baseUrl": "https://api.example.com", "auth": {"apiKey": {"in": "Query", "name": "k", "value": "${secret.k}${jwt}"}}}),
            "spec.auth.apiKey.value",
            "jwt",
        ),
        (
            asserting(&json!({"id": "${jwt}", "secret": "${secret.s}"})),
            "spec.auth.oauth2ClientCredentials.token.client.id",
            "jwt",
        ),
    ] {
        let told = format!("{field}: must not refer to ${{{name}}}: no JWT is signed here");
        assert_eq!(problems(&spec), [told]);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let jwt = "spec.auth.jwtBearer.jwt";
    let client = "spec.auth.oauth2ClientCredentials.token.client";
    let key = |more: &Value| {
        let mut block = json!({"key": "${secret.k}"});
        let members = more.as_object().unwrap().clone();
        block.as_object_mut().unwrap().extend(members);
        bearer(&block)
    };
    for (spec, expected) in [
        (
            bearer(&json!({})),
            format!("{jwt}.key: is required: write \"${{secret.private-key}}\""),
        ),
        (
            bearer(&json!({"key": "literal"})),
            format!("{jwt}.key: must come from the Secret, such as \"${{secret.private-key}}\""),
        ),
        (
            key(&json!({"claims": {"exp": 1}})),
            format!("{jwt}.claims.exp: is set by lifetimeSeconds already: remove it here"),
        ),
        (
            key(&json!({"headers": {"alg": "none"}})),
            format!("{jwt}.headers.alg: is set by algorithm already: remove it here"),
        ),
        (
            key(&json!({"issuer": "a", "claims": {"iss": "b"}})),
            format!("{jwt}.claims.iss: is set by issuer already: remove it here"),
        ),
        (
            key(&json!({"issuer": "${jwt}"})),
            format!("{jwt}.issuer: must not refer to ${{jwt}}, of which it is a part"),
        ),
        (
            key(&json!({"issuer": "${token}"})),
            format!("{jwt}.issuer: must not refer to ${{token}}, which is what the request asks for"),
        ),
        (
            key(&json!({"algorithm": "HS256", "claims": {"a": ["${jwt.keyFingerprint}"]}})),
            format!(
                "{jwt}.claims.a[0]: must not refer to ${{jwt.keyFingerprint}}: a shared key has no public half"
            ),
        ),
        (
            key(&json!({"lifetimeSeconds": 60})),
            format!(
                "{jwt}.backdateSeconds: must be less than lifetimeSeconds: the JWT would be over before it is sent"
            ),
        ),
        (
            with("jwtBearer", &json!({"key": "${secret.k}"}), &json!({"bodyFormat": "Raw", "body": "x"})),
            "spec.auth.jwtBearer.token.body: must hold ${jwt}: no field is sent beside body".to_owned(),
        ),
        (
            with("jwtBearer", &json!({"key": "${secret.k}"}), &json!({"params": {"assertion": "x"}})),
            "spec.auth.jwtBearer.token.params.assertion: is set by the method already: remove one of the two"
                .to_owned(),
        ),
        (
            with("jwtBearer", &json!({"key": "${secret.k}"}), &json!({"url": "https://a.test/${jwt}"})),
            format!("{jwt}.audience: is required where token.url refers to ${{jwt}}: write whom the JWT is for"),
        ),
        (
            asserting(&json!({"id": "app", "authentication": "PrivateKeyJwt"})),
            format!(
                "{client}.assertion: is required by authentication: PrivateKeyJwt: write {{key: \"${{secret.private-key}}\"}}"
            ),
        ),
        (
            asserting(&json!({"id": "app", "assertion": {"key": "${secret.k}"}})),
            format!("{client}.assertion: is not used by authentication: None: remove it"),
        ),
        (
            asserting(&json!({
                "id": "app", "authentication": "PrivateKeyJwt",
                "assertion": {"key": "${secret.k}", "algorithm": "HS256"},
            })),
            format!(
                "{client}.assertion.algorithm: must not be HS256 for authentication: PrivateKeyJwt: write another or leave it out"
            ),
        ),
        (
            asserting(&json!({
                "id": "app", "authentication": "PrivateKeyJwt",
                "assertion": {"key": "${secret.k}", "claims": {"jti": "1"}},
            })),
            format!("{client}.assertion.claims.jti: is set by the method already: remove it here"),
        ),
        (
            asserting(&json!({
                "id": "app", "authentication": "ClientSecretJwt", "secret": "${secret.s}",
                "assertion": {"key": "${secret.k}"},
            })),
            format!(
                "{client}.assertion.key: is not used by authentication: ClientSecretJwt, which signs with client.secret: remove it"
            ),
        ),
    ] {
        assert_eq!(problems(&spec), [expected], "{spec}");
    }
}

#[test]
fn a_signed_jwt_can_be_placed_by_hand() {
    let mut spec = signed(&json!({"key": "${secret.k}"}));
    spec["auth"]["signedJwt"]["placement"] = json!({"in": "None"});
    assert_eq!(
        problems(&spec),
        [
            "spec.auth.signedJwt.placement: is None, and nothing refers to the token: write ${token} into \
             spec.headers or spec.query"
        ]
    );
    spec["headers"] = json!([{"name": "Authorization", "value": "Ghost ${token}"}]);
    assert!(matches!(collection(&spec).method, Method::SignedJwt(_)));
}

#[test]
fn a_jwt_that_calls_are_made_with_is_good_for_half_a_minute_at_least() {
    let lasting = |lifetime: i32, backdate: i32| json!({"key": "${secret.k}", "lifetimeSeconds": lifetime, "backdateSeconds": backdate});
    for (lifetime, backdate, least) in [(1, 0, 30), (29, 0, 30), (89, 60, 90), (61, 60, 90)] {
        let told = format!(
            "spec.auth.signedJwt.jwt.lifetimeSeconds: must be at least 30 more than backdateSeconds: \
             the JWT is sent until it ends: write {least} or more"
        );
        assert_eq!(problems(&signed(&lasting(lifetime, backdate))), [told]);
    }
    for (lifetime, backdate) in [(30, 0), (90, 60)] {
        jwt(&signed(&lasting(lifetime, backdate)));
    }
    // Each of these is sent once.
    jwt(&bearer(&lasting(1, 0)));
    let over = "spec.auth.signedJwt.jwt.backdateSeconds: must be less than lifetimeSeconds: \
                the JWT would be over before it is sent";
    assert_eq!(problems(&signed(&lasting(60, 60))), [over]);
}
