//! What the author of a manifest is told, word for word.

use std::collections::BTreeSet;

use super::*;
use crate::collection::{Flow, SignedJwt, TokenMethod};
use client::{about_certificates, about_client_certificates, about_times};

mod client;

/// A collection in development, what there is, and what its author is told.
struct Told {
    collection: Collection,
    material: Material,
    reason: Reason,
    field: &'static str,
    message: &'static str,
}

fn row(
    collection: Collection,
    material: Material,
    reason: Reason,
    field: &'static str,
    message: &'static str,
) -> Told {
    Told {
        collection,
        material,
        reason,
        field,
        message,
    }
}

fn about_secrets() -> Vec<Told> {
    let without_block = |development| Collection {
        development,
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
    let many: Vec<String> = (10..35).map(|n| format!("unrelated{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
    vec![
        row(
            without_block(Some(Settings::default())),
            material(),
            Reason::SecretRefMissing,
            "spec.development.secretRef",
            "spec.auth.apiKey.value refers to ${secret.api-key}, but the development environment names no Secret. \
             Add spec.development.secretRef.",
        ),
        row(
            without_block(None),
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
            "spec.auth.apiKey.value",
            "Secret \"openai-dev\" has no key \"api-key\" (it has: apikey). \
             Rename the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[("API-KEY", "k"), ("other", "k")])),
            Reason::SecretKeyMissing,
            "spec.auth.apiKey.value",
            "Secret \"openai-dev\" has no key \"api-key\" (it has: API-KEY, other). \
             Rename the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[])),
            Reason::SecretKeyMissing,
            "spec.auth.apiKey.value",
            "Secret \"openai-dev\" has no key \"api-key\" (it has: none). \
             Add the key or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&many)),
            Reason::SecretKeyMissing,
            "spec.auth.apiKey.value",
            "Secret \"openai-dev\" has no key \"api-key\" (it has: unrelated10, unrelated11, unrelated12, \
             unrelated13, unrelated14, unrelated15, unrelated16, unrelated17, unrelated18, unrelated19, \
             unrelated20, unrelated21, unrelated22, unrelated23, unrelated24, unrelated25, unrelated26, \
             unrelated27, unrelated28, unrelated29 and 5 more). Add the key or change spec.auth.apiKey.value.",
        ),
    ]
}

fn about_their_content() -> Vec<Told> {
    let pointing = || with_method(api_key(header("A"), "${secret.json#/token}"));
    let binary = SecretObject {
        data: BTreeMap::from([("api-key".to_owned(), vec![0xff].into())]),
        ..secret(&[])
    };
    vec![
        row(
            openai(),
            with_dev(secret(&[("api-key", "\n")])),
            Reason::SecretValueEmpty,
            "spec.auth.apiKey.value",
            "Key \"api-key\" of Secret \"openai-dev\" is empty. Store the value or change spec.auth.apiKey.value.",
        ),
        row(
            with_method(basic("${secret.username}", "${secret.password}")),
            with_dev(secret(&[("username", ""), ("password", "")])),
            Reason::SecretValueEmpty,
            "spec.auth.basic",
            "User name and password are both empty with Secret \"openai-dev\" filled in. Store at least one of them.",
        ),
        row(
            openai(),
            with_dev(binary),
            Reason::SecretValueNotText,
            "spec.auth.apiKey.value",
            "Key \"api-key\" of Secret \"openai-dev\" is not UTF-8 text. \
             Store text or write ${secret.api-key|base64} in spec.auth.apiKey.value.",
        ),
        row(
            pointing(),
            with_dev(secret(&[("json", "token")])),
            Reason::SecretValueNotJson,
            "spec.auth.apiKey.value",
            "Key \"json\" of Secret \"openai-dev\" is not JSON. \
             Store JSON or leave out what follows \"#\" in spec.auth.apiKey.value.",
        ),
        row(
            pointing(),
            with_dev(secret(&[("json", "{\"token\": null}")])),
            Reason::SecretMemberMissing,
            "spec.auth.apiKey.value",
            "The JSON at key \"json\" of Secret \"openai-dev\" has no text, number or boolean at \"/token\". \
             Add it or change spec.auth.apiKey.value.",
        ),
        row(
            openai(),
            with_dev(secret(&[("api-key", "sk\nsk\n")])),
            Reason::SecretValueInvalid,
            "spec.auth.apiKey.value",
            "Key \"api-key\" of Secret \"openai-dev\" holds a line feed, which no header may hold. \
             Store the bare value on one line or change spec.auth.apiKey.value.",
        ),
        row(
            with_method(api_key(query("k"), "${secret.a}${secret.b}")),
            with_dev(secret(&[("a", "1"), ("b", "\u{7}")])),
            Reason::SecretValueInvalid,
            "spec.auth.apiKey.value",
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
    ]
}

fn about_values_and_base_urls() -> Vec<Told> {
    let base_url = |text: &str| Collection {
        base_url: Some(template(text)),
        ..openai()
    };
    let team = |value: &str| Settings {
        values: BTreeMap::from([("team".to_owned(), value.to_owned())]),
        ..settings("openai-dev")
    };
    let in_header = |development| Collection {
        headers: vec![field("X-Team", "${values.team}")],
        ..with_development(development)
    };
    let in_query = |development| Collection {
        query: vec![field("team", "${values.team}")],
        ..with_development(development)
    };
    vec![
        row(
            in_header(settings("openai-dev")),
            material(),
            Reason::ValueMissing,
            "spec.development.values",
            "spec.development.values has no \"team\" (it has: none). Add it or change spec.headers[0].value.",
        ),
        row(
            in_header(team("")),
            material(),
            Reason::ValueEmpty,
            "spec.development.values.team",
            "spec.development.values.team is empty. Write the value or change spec.headers[0].value.",
        ),
        row(
            in_query(team("a\tb")),
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
            base_url("ftp://api.example.com"),
            material(),
            Reason::BaseUrlInvalid,
            "spec.baseUrl",
            "spec.baseUrl must begin with https://.",
        ),
        row(
            base_url("http://api.example.com"),
            material(),
            Reason::BaseUrlInsecure,
            "spec.baseUrl",
            "spec.baseUrl begins with http://, so that everybody on the way could read the credential. \
             Write https:// or set spec.development.allowInsecureHttp to true.",
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
    ]
}

fn about_token_urls() -> Vec<Told> {
    let with_url = |url: &str| {
        let mut method = tokens::token_method(Flow::Custom { jwt: None });
        method.client = None;
        method.request.url = template(url);
        with_method(Method::Token(Box::new(method)))
    };
    let field = "spec.auth.oauth2CustomToken.token.url";
    vec![
        row(
            with_url("https://auth.test/#x"),
            material(),
            Reason::TokenUrlInvalid,
            field,
            "spec.auth.oauth2CustomToken.token.url must not hold a fragment (#).",
        ),
        row(
            with_url("http://auth.test/token"),
            material(),
            Reason::TokenUrlInsecure,
            field,
            "spec.auth.oauth2CustomToken.token.url begins with http://, so that everybody on the way could read \
             the credential. Write https:// or set spec.development.allowInsecureHttp to true.",
        ),
    ]
}

fn about_clusters() -> Vec<Told> {
    let method = tokens::token_method(tokens::exchanged::account());
    let method = Method::Token(Box::new(TokenMethod {
        client: None,
        ..method
    }));
    let of_cluster = Collection {
        scope: Scope::Cluster {
            namespaces: None,
            service_accounts: None,
        },
        development: None,
        ..with_method(method.clone())
    };
    vec![
        row(
            of_cluster,
            material(),
            Reason::EnvironmentMissing,
            "spec.development",
            "spec.auth.tokenExchange.serviceAccountToken names one ServiceAccount for live and development, and the \
             collection says nothing about development. Add spec.development, if it is meant for that, too.",
        ),
        row(
            with_method(method),
            material(),
            Reason::ClusterMissing,
            "spec.auth.tokenExchange.serviceAccountToken",
            "spec.auth.tokenExchange.serviceAccountToken is a token that a cluster issues to its operator, and there \
             is no cluster here. Call this collection from a pod, or give the token that is exchanged as subjectToken.",
        ),
    ]
}

fn about_signing_keys() -> Vec<Told> {
    let jwt = tokens::jwts::settings();
    let method = Method::SignedJwt(Box::new(SignedJwt {
        jwt,
        placement: None,
    }));
    vec![row(
        with_method(method),
        with_dev(secret(&[("key", "k")])),
        Reason::SigningKeyInvalid,
        "spec.auth.signedJwt.jwt.key",
        "Key \"key\" of Secret \"openai-dev\" holds no private key that can be read. Store an EC key of the \
         curve P-256, as PEM (-----BEGIN PRIVATE KEY-----) or as a JWK, or change spec.auth.signedJwt.jwt.key.",
    )]
}

fn about_places() -> Vec<Told> {
    let keyed = |placement, value: &str| {
        let collection = with_method(api_key(placement, "${secret.api-key}"));
        (collection, with_dev(secret(&[("api-key", value)])))
    };
    let told = |(collection, material), message| {
        let field = "spec.auth.apiKey.value";
        row(
            collection,
            material,
            Reason::SecretValueInvalid,
            field,
            message,
        )
    };
    vec![
        told(
            keyed(Placement::Cookie("s".to_owned()), "a b"),
            "Key \"api-key\" of Secret \"openai-dev\" holds a space, which no cookie may hold. Encode it with a \
             filter such as |base64url or |urlencode or change spec.auth.apiKey.value.",
        ),
        told(
            keyed(Placement::Cookie("s".to_owned()), "\u{e9}"),
            "Key \"api-key\" of Secret \"openai-dev\" holds a character outside ASCII, which no cookie may hold. \
             Encode it with a filter such as |base64url or |urlencode or change spec.auth.apiKey.value.",
        ),
        told(
            keyed(Placement::Path, ".."),
            "spec.auth.apiKey.value, with its variables filled in, has a segment \".\" or \"..\", which servers \
             resolve in different ways. Key \"api-key\" of Secret \"openai-dev\" is the cause: correct it or change \
             spec.auth.apiKey.value.",
        ),
    ]
}

#[test]
fn every_reason_says_what_to_do() {
    let tables = [
        about_client_certificates(),
        about_places(),
        about_secrets(),
        about_their_content(),
        about_values_and_base_urls(),
        about_token_urls(),
        about_clusters(),
        about_signing_keys(),
        about_certificates(),
    ];
    let mut reasons = BTreeSet::new();
    let rows = tables.into_iter().flatten().map(|row| (now(), row));
    for (now, row) in rows.chain(about_times()) {
        let environment = Environment::Development;
        let unresolved = resolve(&row.collection, environment, &row.material, now).unwrap_err();
        assert_eq!(unresolved.message, row.message);
        assert_eq!(unresolved.reason, row.reason, "{}", row.message);
        assert_eq!(unresolved.field, row.field, "{}", row.message);
        reasons.insert(row.reason);
    }
    assert_eq!(Vec::from_iter(reasons), Reason::ALL);
}
