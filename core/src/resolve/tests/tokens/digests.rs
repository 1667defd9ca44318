//! What tells one order from another.

use super::*;
use crate::resolve::tests::certificates::Identity;

#[test]
fn a_digest_changes_with_what_is_asked_and_a_lineage_with_whom() {
    let base = || order(token_method(refresh_token()));
    assert_eq!(base(), base());
    let with_secret = |key: &str, value: &str| {
        let mut held = HELD.to_vec();
        held.retain(|(held, _)| *held != key);
        held.push((key, value));
        let collection = with_token(token_method(refresh_token()));
        let resolved = in_development(&collection, &with_dev(secret(&held)));
        resolved.unwrap().order.unwrap()
    };
    let mut scoped = token_method(refresh_token());
    scoped.request.scopes = vec![template("read")];
    let mut elsewhere = token_method(refresh_token());
    elsewhere.request.url = template("https://auth.test/other");
    let mut read = token_method(refresh_token());
    read.response.access_token = "id_token".parse().unwrap();
    let mut allowed = token_method(refresh_token());
    allowed.base_url_allow = vec!["*.example.com".parse().unwrap()];
    for (what, other, same_lineage) in [
        ("client secret", with_secret("secret", "n3w"), true),
        ("scopes", order(scoped), true),
        ("response", order(read), true),
        ("hosts", order(allowed), true),
        ("refresh token", with_secret("refresh", "an0ther"), false),
        ("client id", with_secret("id", "client-2"), false),
        ("url", order(elsewhere), false),
    ] {
        assert_ne!(other.terms.order, base().terms.order, "{what}");
        assert_eq!(
            other.terms.lineage == base().terms.lineage,
            same_lineage,
            "{what}"
        );
    }
    let mut longer = token_method(refresh_token());
    longer.lifetime.refresh_before = std::time::Duration::from_secs(600);
    assert_eq!(order(longer).terms.order, base().terms.order);
}

/// RFC 8705 §3.
#[test]
fn a_token_that_was_obtained_with_one_certificate_is_not_used_with_another() {
    let with = |identity: &SecretObject, mtls| {
        let method = TokenMethod {
            mtls,
            ..token_method(Flow::ClientCredentials)
        };
        let collection = Collection {
            development: Some(Settings {
                tls_secret: Some("tls".to_owned()),
                ..settings("openai-dev")
            }),
            ..with_token(method)
        };
        let mut material = with_dev(secret(&HELD));
        material.secrets.insert("tls".to_owned(), identity.clone());
        let resolved = in_development(&collection, &material).unwrap();
        (resolved.order.unwrap(), resolved.route)
    };
    let (one, other) = (Identity::new().secret(), Identity::new().secret());
    let (order, route) = with(&one, true);
    assert!(order.client_certificate.is_some());
    assert_eq!(order.client_certificate, route.client_certificate);
    assert_ne!(order.terms.order, with(&other, true).0.terms.order);
    let (without, route) = with(&one, false);
    assert_eq!(without.client_certificate, None);
    assert!(route.client_certificate.is_some());
}

/// Whoever changes anything else may mean another token, and calls must not go
/// on with the one before.
#[test]
fn only_a_proof_leaves_the_identity_of_an_order_as_it_is() {
    let with = |method: TokenMethod, key: &str, value: &str| {
        let mut held = HELD.to_vec();
        held.retain(|(held, _)| *held != key);
        held.push((key, value));
        let resolved = in_development(&with_token(method), &with_dev(secret(&held)));
        resolved.unwrap().order.unwrap().terms
    };
    let authenticated = |authentication| TokenMethod {
        client: Some(client(authentication)),
        ..token_method(Flow::ClientCredentials)
    };
    for (what, method, key) in [
        (
            "in the head",
            authenticated(ClientAuthentication::Basic),
            "secret",
        ),
        (
            "in the body",
            authenticated(ClientAuthentication::Body),
            "secret",
        ),
        ("a password", token_method(password()), "pass"),
    ] {
        let before = order(method.clone()).terms;
        let after = with(method, key, "an0ther");
        assert_ne!(before.order, after.order, "{what}");
        assert_eq!(before.identity, after.identity, "{what}");
    }

    let base = || token_method(Flow::ClientCredentials);
    let changed = |change: &dyn Fn(&mut TokenMethod)| {
        let mut method = base();
        change(&mut method);
        order(method).terms
    };
    let before = order(base()).terms;
    for (what, after) in [
        ("client", with(base(), "id", "client-2")),
        (
            "scopes",
            changed(&|it| it.request.scopes = vec![template("read")]),
        ),
        (
            "audience",
            changed(&|it| it.request.audience = Some(template("a"))),
        ),
        (
            "url",
            changed(&|it| it.request.url = template("https://auth.test/b")),
        ),
        (
            "field",
            changed(&|it| {
                let account = FieldValue::Text(template("${secret.odd}"));
                it.request.params = vec![("account_id".to_owned(), account)];
            }),
        ),
        (
            "hosts",
            changed(&|it| it.base_url_allow = vec!["*.example.com".parse().unwrap()]),
        ),
        (
            "response",
            changed(&|it| it.response.access_token = "id_token".parse().unwrap()),
        ),
        ("flow", order(token_method(refresh_token())).terms),
        ("user", with(token_method(password()), "user", "joe")),
        ("password's user", order(token_method(password())).terms),
    ] {
        assert_ne!(before.identity, after.identity, "{what}");
        assert_ne!(before.order, after.order, "{what}");
    }
    let of_user = |user| with(token_method(password()), "user", user).identity;
    assert_ne!(of_user("jane"), of_user("joe"));
    let mut moved = with_token(base());
    moved.base_url = Some(template("https://other.test"));
    let moved = in_development(&moved, &with_dev(secret(&HELD)));
    let moved = moved.unwrap().order.unwrap().terms;
    assert_ne!(before.identity, moved.identity);
}

/// Else one could be served with what another was given.
#[test]
fn no_two_requests_have_one_digest() {
    let digest = |params: &[(&str, &str)]| {
        let mut method = custom();
        let params = params.iter().map(|(name, text)| text_field(name, text));
        method.request.params = params.collect();
        order(method).terms.order
    };
    let digests = [
        digest(&[]),
        digest(&[("a", "bc")]),
        digest(&[("ab", "c")]),
        digest(&[("a", "b"), ("c", "d")]),
        digest(&[("c", "d"), ("a", "b")]),
        digest(&[("a", "b&c=d")]),
        digest(&[("a", "b"), ("cd", "")]),
    ];
    for (at, one) in digests.iter().enumerate() {
        assert!(!digests[at + 1..].contains(one), "{at}");
    }
}
