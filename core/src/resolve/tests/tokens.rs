//! What is asked of token endpoints.

mod clients;
mod digests;
pub(super) mod exchanged;
pub(super) mod jwts;
mod mistakes;
mod routes;

use super::*;
use crate::Secret;
use crate::collection::{
    Client, ClientAuthentication, ContentSettings, FieldFormat, FieldValue, Flow, Literal,
    RequestHeader, RequestMethod, RequestSettings, TokenMethod, TokenPlacement,
};
use crate::template::{LateValues, Moment};
use crate::token::{Lifetime, Message, Order, ResponseShape, TokenRequest};

pub(super) fn token_method(flow: Flow) -> TokenMethod {
    let grant_type = flow.grant_type().map(str::to_owned);
    TokenMethod {
        flow,
        steps: Vec::new(),
        refresh: None,
        request: RequestSettings {
            url: template("https://auth.test/token"),
            url_allow: Vec::new(),
            method: RequestMethod::Post,
            headers: vec![],
            grant_type,
            scopes: vec![],
            scope_separator: " ".to_owned(),
            audience: None,
            params: vec![],
            content: ContentSettings::Fields(FieldFormat::Form),
        },
        client: Some(client(ClientAuthentication::Basic)),
        response: ResponseShape::default(),
        base_url_allow: vec![],
        placement: Some(TokenPlacement::default()),
        lifetime: Lifetime::default(),
        mtls: false,
    }
}

pub(super) fn client(authentication: ClientAuthentication) -> Client {
    Client {
        assertion: None,
        id: template("${secret.id}"),
        secret: Some(template("${secret.secret}")),
        authentication,
        id_field: "client_id".to_owned(),
        secret_field: "client_secret".to_owned(),
    }
}

fn password() -> Flow {
    Flow::Password {
        username: template("${secret.user}"),
        password: template("${secret.pass}"),
    }
}

fn refresh_token() -> Flow {
    Flow::RefreshToken {
        refresh_token: template("${secret.refresh}"),
    }
}

fn with_token(method: TokenMethod) -> Collection {
    with_method(Method::Token(Box::new(method)))
}

/// What the Secret of the tests below holds.
const HELD: [(&str, &str); 6] = [
    ("id", "client-1"),
    ("secret", "cl13nt s3cret"),
    ("user", "jane"),
    ("pass", "pa55&word"),
    ("refresh", "r3fresh"),
    ("odd", "a\"b/c"),
];

fn resolved(method: TokenMethod) -> Result<Resolved, Unresolved> {
    in_development(&with_token(method), &with_dev(secret(&HELD)))
}

fn order(method: TokenMethod) -> Order {
    resolved(method).unwrap().order.unwrap()
}

fn asked(order: &Order) -> &TokenRequest {
    order.request.as_ref().unwrap()
}

fn message(request: &TokenRequest) -> Message {
    let refresh = Secret::new("r-now");
    let moment = Moment {
        unix_seconds: 1_795_294_800,
        random: [0; 16],
    };
    let values = LateValues {
        refresh_token: Some(&refresh),
        ..LateValues::at(moment)
    };
    request.message(&values, false).unwrap()
}

fn header(message: &Message, wanted: &str) -> Option<String> {
    let mut found = message.headers.iter().filter(|(name, _)| name == wanted);
    let value = found.next().map(|(_, value)| value.expose().to_owned());
    assert!(found.next().is_none(), "two {wanted}");
    value
}

fn body(message: &Message) -> Option<&str> {
    let body = message.body.as_ref()?;
    Some(std::str::from_utf8(body).unwrap())
}

/// RFC 9700 §2.4.
#[test]
fn a_users_password_is_advised_against_and_nothing_else_is() {
    for (flow, advised) in [(password(), true), (Flow::ClientCredentials, false)] {
        let warnings = resolved(token_method(flow)).unwrap().warnings;
        let kinds: Vec<_> = warnings.iter().map(|warning| warning.kind).collect();
        assert_eq!(kinds.contains(&WarningKind::PasswordGrant), advised);
    }
}

/// RFC 6749 §4.4.2, and §2.3.1 for the client.
#[test]
fn client_credentials_are_asked_for_as_the_standard_has_it() {
    let mut method = token_method(Flow::ClientCredentials);
    method.request.scopes = vec![template("read"), template("write")];
    let order = order(method);
    let message = message(asked(&order));
    assert_eq!(message.method, "POST");
    assert_eq!(message.endpoint.host(), "auth.test");
    assert_eq!(message.endpoint.target().expose(), "/token");
    assert_eq!(
        body(&message),
        Some("grant_type=client_credentials&scope=read+write")
    );
    for (name, value) in [
        ("Accept", "application/json"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        // base64 of client-1:cl13nt+s3cret
        ("Authorization", "Basic Y2xpZW50LTE6Y2wxM250K3MzY3JldA=="),
    ] {
        assert_eq!(header(&message, name).as_deref(), Some(value), "{name}");
    }
    // RFC 6749 §4.4.3.
    assert_eq!(order.refresh, None);
}

/// Requirements 35 and 36; RFC 6749 §4.3.2 and §6.
#[test]
fn a_password_is_exchanged_and_then_the_refresh_token_instead() {
    let mut method = token_method(password());
    method.request.scopes = vec![template("read")];
    method.request.params = vec![text_field("realm", "staff")];
    method.request.audience = Some(template("api"));
    method.client = Some(client(ClientAuthentication::Body));
    let order = order(method);
    assert_eq!(
        body(&message(asked(&order))),
        Some(
            "grant_type=password&username=jane&password=pa55%26word&client_id=client-1\
             &client_secret=cl13nt+s3cret&scope=read&audience=api&realm=staff"
        )
    );
    assert_eq!(
        body(&message(&order.refresh.unwrap())),
        Some(
            "grant_type=refresh_token&refresh_token=r-now&client_id=client-1\
             &client_secret=cl13nt+s3cret&audience=api&realm=staff"
        )
    );
}

fn text_field(name: &str, text: &str) -> (String, FieldValue<Template>) {
    (name.to_owned(), FieldValue::Text(template(text)))
}

#[test]
fn the_refresh_token_in_use_is_sent_and_not_the_first() {
    let order = order(token_method(refresh_token()));
    assert_eq!(order.terms.seed, Some(Secret::new("r3fresh")));
    assert_eq!(order.refresh.as_ref(), order.request.as_ref());
    assert_eq!(
        body(&message(asked(&order))),
        Some("grant_type=refresh_token&refresh_token=r-now")
    );
}

fn custom() -> TokenMethod {
    TokenMethod {
        client: None,
        ..token_method(Flow::Custom { jwt: None })
    }
}

/// Requirements 38 and 39.
#[test]
fn a_custom_request_is_whatever_its_manifest_says() {
    let mut method = custom();
    let body_text = r#"{"key": "<odd>", "team": "${values.team}", "at": ${now.unix}}"#;
    let aliased = |text| Template::parse_with_aliases(text).unwrap();
    method.request.content = ContentSettings::Json(aliased(body_text));
    method.request.headers = vec![RequestHeader {
        name: "X-Client".to_owned(),
        value: aliased("v1 <id>"),
    }];
    let collection = Collection {
        development: Some(Settings {
            values: BTreeMap::from([("team".to_owned(), "a\"b".to_owned())]),
            ..settings("openai-dev")
        }),
        ..with_token(method)
    };
    let keys = secret_keys(&collection, Environment::Development);
    assert_eq!(Vec::from_iter(&keys["openai-dev"]), ["id", "odd"]);
    let resolved = in_development(&collection, &with_dev(secret(&HELD))).unwrap();
    let message = message(asked(&resolved.order.unwrap()));
    assert_eq!(header(&message, "X-Client").as_deref(), Some("v1 client-1"));
    let kind = header(&message, "Content-Type");
    assert_eq!(kind.as_deref(), Some("application/json"));
    assert_eq!(
        body(&message),
        Some(r#"{"key": "a\"b/c", "team": "a\"b", "at": 1795294800}"#)
    );
}

#[test]
fn an_alias_that_is_a_value_needs_no_secret() {
    let mut method = custom();
    let text = Template::parse_with_aliases("<team>").unwrap();
    method.request.content = ContentSettings::Raw(text);
    let mut collection = with_token(method);
    let in_dev = Environment::Development;
    assert_eq!(
        Vec::from_iter(needs(&collection, in_dev).secrets),
        ["openai-dev"]
    );
    let values = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
    collection.development = Some(Settings {
        values,
        ..settings("openai-dev")
    });
    assert_eq!(needs(&collection, in_dev), Needs::default());
    let resolved = in_development(&collection, &Material::default()).unwrap();
    let message = message(asked(&resolved.order.unwrap()));
    assert_eq!(body(&message), Some("blue"));
    assert_eq!(header(&message, "Content-Type"), None);
}

#[test]
fn fields_are_written_in_every_format() {
    let nested = FieldValue::Object(vec![
        text_field("name", "${secret.odd}"),
        (
            "n".to_owned(),
            FieldValue::Literal(Literal::of(&7.into()).unwrap()),
        ),
    ]);
    for (http, format, target, expected) in [
        (
            RequestMethod::Put,
            FieldFormat::Form,
            "/token",
            Some("grant_type=x&k=a%22b%2Fc"),
        ),
        (
            RequestMethod::Post,
            FieldFormat::Query,
            "/token?grant_type=x&k=a%22b%2Fc",
            None,
        ),
        (
            RequestMethod::Get,
            FieldFormat::Json,
            "/token?grant_type=x&k=a%22b%2Fc",
            None,
        ),
        (
            RequestMethod::Post,
            FieldFormat::Json,
            "/token",
            Some(r#"{"grant_type":"x","k":"a\"b/c","c":{"name":"a\"b/c","n":7}}"#),
        ),
    ] {
        let mut method = custom();
        method.request.method = http;
        method.request.grant_type = Some("x".to_owned());
        method.request.content = ContentSettings::Fields(format);
        method.request.params = vec![text_field("k", "${secret.odd}")];
        if expected.is_some_and(|body| body.starts_with('{')) {
            method.request.params.push(("c".to_owned(), nested.clone()));
        }
        let message = message(asked(&order(method)));
        assert_eq!(message.method, http.as_str());
        assert_eq!(message.endpoint.target().expose(), target);
        assert_eq!(body(&message), expected);
        let kind = header(&message, "Content-Type");
        assert_eq!(kind.is_some(), expected.is_some());
    }
}

#[test]
fn a_request_with_nothing_to_say_has_no_body_and_no_content_type() {
    for format in [FieldFormat::Form, FieldFormat::Json, FieldFormat::Query] {
        let mut method = custom();
        method.request.content = ContentSettings::Fields(format);
        let message = message(asked(&order(method)));
        assert_eq!(message.body, None);
        assert_eq!(header(&message, "Content-Type"), None);
        assert_eq!(message.endpoint.target().expose(), "/token");
    }
}

#[test]
fn headers_of_the_manifest_replace_those_that_every_request_has() {
    let mut method = custom();
    let own = |name: &str, value| RequestHeader {
        name: name.to_owned(),
        value: template(value),
    };
    method.request.headers = vec![own("accept", "*/*"), own("USER-AGENT", "${values.app}")];
    let collection = Collection {
        development: Some(Settings {
            values: BTreeMap::from([("app".to_owned(), "shop/1".to_owned())]),
            ..settings("openai-dev")
        }),
        ..with_token(method)
    };
    let resolved = in_development(&collection, &material()).unwrap();
    let message = message(asked(&resolved.order.unwrap()));
    let names: Vec<&str> = message.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["accept", "USER-AGENT"]);
}

#[test]
fn a_token_url_takes_values_that_cannot_leave_their_place() {
    let mut method = custom();
    method.request.url = template("https://auth.test/${secret.odd}/token?tenant=${secret.odd}");
    let message = message(asked(&order(method)));
    assert_eq!(
        message.endpoint.target().expose(),
        "/a%22b%2Fc/token?tenant=a%22b%2Fc"
    );
    let mut method = custom();
    method.request.url = template("${baseUrl}/token");
    let message = self::message(asked(&order(method)));
    assert_eq!(message.endpoint.host(), "api.openai.com");
}

#[test]
fn what_comes_late_into_a_url_is_looked_at_again() {
    let mut method = token_method(refresh_token());
    method.request.url = template("https://auth.test/${uuid}");
    let order = order(method);
    assert_eq!(
        message(asked(&order)).endpoint.target().expose(),
        "/00000000-0000-4000-8000-000000000000"
    );
}
