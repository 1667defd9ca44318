//! Where values go, and how they are written there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::bundle::{Feature, Value};
use crate::template::Moment;

fn keyed(placement: Placement, text: &str, key: &str) -> Result<Route, Reason> {
    let collection = with_method(api_key(placement, text));
    let material = with_dev(secret(&[("k", key)]));
    in_development(&collection, &material)
        .map(|resolved| resolved.route)
        .map_err(|unresolved| unresolved.reason)
}

fn path(text: &str, key: &str) -> Result<String, Reason> {
    let path = keyed(Placement::Path, text, key)?.path.unwrap();
    Ok(path.expose().to_owned())
}

#[test]
fn a_key_in_the_path_is_escaped_and_the_text_around_it_is_not() {
    for (text, key, expected) in [
        // As one well-known bot API wants it.
        (
            "/bot${secret.k}",
            "110201543:AAHd-1_",
            "/bot110201543:AAHd-1_",
        ),
        ("bot${secret.k}/", "1", "/bot1"),
        ("${secret.k}", "a b", "/a%20b"),
        ("/v1/${secret.k}/x", "a/b", "/v1/a%2Fb/x"),
        ("${secret.k}", "a?b#c%d", "/a%3Fb%23c%25d"),
        ("/a%2Fb/${secret.k}", "\u{e9}", "/a%2Fb/%C3%A9"),
        ("${secret.k}", "-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"),
        ("${secret.k}", "%2e%2e", "/%252e%252e"),
        ("x${secret.k}", "..", "/x.."),
        ("${secret.k}", "/", "/%2F"),
    ] {
        assert_eq!(path(text, key).as_deref(), Ok(expected), "{text} {key}");
    }
}

#[test]
fn a_path_that_a_server_would_resolve_is_not_used() {
    for (text, key) in [
        ("${secret.k}", ".."),
        ("/a/${secret.k}", "."),
        ("/a/%2e${secret.k}", "."),
        ("/a//${secret.k}", "b"),
        ("${secret.k}", "a\nb"),
    ] {
        assert_eq!(path(text, key), Err(Reason::SecretValueInvalid), "{text}");
    }
}

#[test]
fn a_cookie_is_a_pair_of_its_own() {
    let session = || Placement::Cookie("session".to_owned());
    let route = keyed(session(), "${secret.k}", "abc==").unwrap();
    assert_eq!(
        shown(&route.cookies),
        [("session", "abc==", OnConflict::Replace)]
    );
    assert_eq!(route.headers, []);
    for key in ["a;b", "a,b", "a b", "a\"b", "\u{e9}"] {
        let refused = keyed(session(), "${secret.k}", key);
        assert_eq!(refused, Err(Reason::SecretValueInvalid), "{key}");
    }
    let encoded = keyed(session(), "${secret.k|urlencode}", "a;b").unwrap();
    assert_eq!(encoded.cookies[0].value.fixed(), Some("a%3Bb"));
}

#[test]
fn a_member_of_the_body_can_be_any_text() {
    let route = keyed(
        Placement::Body("api_key".to_owned()),
        "${secret.k}",
        "a\n\"b",
    )
    .unwrap();
    assert_eq!(
        shown(&route.body),
        [("api_key", "a\n\"b", OnConflict::Replace)]
    );
}

#[test]
fn what_is_no_value_arrives_too() {
    let timeouts = Timeouts {
        idle: std::time::Duration::from_secs(5),
        ..Timeouts::default()
    };
    let forwarding = Forwarding {
        via: false,
        ..Forwarding::default()
    };
    let collection = Collection {
        timeouts,
        forwarding,
        sidecar_port: Some(9001),
        ..openai()
    };
    let route = in_development(&collection, &material()).unwrap().route;
    assert_eq!(
        (route.timeouts, route.forwarding, route.sidecar_port),
        (timeouts, forwarding, Some(9001))
    );
}

/// Requirement 33.
#[test]
fn http_is_used_where_the_environment_allows_it() {
    let plain = |allow_insecure_http| Collection {
        base_url: Some(template("http://mock:8080/v1")),
        ..with_development(Settings {
            allow_insecure_http,
            ..settings("openai-dev")
        })
    };
    let refused = in_development(&plain(false), &material()).unwrap_err();
    assert_eq!(refused.reason, Reason::BaseUrlInsecure);
    let route = in_development(&plain(true), &material()).unwrap().route;
    assert_eq!(route.base_url.scheme(), Scheme::Http);
    assert_eq!(route.base_url.to_string(), "http://mock:8080/v1");
    let live = resolve(&plain(true), Environment::Live, &material(), now());
    assert_eq!(live.unwrap_err().reason, Reason::BaseUrlInsecure);
}

#[test]
fn a_key_of_the_other_environment_is_warned_about() {
    let warnings = |environment, key: &str| {
        let material = Material {
            secrets: ["openai-live", "openai-dev"]
                .map(|name| (name.to_owned(), secret(&[("api-key", key)])))
                .into(),
            ..Material::default()
        };
        let resolved = resolve(&openai(), environment, &material, now()).unwrap();
        resolved.warnings
    };
    for (key, live, development) in [
        ("sk_live_1", 0, 1),
        ("rk_live_1", 0, 1),
        ("pk_live_1", 0, 1),
        ("rzp_live_1", 0, 1),
        ("sk_test_1", 1, 0),
        ("rk_test_1", 1, 0),
        ("pk_test_1", 1, 0),
        ("rzp_test_1", 1, 0),
        ("whsec_1", 0, 0),
        ("xsk_live_1", 0, 0),
        ("live", 0, 0),
    ] {
        assert_eq!(warnings(Environment::Live, key).len(), live, "{key}");
        let told = warnings(Environment::Development, key);
        assert_eq!(told.len(), development, "{key}");
        assert!(!format!("{told:?}").contains(key), "{told:?}");
    }
    let told = warnings(Environment::Development, "sk_live_1");
    assert_eq!(told[0].field, "spec.development.secretRef.name");
    assert_eq!(
        told[0].message,
        "Key \"api-key\" of Secret \"openai-dev\" looks like one for live, but spec.development uses it: calls have \
         real effects. Put the right key into the Secret or name another in spec.development.secretRef.name."
    );
}

#[test]
fn a_live_key_by_a_stated_fallback_is_no_surprise() {
    let collection = Collection {
        development: None,
        development_fallback: DevelopmentFallback::UseLive,
        ..openai()
    };
    let material = Material {
        secrets: BTreeMap::from([(
            "openai-live".to_owned(),
            secret(&[("api-key", "sk_live_1")]),
        )]),
        ..Material::default()
    };
    let resolved = in_development(&collection, &material).unwrap();
    assert_eq!(resolved.warnings, []);
}

#[test]
fn a_value_is_private_when_the_secret_is_in_it() {
    let collection = Collection {
        headers: vec![field("X-Base", "${baseUrl}")],
        query: vec![
            field("api-version", "2026-11-21"),
            field("sig", "${(now.unix)|hmacSha256:api-key|hex}"),
        ],
        ..with_method(basic("me", "${secret.api-key}"))
    };
    let route = in_development(&collection, &material()).unwrap().route;
    let placed = route.headers.iter().chain(&route.query);
    let private: Vec<_> = placed
        .map(|placed| (placed.name.as_str(), placed.private))
        .collect();
    let expected = [
        ("X-Base", false),
        ("Authorization", true),
        ("api-version", false),
        ("sig", true),
    ];
    assert_eq!(private, expected);
}

#[test]
fn what_is_new_on_each_call_is_left_to_the_sidecar() {
    let moment = Moment {
        unix_seconds: 1_795_294_800,
        random: [0; 16],
    };
    let varying = |placed: &Placed| match &placed.value {
        Value::Varying(varying) => varying.render(&moment).to_string(),
        Value::Fixed(_) => panic!("{} is fixed", placed.name),
    };
    let collection = Collection {
        headers: vec![field("X-Id", "${uuid}"), field("X-Base", "${baseUrl}")],
        query: vec![field("t", "${now.unix}")],
        ..with_method(api_key(
            Placement::Body("sig".to_owned()),
            "${(secret.api-key now.iso8601)|hmacSha256:api-key|hex}",
        ))
    };
    let route = in_development(&collection, &material()).unwrap().route;
    assert_eq!(
        varying(&route.headers[0]),
        "00000000-0000-4000-8000-000000000000"
    );
    assert_eq!(
        route.headers[1].value.fixed(),
        Some("https://api.openai.com/v1")
    );
    assert_eq!(varying(&route.query[0]), "1795294800");
    assert_eq!(
        varying(&route.body[0]),
        // echo -n sk-dev2026-11-21T21:00:00Z | openssl dgst -sha256 -hmac sk-dev
        "7fb38e0477086cd48f3e03f9fb6e9d0520dda706dbeeb769de45e01556ace20b"
    );
    assert!(route.requires().contains(&Feature::Varying));

    let cookie = |text: &str| {
        let method = api_key(Placement::Cookie("c".to_owned()), text);
        in_development(&with_method(method), &material())
    };
    assert!(cookie("${secret.api-key}.${now.unix}").is_ok());
    let refused = cookie("${secret.api-key}, ${now.unix}").unwrap_err();
    assert_eq!(refused.reason, Reason::SecretValueInvalid);

    let basic = with_method(basic("${now.unix}", "${secret.api-key}"));
    let route = in_development(&basic, &material()).unwrap().route;
    let expected = format!("Basic {}", STANDARD.encode("1795294800:sk-dev"));
    assert_eq!(varying(&route.headers[0]), expected);
}

#[test]
fn where_nothing_may_vary_the_collection_is_not_used() {
    for (collection, reason) in [
        (
            with_method(api_key(Placement::Path, "${secret.api-key}${uuid}")),
            Reason::ValueInvalid,
        ),
        (
            Collection {
                base_url: Some(template("https://${uuid}")),
                ..openai()
            },
            Reason::ValueInvalid,
        ),
        (
            Collection {
                base_url: Some(template("${baseUrl}")),
                ..openai()
            },
            Reason::BaseUrlInvalid,
        ),
    ] {
        let unresolved = in_development(&collection, &material()).unwrap_err();
        assert_eq!(unresolved.reason, reason, "{}", unresolved.message);
    }
}
