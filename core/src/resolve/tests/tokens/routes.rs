//! What a sidecar gets of a collection with a token, and what it does not.

use super::*;
use crate::bundle::{Bundle, Entry, Feature, Token};
use crate::wire::Event;

#[test]
fn a_token_goes_where_its_placement_says_and_wins_there() {
    let collection = |method: TokenMethod| Collection {
        headers: vec![
            field("AUTHORIZATION", "x"),
            field("X-Realm", "${token.realm}"),
        ],
        ..with_token(method)
    };
    let route = |method| {
        let material = with_dev(secret(&HELD));
        in_development(&collection(method), &material)
            .unwrap()
            .route
    };
    let token = Token {
        fields: BTreeMap::from([("realm".to_owned(), Secret::new("9"))]),
        ..Token::new(Secret::new("t0k"), 1)
    };
    let usual = route(token_method(Flow::ClientCredentials));
    assert!(usual.needs_token() && usual.has_credential());
    assert!(usual.headers.iter().all(|placed| placed.private));
    assert!(usual.requires().contains(&Feature::Token));
    assert_eq!(
        shown(&usual.bind(&token).unwrap().headers),
        [
            ("X-Realm", "9", OnConflict::IfAbsent),
            ("Authorization", "Bearer t0k", OnConflict::Replace),
        ]
    );
    for (placement, prefix) in [
        (Placement::Header("X-Tableau-Auth".to_owned()), ""),
        (Placement::Query("access_token".to_owned()), ""),
        (Placement::Cookie("session".to_owned()), "v1."),
    ] {
        let method = TokenMethod {
            placement: Some(TokenPlacement {
                placement: placement.clone(),
                prefix: prefix.to_owned(),
            }),
            ..token_method(Flow::ClientCredentials)
        };
        let bound = route(method).bind(&token).unwrap();
        let list = match placement {
            Placement::Query(_) => &bound.query,
            Placement::Cookie(_) => &bound.cookies,
            _ => &bound.headers,
        };
        let last = list.last().unwrap();
        assert_eq!(last.value.fixed().unwrap(), format!("{prefix}t0k"));
    }
    let nowhere = route(TokenMethod {
        placement: None,
        ..token_method(Flow::ClientCredentials)
    });
    assert_eq!(nowhere.headers.len(), 2);
    assert!(nowhere.needs_token());
}

/// Client secrets, refresh tokens and passwords never leave the operator.
#[test]
fn nothing_that_a_token_is_obtained_with_is_in_a_bundle() {
    let sent = ["id", "secret", "user", "pass", "refresh", "odd"]
        .map(|key| format!("${{secret.{key}}}"))
        .join(" ");
    for flow in [
        Flow::ClientCredentials,
        password(),
        exchanged::exchange(),
        refresh_token(),
        Flow::Custom { jwt: None },
    ] {
        for authentication in [
            ClientAuthentication::Basic,
            ClientAuthentication::BasicRaw,
            ClientAuthentication::Body,
        ] {
            let mut method = token_method(flow.clone());
            method.client = Some(client(authentication));
            method.request.params = vec![text_field("all", &sent)];
            method.request.url = template("https://auth.test/${secret.odd}?k=${secret.pass}");
            let resolved = resolved(method).unwrap();
            let order = resolved.order.unwrap();
            let shown = format!("{order:?} {:?}", message(asked(&order)));
            let name = "api".parse().unwrap();
            let bundle = Bundle {
                tokens: BTreeMap::new(),
                revision: "r".to_owned(),
                environment: Environment::Development,
                collections: BTreeMap::from([(name, Entry::Ready(resolved.route.into()))]),
            };
            let line = Event::Bundle(bundle).encode().unwrap();
            let line = String::from_utf8(line).unwrap();
            assert!(line.contains(r#"{"token":""}"#), "{line}");
            for (_, value) in HELD {
                assert!(!line.contains(value), "{line}");
                assert!(!shown.contains(value), "{shown}");
            }
            assert!(!line.contains("auth.test"), "{line}");
        }
    }
}
