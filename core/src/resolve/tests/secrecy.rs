//! Nothing that is told holds a value, however it is written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::utf8_percent_encode;

use super::certificates::{certified, holding, tls_secret, trusting};
use super::*;
use crate::collection::{
    AwsSigV4, Client, ClientAuthentication, Flow, JwtSettings, RequestHeader, SignedJwt, TrustKind,
};
use crate::jwt::{Algorithm, KeyFormat};
use crate::percent::UNRESERVED;

const PLANTED: &str = "pl4nted/k=y";

/// Values that hold it and are wrong in many ways, and some that are right.
fn values() -> Vec<String> {
    vec![
        PLANTED.to_owned(),
        format!("{PLANTED}\u{7}"),
        format!("{PLANTED}; "),
        format!("a:{PLANTED}"),
        format!("../{PLANTED}"),
        format!("sk_live_{PLANTED}"),
        format!("{{\"{PLANTED}\": 1}}"),
        format!("{{\"x\": \"{PLANTED}\n\"}}"),
        format!("-----BEGIN {PLANTED}-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----"),
        format!("-----BEGIN CERTIFICATE-----\n{PLANTED}\n-----END CERTIFICATE-----"),
    ]
}

fn methods() -> Vec<Method> {
    let name = || "n".to_owned();
    let mut methods = vec![
        basic("${secret.k}", ""),
        basic("${now.unix}", "${secret.k}"),
    ];
    methods.extend((0..3).map(|planted| {
        let member = |index| match index == planted {
            true => template("${secret.k}"),
            false => template("x"),
        };
        Method::AwsSigV4(AwsSigV4 {
            access_key_id: member(0),
            secret_access_key: member(1),
            session_token: Some(member(2)),
            ..signing::aws()
        })
    }));
    for text in [
        "${secret.k}",
        "${secret.k|base64}",
        "${secret.k|base64url}",
        "${secret.k|urlencode}",
        "${secret.k#/x}",
        "${(uuid secret.k)|upper}",
        "${secret.missing}",
        "${secret.k}${values.missing}",
        "${uuid|hmacSha256:k|hex}",
    ] {
        methods.extend(
            [
                Placement::Header(name()),
                Placement::Query(name()),
                Placement::Cookie(name()),
                Placement::Body(name()),
                Placement::Path,
            ]
            .map(|placement| api_key(placement, text)),
        );
    }
    methods
}

/// Token methods that have the value in every part of a request.
fn token_methods() -> Vec<Method> {
    let text = || template("${secret.k}");
    let flows = [
        Flow::Custom { jwt: None },
        Flow::Password {
            username: text(),
            password: text(),
        },
        Flow::RefreshToken {
            refresh_token: text(),
        },
    ];
    let mut methods = Vec::new();
    for flow in flows {
        for authentication in [ClientAuthentication::BasicRaw, ClientAuthentication::Body] {
            let mut method = tokens::token_method(flow.clone());
            method.client = Some(Client {
                id: text(),
                secret: Some(text()),
                ..tokens::client(authentication)
            });
            method.request.audience = Some(text());
            let header = |name: &str, value| RequestHeader {
                name: name.to_owned(),
                value,
            };
            methods.push(method.clone());
            method.request.headers = vec![header("X", text())];
            methods.push(method.clone());
            method.request.url = template("https://${secret.k}/token");
            methods.push(method);
        }
    }
    let mut methods: Vec<Method> = methods
        .into_iter()
        .map(|method| Method::Token(Box::new(method)))
        .collect();
    for algorithm in [Algorithm::Rs256, Algorithm::Hs256] {
        for key_format in [KeyFormat::Auto, KeyFormat::Jwk, KeyFormat::Hex] {
            let jwt = JwtSettings {
                algorithm,
                key_format,
                key: text(),
                issuer: Some(text()),
                certificate: Some(text()),
                ..tokens::jwts::settings()
            };
            methods.push(Method::SignedJwt(Box::new(SignedJwt {
                jwt,
                placement: None,
            })));
        }
    }
    methods
}

fn check(resolved: &Result<Resolved, Unresolved>) {
    let shown = match resolved {
        Ok(resolved) => format!("{resolved:?}"),
        Err(unresolved) => format!("{unresolved:?} {unresolved}"),
    };
    for form in [
        PLANTED.to_owned(),
        PLANTED.to_uppercase(),
        STANDARD.encode(PLANTED),
        URL_SAFE_NO_PAD.encode(PLANTED),
        utf8_percent_encode(PLANTED, UNRESERVED).to_string(),
    ] {
        assert!(!shown.contains(&form), "{shown}");
    }
}

#[test]
fn no_message_and_no_debug_output_holds_a_value() {
    let mut told = std::collections::BTreeSet::new();
    for value in values() {
        let material = with_dev(secret(&[("k", &value)]));
        assert!(!format!("{material:?}").contains(PLANTED));
        for method in methods().into_iter().chain(token_methods()) {
            let resolved = in_development(&with_method(method), &material);
            check(&resolved);
            told.insert(resolved.err().map(|unresolved| unresolved.reason));
        }
        let mut tls = tls_secret(&value, &value);
        check(&in_development(&certified(), &holding(tls.clone())));
        let good = certificates::Identity::new().secret();
        for key in ["tls.crt", "tls.key", "ca.crt"] {
            tls.data.clone_from(&good.data);
            let spoiled = value.as_bytes().to_vec().into();
            tls.data.insert(key.to_owned(), spoiled);
            let resolved = in_development(&certified(), &holding(tls.clone()));
            check(&resolved);
            told.insert(resolved.err().map(|unresolved| unresolved.reason));
        }
        let mut material = material;
        let authority = secret(&[("ca.crt", &value)]);
        material.secrets.insert("ca".to_owned(), authority);
        let collection = Collection {
            method: Method::None,
            ..with_development(trusting(TrustKind::Secret))
        };
        check(&in_development(&collection, &material));
    }
    // The cases are as different as they look.
    assert!(told.len() >= 9, "{told:?}");
}
