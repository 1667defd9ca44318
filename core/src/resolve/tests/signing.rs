//! Calls that are signed.

use super::*;
use crate::bundle::{Bundle, Entry, Feature};
use crate::collection::{AwsSigV4, SignedPayload};
use crate::sigv4::{Payload, Signing, SigningKey};
use crate::wire::Event;

const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const FIELD: &str = "spec.auth.awsSigV4";

pub(super) fn aws() -> AwsSigV4 {
    AwsSigV4 {
        region: template("eu-central-1"),
        service: template("s3"),
        access_key_id: template("${secret.id}"),
        secret_access_key: template("${secret.key}"),
        session_token: None,
        payload: SignedPayload::Auto,
    }
}

fn signed(change: impl FnOnce(&mut AwsSigV4)) -> Collection {
    let mut aws = aws();
    change(&mut aws);
    with_method(Method::AwsSigV4(aws))
}

fn keys() -> Material {
    with_dev(secret(&[
        ("id", "AKIDEXAMPLE\n"),
        ("key", SECRET_ACCESS_KEY),
        ("token", "the-token"),
    ]))
}

fn signing(collection: &Collection, at: &str) -> (Signing, Option<Timestamp>) {
    let now = at.parse().unwrap();
    let resolved = resolve(collection, Environment::Development, &keys(), now).unwrap();
    (resolved.route.signing.unwrap(), resolved.changes_at)
}

#[test]
fn calls_are_signed_with_the_keys_of_the_days_around() {
    let (signing, changes_at) = signing(&signed(|_| {}), "2026-11-21T20:00:00Z");
    assert_eq!(signing.access_key_id.expose(), "AKIDEXAMPLE");
    let derive = |day: &str| {
        let day = day.parse().unwrap();
        let key = SigningKey::derive(SECRET_ACCESS_KEY, day, "eu-central-1", "s3");
        (day, key)
    };
    let days = ["2026-11-20", "2026-11-21", "2026-11-22"];
    assert!(signing.keys == days.map(derive).into());
    assert_eq!(changes_at, Some("2026-11-22T00:00:00Z".parse().unwrap()));
}

/// Whoever has the keys of one evening can still sign the next evening.
#[test]
fn the_next_days_key_is_there_long_before_it_is_needed() {
    let tomorrow = "2026-11-22".parse().unwrap();
    for at in ["2026-11-21T00:00:00Z", "2026-11-21T23:59:59Z"] {
        let (signing, changes_at) = signing(&signed(|_| {}), at);
        assert!(signing.keys.contains_key(&tomorrow), "{at}");
        let midnight = changes_at.unwrap().to_string();
        assert_eq!(midnight, "2026-11-22T00:00:00Z", "{at}");
    }
}

#[test]
fn routes_of_two_days_are_told_apart_and_have_the_same_credential() {
    let collection = signed(|_| {});
    let at = |now: &str| {
        let now = now.parse().unwrap();
        let resolved = resolve(&collection, Environment::Development, &keys(), now);
        resolved.unwrap().route
    };
    let (morning, evening) = (at("2026-11-21T00:00:00Z"), at("2026-11-21T23:00:00Z"));
    let next = at("2026-11-22T00:00:00Z");
    assert_eq!(morning, evening);
    assert_ne!(evening.period(), next.period());
    assert!(evening.has_credential() && evening.has_credential_of(&next));
    assert!(evening.requires().contains(&Feature::SigV4));
    let unsigned = Route {
        signing: None,
        ..next.clone()
    };
    assert!(!next.has_credential_of(&unsigned));
}

/// The secret access key stays where the Secret is read.
#[test]
fn a_bundle_holds_signing_keys_and_not_what_they_are_made_from() {
    let collection = signed(|aws| aws.session_token = Some(template("${secret.token}")));
    let resolved = in_development(&collection, &keys()).unwrap();
    let bundle = Bundle {
        revision: "r".to_owned(),
        environment: Environment::Development,
        collections: [(
            "s3".parse().unwrap(),
            Entry::Ready(std::sync::Arc::new(resolved.route)),
        )]
        .into(),
        tokens: BTreeMap::new(),
    };
    let event = Event::Bundle(bundle);
    let line = event.encode().unwrap();
    assert_eq!(Event::decode(&line).unwrap(), event);
    let text = String::from_utf8(line).unwrap();
    assert!(text.contains("\"requires\":[\"sigv4\"]"), "{text}");
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET_ACCESS_KEY);
    for part in [SECRET_ACCESS_KEY, &encoded, &SECRET_ACCESS_KEY[20..]] {
        assert!(!text.contains(part), "{text}");
    }
}

#[test]
fn bodies_are_left_unsigned_only_where_the_service_takes_it_and_tls_protects_them() {
    for (service, base_url, wanted, expected) in [
        (
            "s3",
            "https://a.test",
            SignedPayload::Auto,
            Payload::Unsigned,
        ),
        ("s3", "http://a.test", SignedPayload::Auto, Payload::Signed),
        (
            "sts",
            "https://a.test",
            SignedPayload::Auto,
            Payload::Signed,
        ),
        (
            "s3",
            "https://a.test",
            SignedPayload::Signed,
            Payload::Signed,
        ),
        (
            "sts",
            "http://a.test",
            SignedPayload::Unsigned,
            Payload::Unsigned,
        ),
    ] {
        let collection = Collection {
            base_url: Some(template(base_url)),
            development: Some(Settings {
                allow_insecure_http: true,
                ..settings("openai-dev")
            }),
            ..signed(|aws| {
                aws.service = template(service);
                aws.payload = wanted;
            })
        };
        let (signing, _) = signing(&collection, "2026-11-21T20:00:00Z");
        assert_eq!(signing.payload, expected, "{service} {base_url} {wanted:?}");
    }
}

#[test]
fn the_fields_of_a_signature_are_no_one_elses() {
    let collection = Collection {
        headers: vec![
            field("authorization", "a"),
            field("x-amz-DATE", "b"),
            field("X-Amz-Content-SHA256", "c"),
            field("X-Amz-Security-Token", "d"),
            field("X-Amz-Acl", "private"),
        ],
        ..signed(|_| {})
    };
    let route = in_development(&collection, &keys()).unwrap().route;
    let names: Vec<_> = route.headers.iter().map(|placed| &placed.name).collect();
    assert_eq!(names, ["X-Amz-Acl"]);
}

#[test]
fn regions_may_differ_between_environments() {
    let collection = Collection {
        development: Some(Settings {
            values: BTreeMap::from([("region".to_owned(), "us-east-1".to_owned())]),
            ..settings("openai-dev")
        }),
        ..signed(|aws| aws.region = template("${values.region}"))
    };
    let (signing, _) = signing(&collection, "2026-11-21T20:00:00Z");
    assert_eq!(signing.region, "us-east-1");
}

#[test]
fn what_cannot_be_signed_with_is_named() {
    let case = |change: fn(&mut AwsSigV4), entries: &[(&str, &str)]| {
        let unresolved = in_development(&signed(change), &with_dev(secret(entries))).unwrap_err();
        (unresolved.reason, unresolved.field, unresolved.message)
    };
    let good = [("id", "AKID"), ("key", "k")];
    for (found, reason, member, message) in [
        (
            case(|_| {}, &good[..1]),
            Reason::SecretKeyMissing,
            "secretAccessKey",
            "has no key \"key\"",
        ),
        (
            case(|_| {}, &[("id", "AKID"), ("key", "a b")]),
            Reason::SecretValueInvalid,
            "secretAccessKey",
            "Key \"key\" of Secret \"openai-dev\" holds a space, which no secret access key holds.",
        ),
        (
            case(|_| {}, &[("id", "AK/ID"), ("key", "k")]),
            Reason::SecretValueInvalid,
            "accessKeyId",
            "which no access key id holds",
        ),
        (
            case(|aws| aws.region = template("eu central"), &good),
            Reason::ValueInvalid,
            "region",
            "spec.auth.awsSigV4.region holds a space, which no region holds.",
        ),
        (
            case(|aws| aws.service = template("s3/x"), &good),
            Reason::ValueInvalid,
            "service",
            "which no service holds",
        ),
        (
            case(
                |aws| aws.session_token = Some(template("${secret.token}")),
                &[("id", "AKID"), ("key", "k"), ("token", "a\tb")],
            ),
            Reason::SecretValueInvalid,
            "sessionToken",
            "holds a tab, which no session token holds.",
        ),
    ] {
        assert_eq!(found.0, reason, "{found:?}");
        assert_eq!(found.1, format!("{FIELD}.{member}"));
        assert!(found.2.contains(message), "{found:?}");
    }
}

#[test]
fn the_secret_and_its_keys_are_asked_for() {
    let collection = signed(|aws| aws.session_token = Some(template("${secret.token}")));
    let needs = needs(&collection, Environment::Development);
    assert!(needs.secrets.contains("openai-dev"));
    let keys = secret_keys(&collection, Environment::Development);
    let expected = ["id", "key", "token"].map(str::to_owned);
    assert_eq!(keys["openai-dev"], expected.into());
}
