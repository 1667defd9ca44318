use std::collections::BTreeMap;

use super::*;
use crate::base_url::Scheme;
use crate::bundle::{Forwarding, OnConflict, Placed, Refusal, Timeouts};
use crate::collection::{DevelopmentFallback, Field, Method, Placement, Scope, Settings, TrustRef};
use crate::template::Template;

mod certificates;
mod messages;
mod placements;
mod secrecy;
mod signing;
mod tokens;

/// When everything here happens.
fn now() -> Timestamp {
    "2026-11-21T20:00:00Z".parse().unwrap()
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn settings(secret: &str) -> Settings {
    Settings {
        secret: Some(secret.to_owned()),
        ..Settings::default()
    }
}

fn api_key(placement: Placement, value: &str) -> Method {
    Method::ApiKey {
        placement,
        value: template(value),
    }
}

fn header(name: &str) -> Placement {
    Placement::Header(name.to_owned())
}

fn query(name: &str) -> Placement {
    Placement::Query(name.to_owned())
}

fn basic(username: &str, password: &str) -> Method {
    Method::Basic {
        username: template(username),
        password: template(password),
    }
}

/// The collection of the README.
fn openai() -> Collection {
    Collection {
        name: "openai".parse().unwrap(),
        scope: Scope::Namespace {
            service_accounts: None,
        },
        base_url: Some(template("https://api.openai.com/v1")),
        method: api_key(header("Authorization"), "Bearer ${secret.api-key}"),
        headers: vec![],
        query: vec![],
        live: Some(settings("openai-live")),
        development: Some(settings("openai-dev")),
        development_fallback: DevelopmentFallback::Deny,
        forwarding: Forwarding::default(),
        timeouts: Timeouts::default(),
        refusal: Refusal::default(),
        sidecar_port: None,
        verification: None,
    }
}

fn with_method(method: Method) -> Collection {
    Collection { method, ..openai() }
}

fn with_development(development: Settings) -> Collection {
    Collection {
        development: Some(development),
        ..openai()
    }
}

fn field(name: &str, value: &str) -> Field {
    Field {
        name: name.to_owned(),
        value: template(value),
        on_conflict: OnConflict::IfAbsent,
    }
}

fn secret(entries: &[(&str, &str)]) -> SecretObject {
    SecretObject {
        kind: "Opaque".to_owned(),
        data: entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into()))
            .collect(),
        ..SecretObject::default()
    }
}

/// Both Secrets of the README.
fn material() -> Material {
    Material {
        secrets: BTreeMap::from([
            (
                "openai-live".to_owned(),
                secret(&[("api-key", "sk-live\n")]),
            ),
            ("openai-dev".to_owned(), secret(&[("api-key", "sk-dev\n")])),
        ]),
        ..Material::default()
    }
}

fn with_dev(secret: SecretObject) -> Material {
    let mut material = material();
    material.secrets.insert("openai-dev".to_owned(), secret);
    material
}

fn in_development(collection: &Collection, material: &Material) -> Result<Resolved, Unresolved> {
    resolve(collection, Environment::Development, material, now())
}

fn shown(placed: &[Placed]) -> Vec<(&str, &str, OnConflict)> {
    placed
        .iter()
        .map(|placed| {
            (
                placed.name.as_str(),
                placed.value.fixed().unwrap(),
                placed.on_conflict,
            )
        })
        .collect()
}

/// Requirements 25 and 72.
#[test]
fn each_environment_gets_its_own_key() {
    for (environment, name, key) in [
        (Environment::Development, "openai-dev", "Bearer sk-dev"),
        (Environment::Live, "openai-live", "Bearer sk-live"),
    ] {
        let resolved = resolve(&openai(), environment, &material(), now()).unwrap();
        assert_eq!(resolved.secret.as_deref(), Some(name));
        assert_eq!(
            resolved.route.base_url.to_string(),
            "https://api.openai.com/v1"
        );
        assert!(!resolved.uses_live_fallback);
        let headers = shown(&resolved.route.headers);
        assert_eq!(headers, [("Authorization", key, OnConflict::Replace)]);
    }
}

#[test]
fn only_the_active_environment_is_asked_for() {
    let development = needs(&openai(), Environment::Development);
    assert_eq!(Vec::from_iter(development.secrets), ["openai-dev"]);
    let live = needs(&openai(), Environment::Live);
    assert_eq!(Vec::from_iter(live.secrets), ["openai-live"]);
}

/// Requirement 16.
#[test]
fn development_never_asks_for_the_live_secret_without_a_fallback() {
    let without = |development_fallback| Collection {
        development: None,
        development_fallback,
        ..openai()
    };
    let deny = without(DevelopmentFallback::Deny);
    assert_eq!(needs(&deny, Environment::Development), Needs::default());

    let use_live = without(DevelopmentFallback::UseLive);
    let needs = needs(&use_live, Environment::Development);
    assert_eq!(Vec::from_iter(needs.secrets), ["openai-live"]);
    let resolved = in_development(&use_live, &material()).unwrap();
    assert!(resolved.uses_live_fallback);
    assert_eq!(resolved.secret.as_deref(), Some("openai-live"));
}

#[test]
fn a_secret_that_nothing_refers_to_is_not_asked_for() {
    let collection = with_method(Method::None);
    assert_eq!(needs(&collection, Environment::Live), Needs::default());
    let resolved = resolve(&collection, Environment::Live, &Material::default(), now()).unwrap();
    assert_eq!(resolved.secret, None);
    assert_eq!(resolved.route.headers, []);
}

#[test]
fn the_method_wins_over_fields_of_the_same_name() {
    let collection = Collection {
        headers: vec![
            field("AUTHORIZATION", "${secret.none}"),
            field("X-Team", "${values.team}"),
        ],
        query: vec![field("Authorization", "stays")],
        development: Some(Settings {
            values: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
            allow_private_networks: true,
            ..settings("openai-dev")
        }),
        ..openai()
    };
    let route = in_development(&collection, &material()).unwrap().route;
    assert_eq!(
        shown(&route.headers),
        [
            ("X-Team", "payments", OnConflict::IfAbsent),
            ("Authorization", "Bearer sk-dev", OnConflict::Replace),
        ]
    );
    assert_eq!(
        shown(&route.query),
        [("Authorization", "stays", OnConflict::IfAbsent)]
    );
    assert!(route.allow_private_networks);
}

/// Requirement 28.
#[test]
fn a_key_in_the_query_is_not_encoded_yet() {
    let collection = with_method(api_key(query("key"), "${secret.api-key}"));
    let material = with_dev(secret(&[("api-key", "a&b")]));
    let route = in_development(&collection, &material).unwrap().route;
    assert_eq!(shown(&route.query), [("key", "a&b", OnConflict::Replace)]);
}

/// Requirements 31, 32 and 34.
#[test]
fn basic_follows_rfc_7617() {
    for (username, password, expected) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("test", "123\u{a3}", "Basic dGVzdDoxMjPCow=="),
        ("username", "password", "Basic dXNlcm5hbWU6cGFzc3dvcmQ="),
        ("key", "", "Basic a2V5Og=="),
        ("key", "x", "Basic a2V5Ong="),
        ("", "key", "Basic OmtleQ=="),
    ] {
        let collection = with_method(basic("${secret.username}", "${secret.password}"));
        let material = with_dev(secret(&[("username", username), ("password", password)]));
        let route = in_development(&collection, &material).unwrap().route;
        let expected = ("Authorization", expected, OnConflict::Replace);
        assert_eq!(shown(&route.headers), [expected]);
    }
}

/// Requirement 23.
#[test]
fn without_a_method_headers_and_parameters_may_be_secret_all_the_same() {
    let collection = Collection {
        headers: vec![field("X-Key", "${secret.api-key}")],
        query: vec![field("sig", "${secret.api-key|sha256hex}")],
        ..with_method(Method::None)
    };
    let resolved = in_development(&collection, &material()).unwrap();
    assert_eq!(resolved.secret.as_deref(), Some("openai-dev"));
    assert_eq!(resolved.route.headers[0].value.fixed(), Some("sk-dev"));
    let digest = resolved.route.query[0].value.fixed().unwrap();
    assert_eq!(digest.len(), 64);
}

#[test]
fn base_urls_take_values_of_their_environment() {
    let collection = Collection {
        base_url: Some(template("https://${values.tenant}.example.com")),
        live: Some(Settings {
            base_url: Some(template("https://live.example.com")),
            ..settings("openai-live")
        }),
        development: Some(Settings {
            values: BTreeMap::from([("tenant".to_owned(), "acme".to_owned())]),
            ..settings("openai-dev")
        }),
        ..openai()
    };
    for (environment, expected) in [
        (Environment::Development, "https://acme.example.com"),
        (Environment::Live, "https://live.example.com"),
    ] {
        let resolved = resolve(&collection, environment, &material(), now()).unwrap();
        assert_eq!(resolved.route.base_url.to_string(), expected);
    }
}

/// Requirement 16.
#[test]
fn a_label_keeps_a_secret_in_its_environment() {
    let labelled = |label: &str| SecretObject {
        environment: Some(label.to_owned()),
        ..secret(&[("api-key", "k")])
    };
    let both = |label: &str| Material {
        secrets: BTreeMap::from([
            ("openai-live".to_owned(), labelled(label)),
            ("openai-dev".to_owned(), labelled(label)),
        ]),
        ..Material::default()
    };
    let fallback = Collection {
        development: None,
        development_fallback: DevelopmentFallback::UseLive,
        ..openai()
    };
    for (collection, environment, label, allowed) in [
        (openai(), Environment::Live, "live", true),
        (openai(), Environment::Live, "development", false),
        (openai(), Environment::Live, "prod", false),
        (openai(), Environment::Development, "development", true),
        (openai(), Environment::Development, "live", false),
        (openai(), Environment::Development, "", false),
        (fallback, Environment::Development, "live", true),
    ] {
        let resolved = resolve(&collection, environment, &both(label), now());
        let reason = resolved.map(|_| ()).map_err(|unresolved| unresolved.reason);
        let expected = if allowed {
            Ok(())
        } else {
            Err(Reason::SecretOfOtherEnvironment)
        };
        assert_eq!(reason, expected, "{label} in {environment}");
    }
}
