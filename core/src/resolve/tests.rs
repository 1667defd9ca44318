use std::collections::BTreeMap;

use super::*;
use crate::bundle::OnConflict;
use crate::collection::{DevelopmentFallback, Field, Method, Settings};
use crate::template::Template;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn settings(secret: &str) -> Settings {
    Settings {
        secret: Some(secret.to_owned()),
        ..Settings::default()
    }
}

fn api_key(place: Place, name: &str, value: &str) -> Method {
    Method::ApiKey {
        place,
        name: name.to_owned(),
        value: template(value),
    }
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
        base_url: Some(template("https://api.openai.com/v1")),
        method: api_key(Place::Header, "Authorization", "Bearer ${secret.api-key}"),
        headers: vec![],
        query: vec![],
        live: Some(settings("openai-live")),
        development: Some(settings("openai-dev")),
        development_fallback: DevelopmentFallback::Deny,
        service_accounts: None,
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
        environment: None,
        data: entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into()))
            .collect(),
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
        config_maps: BTreeMap::new(),
    }
}

fn with_dev(secret: SecretObject) -> Material {
    let mut material = material();
    material.secrets.insert("openai-dev".to_owned(), secret);
    material
}

fn in_development(collection: &Collection, material: &Material) -> Result<Resolved, Unresolved> {
    resolve(collection, Environment::Development, material)
}

fn shown(placed: &[Placed]) -> Vec<(&str, &str, OnConflict)> {
    placed
        .iter()
        .map(|placed| {
            (
                placed.name.as_str(),
                placed.value.expose(),
                placed.on_conflict,
            )
        })
        .collect()
}

#[test]
fn each_environment_gets_its_own_key() {
    for (environment, name, key) in [
        (Environment::Development, "openai-dev", "Bearer sk-dev"),
        (Environment::Live, "openai-live", "Bearer sk-live"),
    ] {
        let resolved = resolve(&openai(), environment, &material()).unwrap();
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
    let resolved = resolve(&collection, Environment::Live, &Material::default()).unwrap();
    assert_eq!(resolved.secret, None);
    assert_eq!(resolved.route.headers, []);
}

#[test]
fn certificates_are_asked_for_where_they_are() {
    for (kind, secrets, config_maps) in [
        (TrustKind::Secret, vec!["ca", "openai-dev"], vec![]),
        (TrustKind::ConfigMap, vec!["openai-dev"], vec!["ca"]),
    ] {
        let collection = with_development(trusting(kind));
        let needs = needs(&collection, Environment::Development);
        assert_eq!(Vec::from_iter(needs.secrets), secrets);
        assert_eq!(Vec::from_iter(needs.config_maps), config_maps);
    }
}

fn trusting(kind: TrustKind) -> Settings {
    Settings {
        trust: Some(TrustRef {
            kind,
            name: "ca".to_owned(),
            key: "ca.crt".to_owned(),
        }),
        ..settings("openai-dev")
    }
}

#[test]
fn certificates_come_without_what_stands_beside_them() {
    let pem = format!("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n{PEM}");
    let mut material = material();
    material
        .secrets
        .insert("ca".to_owned(), secret(&[("ca.crt", &pem)]));
    let data = BTreeMap::from([("ca.crt".to_owned(), pem)]);
    material.config_maps.insert("ca".to_owned(), data);
    for kind in [TrustKind::Secret, TrustKind::ConfigMap] {
        let resolved = in_development(&with_development(trusting(kind)), &material).unwrap();
        assert_eq!(resolved.route.trust.as_deref(), Some(PEM));
    }
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

#[test]
fn a_key_in_the_query_is_not_encoded_yet() {
    let collection = with_method(api_key(Place::Query, "key", "${secret.api-key}"));
    let material = with_dev(secret(&[("api-key", "a&b")]));
    let route = in_development(&collection, &material).unwrap().route;
    assert_eq!(shown(&route.query), [("key", "a&b", OnConflict::Replace)]);
}

#[test]
fn basic_follows_rfc_7617() {
    for (username, password, expected) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("test", "123\u{a3}", "Basic dGVzdDoxMjPCow=="),
        ("key", "", "Basic a2V5Og=="),
        ("", "key", "Basic OmtleQ=="),
    ] {
        let collection = with_method(basic("${secret.username}", "${secret.password}"));
        let material = with_dev(secret(&[("username", username), ("password", password)]));
        let route = in_development(&collection, &material).unwrap().route;
        let expected = ("Authorization", expected, OnConflict::Replace);
        assert_eq!(shown(&route.headers), [expected]);
    }
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
        let resolved = resolve(&collection, environment, &material()).unwrap();
        assert_eq!(resolved.route.base_url.to_string(), expected);
    }
}

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
        config_maps: BTreeMap::new(),
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
        let resolved = resolve(&collection, environment, &both(label));
        let reason = resolved.map(|_| ()).map_err(|unresolved| unresolved.reason);
        let expected = if allowed {
            Ok(())
        } else {
            Err(Reason::SecretOfOtherEnvironment)
        };
        assert_eq!(reason, expected, "{label} in {environment}");
    }
}

/// A collection in development, what there is, and what its author is told.
struct Told {
    collection: Collection,
    material: Material,
    reason: Reason,
    field: &'static str,
    message: &'static str,
}

#[expect(clippy::too_many_lines, reason = "one row for each message")]
fn told() -> Vec<Told> {
    let row = |collection, material, reason, field, message| Told {
        collection,
        material,
        reason,
        field,
        message,
    };
    let key = "spec.auth.apiKey.value";
    let without_secret = |development| Collection {
        development,
        ..openai()
    };
    let pointing = || with_method(api_key(Place::Header, "A", "${secret.json#/token}"));
    let base_url = |text: &str| Collection {
        base_url: Some(template(text)),
        ..openai()
    };
    let labelled = SecretObject {
        environment: Some("live".to_owned()),
        ..secret(&[("api-key", "k")])
    };
    let account = SecretObject {
        kind: "kubernetes.io/service-account-token".to_owned(),
        ..secret(&[("api-key", "k")])
    };
    let binary = SecretObject {
        data: BTreeMap::from([("api-key".to_owned(), vec![0xff].into())]),
        ..secret(&[])
    };
    let many: Vec<String> = (10..35).map(|n| format!("unrelated{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
    let config_map = |key: &str, value: &str| Material {
        config_maps: BTreeMap::from([(
            "ca".to_owned(),
            BTreeMap::from([(key.to_owned(), value.to_owned())]),
        )]),
        ..material()
    };
    let empty_value = Collection {
        headers: vec![field("X-Team", "${values.team}")],
        ..with_development(Settings {
            values: BTreeMap::from([("team".to_owned(), String::new())]),
            ..settings("openai-dev")
        })
    };
    let broken_value = Collection {
        query: vec![field("team", "${values.team}")],
        ..with_development(Settings {
            values: BTreeMap::from([("team".to_owned(), "a\tb".to_owned())]),
            ..settings("openai-dev")
        })
    };
    let missing_value = Collection {
        headers: vec![field("X-Team", "${values.team}")],
        ..openai()
    };
    vec![
        row(
            without_secret(Some(Settings::default())),
            material(),
            Reason::SecretRefMissing,
            "spec.development.secretRef",
            "spec.auth.apiKey.value refers to ${secret.api-key}, but the development environment names no Secret. \
             Add spec.development.secretRef.",
        ),
        row(
            without_secret(None),
            material(),
            Reason::SecretRefMissing,
            "spec.development.secretRef",
            "spec.auth.apiKey.value refers to ${secret.api-key}, but the development environment names no Secret. \
             Add spec.development.secretRef (or set spec.developmentFallback to UseLive, if live credentials may \
             be used in development).",
        ),
        row(
            openai(),
            Material::default(),
            Reason::SecretNotFound,
            "spec.development.secretRef.name",
            "Secret \"openai-dev\" does not exist. Create it or change spec.development.secretRef.name.",
        ),
        row(
            openai(),
            with_dev(account),
            Reason::SecretTypeForbidden,
            "spec.development.secretRef.name",
            "Secret \"openai-dev\" is of type kubernetes.io/service-account-token, which is never sent to a \
             provider. Put the credential into a Secret of type Opaque and name that in \
             spec.development.secretRef.name.",
        ),
        row(
            openai(),
            with_dev(labelled),
            Reason::SecretOfOtherEnvironment,
            "spec.development.secretRef.name",
            "Secret \"openai-dev\" has the label credence.dev/environment: live and is not used in a development \
             namespace. Name another Secret in spec.development.secretRef.name or correct the label.",
        ),
        row(
            openai(),
            with_dev(secret(&[("apikey", "k")])),
            Reason::SecretKeyMissing,
            key,
            "Secret \"openai-dev\" has no key \"api-key\" (it has: apikey). \
             Rename the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[("API-KEY", "k"), ("other", "k")])),
            Reason::SecretKeyMissing,
            key,
            "Secret \"openai-dev\" has no key \"api-key\" (it has: API-KEY, other). \
             Rename the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[])),
            Reason::SecretKeyMissing,
            key,
            "Secret \"openai-dev\" has no key \"api-key\" (it has: none). \
             Add the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&many)),
            Reason::SecretKeyMissing,
            key,
            "Secret \"openai-dev\" has no key \"api-key\" (it has: unrelated10, unrelated11, unrelated12, \
             unrelated13, unrelated14, unrelated15, unrelated16, unrelated17, unrelated18, unrelated19, \
             unrelated20, unrelated21, unrelated22, unrelated23, unrelated24, unrelated25, unrelated26, \
             unrelated27, unrelated28, unrelated29 and 5 more). Add the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[("api-key", "\n")])),
            Reason::SecretValueEmpty,
            key,
            "Key \"api-key\" of Secret \"openai-dev\" is empty. Store the value or change spec.auth.apiKey.value.",
        ),
        row(
            with_method(basic("${secret.username}", "${secret.password}")),
            with_dev(secret(&[("username", ""), ("password", "")])),
            Reason::SecretValueEmpty,
            "spec.auth.basic",
            "User name and password in Secret \"openai-dev\" are both empty. Store at least one of them.",
        ),
        row(
            openai(),
            with_dev(binary),
            Reason::SecretValueNotText,
            key,
            "Key \"api-key\" of Secret \"openai-dev\" is not UTF-8 text. \
             Store text or write ${secret.api-key|base64} in spec.auth.apiKey.value.",
        ),
        row(
            pointing(),
            with_dev(secret(&[("json", "token")])),
            Reason::SecretValueNotJson,
            key,
            "Key \"json\" of Secret \"openai-dev\" is not JSON. \
             Store JSON or leave out what follows \"#\" in spec.auth.apiKey.value.",
        ),
        row(
            pointing(),
            with_dev(secret(&[("json", "{\"token\": null}")])),
            Reason::SecretMemberMissing,
            key,
            "The JSON at key \"json\" of Secret \"openai-dev\" has no text, number or boolean at \"/token\". \
             Add it or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[("api-key", "sk\nsk\n")])),
            Reason::SecretValueInvalid,
            key,
            "Key \"api-key\" of Secret \"openai-dev\" holds a line feed, which no header may hold. \
             Store the bare value on one line or change spec.auth.apiKey.value.",
        ),
        row(
            with_method(api_key(Place::Query, "k", "${secret.a}${secret.b}")),
            with_dev(secret(&[("a", "1"), ("b", "\u{7}")])),
            Reason::SecretValueInvalid,
            key,
            "One of the keys \"a\", \"b\" of Secret \"openai-dev\" holds the control character U+0007, which no \
             query parameter may hold. Store the bare value on one line or change spec.auth.apiKey.value.",
        ),
        row(
            with_method(basic("${secret.username}", "x")),
            with_dev(secret(&[("username", "a:b")])),
            Reason::SecretValueInvalid,
            "spec.auth.basic.username",
            "Key \"username\" of Secret \"openai-dev\" holds a colon, which a user name of HTTP Basic may not hold \
             (RFC 7617). Correct it or change spec.auth.basic.username.",
        ),
        row(
            missing_value,
            material(),
            Reason::ValueMissing,
            "spec.development.values",
            "spec.development.values has no \"team\" (it has: none). Add it or change spec.headers[0].value.",
        ),
        row(
            empty_value,
            material(),
            Reason::ValueEmpty,
            "spec.development.values.team",
            "spec.development.values.team is empty. Write the value or change spec.headers[0].value.",
        ),
        row(
            broken_value,
            material(),
            Reason::ValueInvalid,
            "spec.query[0].value",
            "spec.query[0].value holds a tab, which no query parameter may hold. \
             Store the bare value on one line or change spec.query[0].value.",
        ),
        row(
            Collection {
                base_url: None,
                ..openai()
            },
            material(),
            Reason::BaseUrlMissing,
            "spec.baseUrl",
            "There is no base URL for the development environment. Set spec.baseUrl or spec.development.baseUrl.",
        ),
        row(
            base_url("http://api.example.com"),
            material(),
            Reason::BaseUrlInvalid,
            "spec.baseUrl",
            "spec.baseUrl must begin with https://.",
        ),
        row(
            with_development(Settings {
                base_url: Some(template("https://${values.host}")),
                values: BTreeMap::from([("host".to_owned(), "a@b".to_owned())]),
                ..settings("openai-dev")
            }),
            material(),
            Reason::BaseUrlInvalid,
            "spec.development.baseUrl",
            "spec.development.baseUrl, with its values filled in, must not hold a user name or password: \
             use spec.auth.basic.",
        ),
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            material(),
            Reason::ConfigMapNotFound,
            "spec.development.caRef.name",
            "ConfigMap \"ca\" does not exist. Create it or change spec.development.caRef.name.",
        ),
        row(
            with_development(trusting(TrustKind::Secret)),
            material(),
            Reason::SecretNotFound,
            "spec.development.caRef.name",
            "Secret \"ca\" does not exist. Create it or change spec.development.caRef.name.",
        ),
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            config_map("ca.pem", PEM),
            Reason::ConfigMapKeyMissing,
            "spec.development.caRef.key",
            "ConfigMap \"ca\" has no key \"ca.crt\" (it has: ca.pem). \
             Rename the key or change spec.development.caRef.key.",
        ),
        row(
            with_development(trusting(TrustKind::ConfigMap)),
            config_map("ca.crt", "MAA="),
            Reason::CertificatesInvalid,
            "spec.development.caRef.key",
            "Key \"ca.crt\" of ConfigMap \"ca\" does not hold PEM certificates. Store one or more blocks that \
             begin with -----BEGIN CERTIFICATE----- or change spec.development.caRef.key.",
        ),
    ]
}

#[test]
fn every_reason_says_what_to_do() {
    let mut reasons = std::collections::BTreeSet::new();
    for row in told() {
        let unresolved = in_development(&row.collection, &row.material).unwrap_err();
        assert_eq!(unresolved.message, row.message);
        assert_eq!(unresolved.reason, row.reason, "{}", row.message);
        assert_eq!(unresolved.field, row.field, "{}", row.message);
        reasons.insert(row.reason);
    }
    assert_eq!(Vec::from_iter(reasons), Reason::ALL);
}

#[test]
fn no_message_and_no_debug_output_holds_a_value() {
    let planted = "sk_live_planted";
    for value in [
        format!("{planted}\u{7}"),
        format!("a:{planted}"),
        format!("{{\"{planted}\": 1}}"),
    ] {
        let entries = ["api-key", "username", "json"].map(|key| (key, value.as_str()));
        let material = with_dev(secret(&entries));
        for method in [
            api_key(Place::Header, "A", "${secret.api-key}"),
            api_key(Place::Header, "A", "${secret.json#/x}"),
            basic("${secret.username}", ""),
        ] {
            let resolved = in_development(&with_method(method), &material);
            assert!(!format!("{resolved:?}").contains(planted), "{value}");
        }
        assert!(!format!("{material:?}").contains(planted), "{value}");
    }
}
