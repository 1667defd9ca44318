//! What is signed for token requests, and instead of them.

mod clients;

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::bundle::{Bundle, Entry};
use crate::collection::{Audience, JwtSettings, SignedJwt};
use crate::jwt::{Algorithm, KeyFormat};
use crate::resolve::tests::certificates::Identity;
use crate::wire::Event;

/// Seconds of 2026-11-21T21:00:00Z.
const NOW: i64 = 1_795_294_800;

pub(in super::super) fn settings() -> JwtSettings {
    JwtSettings {
        algorithm: Algorithm::Es256,
        key: template("${secret.key}"),
        key_format: KeyFormat::Auto,
        key_id: None,
        kind: Some("JWT".to_owned()),
        headers: vec![],
        certificate: None,
        issuer: None,
        subject: None,
        audience: Audience::Endpoint,
        scopes: vec![],
        claims: vec![],
        lifetime: Duration::from_secs(300),
        backdate: Duration::from_secs(60),
    }
}

fn bearer(jwt: JwtSettings) -> TokenMethod {
    let flow = Flow::JwtBearer { jwt: Box::new(jwt) };
    TokenMethod {
        client: None,
        ..token_method(flow)
    }
}

fn signed(jwt: JwtSettings) -> Collection {
    with_method(Method::SignedJwt(Box::new(SignedJwt {
        jwt,
        placement: Some(TokenPlacement::default()),
    })))
}

fn asserting(authentication: ClientAuthentication, assertion: JwtSettings) -> TokenMethod {
    let mut method = token_method(Flow::ClientCredentials);
    method.client = Some(Client {
        secret: None,
        assertion: Some(Box::new(assertion)),
        ..client(authentication)
    });
    method
}

fn holding(collection: &Collection, entries: &[(&str, &str)]) -> Result<Resolved, Unresolved> {
    let mut held = HELD.to_vec();
    held.extend(entries);
    in_development(collection, &with_dev(secret(&held)))
}

fn order_with(method: TokenMethod, key: &str) -> Order {
    let resolved = holding(&with_token(method), &[("key", key)]);
    resolved.unwrap().order.unwrap()
}

fn moment(random: u8) -> Moment {
    Moment {
        unix_seconds: NOW,
        random: [random; 16],
    }
}

fn sent(order: &Order, moment: Moment) -> Message {
    let signed = order.signers.sign(moment).unwrap();
    let values = LateValues {
        jwt: signed.jwt.as_ref(),
        client_assertion: signed.client_assertion.as_ref(),
        ..LateValues::at(moment)
    };
    asked(order).message(&values, false).unwrap()
}

/// The value of a field of a form, which needs no escape.
fn form_field<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let pairs = body(message)?.split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

fn json_of(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What a JWT says, once it is certain who has signed it.
fn verified(jwt: &str, verify: impl Fn(&[u8], &[u8]) -> bool) -> (Value, Value) {
    let (input, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(verify(input.as_bytes(), &signature), "{jwt}");
    let (header, claims) = input.split_once('.').unwrap();
    (json_of(header), json_of(claims))
}

fn by<'k>(identity: &'k Identity) -> impl Fn(&[u8], &[u8]) -> bool + 'k {
    let public = identity.key.public_key_raw();
    move |input, signature| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(input, signature)
            .is_ok()
    }
}

/// RFC 7523 §2.1 and §3.
#[test]
fn a_jwt_is_exchanged_for_a_token() {
    let identity = Identity::new();
    let order = order_with(
        bearer(JwtSettings {
            key_id: Some(template("k1")),
            issuer: Some(template("${secret.user}")),
            subject: Some(template("someone@example.com")),
            scopes: vec![template("read"), template("write")],
            headers: vec![text_field("x", "y")],
            claims: vec![
                text_field("quoted", "${secret.odd}"),
                text_field("at", "${now.iso8601}"),
                ("n".to_owned(), FieldValue::Literal(Literal::number(7))),
            ],
            ..settings()
        }),
        &identity.key(),
    );
    let message = sent(&order, moment(0));
    assert_eq!(
        form_field(&message, "grant_type"),
        Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer")
    );
    let jwt = form_field(&message, "assertion").unwrap();
    let (header, claims) = verified(jwt, by(&identity));
    assert_eq!(
        header,
        json!({"alg": "ES256", "typ": "JWT", "kid": "k1", "x": "y"})
    );
    assert_eq!(
        claims,
        json!({
            "iss": "jane",
            "sub": "someone@example.com",
            "aud": "https://auth.test/token",
            "scope": "read write",
            "quoted": "a\"b/c",
            "at": "2026-11-21T21:00:00Z",
            "n": 7,
            "iat": NOW - 60,
            "exp": NOW + 240,
        })
    );
    assert_eq!(order.refresh, None);
}

#[test]
fn what_a_claim_says_itself_is_not_said_twice() {
    let identity = Identity::new();
    let claims = |jwt| {
        let order = order_with(bearer(jwt), &identity.key());
        let message = sent(&order, moment(0));
        let jwt = form_field(&message, "assertion").unwrap().to_owned();
        verified(&jwt, by(&identity)).1
    };
    let list = FieldValue::List(vec![FieldValue::Text(template("a"))]);
    let own = claims(JwtSettings {
        claims: vec![("aud".to_owned(), list)],
        ..settings()
    });
    assert_eq!(own["aud"], json!(["a"]));
    let none = claims(JwtSettings {
        audience: Audience::None,
        ..settings()
    });
    assert_eq!(none, json!({"iat": NOW - 60, "exp": NOW + 240}));
    let given = claims(JwtSettings {
        audience: Audience::Given(template("other")),
        ..settings()
    });
    assert_eq!(given["aud"], "other");
}

/// As GitHub Apps do it.
#[test]
fn a_custom_request_puts_its_jwt_anywhere() {
    let identity = Identity::new();
    let jwt = JwtSettings {
        issuer: Some(template("12345")),
        audience: Audience::None,
        ..settings()
    };
    let mut method = token_method(Flow::Custom {
        jwt: Some(Box::new(jwt)),
    });
    method.client = None;
    method.request.url = template("https://auth.test/app?print=${jwt.keyFingerprint|urlencode}");
    method.request.headers = vec![RequestHeader {
        name: "Authorization".to_owned(),
        value: template("Bearer ${jwt}"),
    }];
    method.request.content = ContentSettings::Json(template(
        r#"{"jwt": "${jwt}", "by": "${jwt.keyFingerprint}"}"#,
    ));
    let message = sent(&order_with(method, &identity.key()), moment(0));
    let authorization = header(&message, "Authorization").unwrap();
    let jwt = authorization.strip_prefix("Bearer ").unwrap();
    let (_, claims) = verified(jwt, by(&identity));
    assert_eq!(
        claims,
        json!({"iss": "12345", "iat": NOW - 60, "exp": NOW + 240})
    );
    let said: Value = serde_json::from_str(body(&message).unwrap()).unwrap();
    assert_eq!(said["jwt"], jwt);
    let fingerprint = said["by"].as_str().unwrap();
    assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
}

/// The JWT's end is the token's, and the key stays where it is.
#[test]
fn a_signed_jwt_is_the_token_itself_and_its_key_is_in_no_bundle() {
    let identity = Identity::new();
    let jwt = JwtSettings {
        issuer: Some(template("ACME.BOT.${jwt.keyFingerprint}")),
        ..settings()
    };
    let resolved = holding(&signed(jwt), &[("key", &identity.key())]).unwrap();
    let order = resolved.order.unwrap();
    assert_eq!(order.request, None);
    let token = order.signers.sign(moment(0)).unwrap().jwt.unwrap();
    let (_, claims) = verified(token.expose(), by(&identity));
    let fingerprint = order.signers.jwt.as_ref().unwrap().key.fingerprint();
    let issuer = format!("ACME.BOT.{}", fingerprint.unwrap());
    assert_eq!(
        claims,
        json!({"iss": issuer, "iat": NOW - 60, "exp": NOW + 240})
    );
    let sent_at = Timestamp::from_second(NOW).unwrap();
    let round_trip = crate::token::RoundTrip {
        sent: sent_at,
        received: sent_at,
    };
    let raw = crate::token::RawAnswer::of_token(&token);
    let record = crate::token::Record::default()
        .answered(crate::token::Ask::Anew, raw, round_trip, &order.terms)
        .reading(&order.terms, sent_at);
    let held = record.held.unwrap();
    assert_eq!(held.access_token, token);
    let end = Timestamp::from_second(NOW + 240).unwrap();
    assert_eq!(held.expires_at, Some(end));

    assert!(resolved.route.needs_token());
    let entry = Entry::Ready(resolved.route.into());
    let bundle = Bundle {
        tokens: BTreeMap::new(),
        revision: "r".to_owned(),
        environment: Environment::Development,
        collections: BTreeMap::from([("api".parse().unwrap(), entry)]),
    };
    let line = String::from_utf8(Event::Bundle(bundle).encode().unwrap()).unwrap();
    let shown = format!("{order:?} {:?}", order.signers);
    for part in identity.key().lines().filter(|part| part.len() > 20) {
        assert!(
            !line.contains(part) && !shown.contains(part),
            "{line} {shown}"
        );
    }
}

#[test]
fn another_key_claim_or_lifetime_is_another_order() {
    let (one, other) = (Identity::new(), Identity::new());
    let digest = |jwt, identity: &Identity| {
        let resolved = holding(&signed(jwt), &[("key", &identity.key())]);
        resolved.unwrap().order.unwrap().terms.order
    };
    let base = digest(settings(), &one);
    assert_eq!(digest(settings(), &one), base);
    assert_ne!(digest(settings(), &other), base);
    let claimed = JwtSettings {
        claims: vec![text_field("a", "b")],
        ..settings()
    };
    assert_ne!(digest(claimed, &one), base);
    let longer = JwtSettings {
        lifetime: Duration::from_secs(600),
        ..settings()
    };
    assert_ne!(digest(longer, &one), base);

    let method = |key: &Identity| {
        let method = asserting(ClientAuthentication::PrivateKeyJwt, settings());
        order_with(method, &key.key()).terms
    };
    assert_ne!(method(&one).order, method(&other).order);
    // It is the same client all the same.
    assert_eq!(method(&one).lineage, method(&other).lineage);
}

/// As Entra ID wants it: `x5t#S256` (RFC 7515 §4.1.8), and `x5t` before it.
#[test]
fn a_certificate_gives_the_headers_by_which_its_key_is_found() {
    let (identity, stranger) = (Identity::new(), Identity::new());
    let certified = || {
        bearer(JwtSettings {
            certificate: Some(template("${secret.crt}")),
            ..settings()
        })
    };
    let with = |crt: &str| {
        let key = identity.key();
        holding(&with_token(certified()), &[("key", &key), ("crt", crt)])
    };
    let order = with(&identity.certificate).unwrap().order.unwrap();
    let message = sent(&order, moment(0));
    let jwt = form_field(&message, "assertion").unwrap();
    let (header, _) = verified(jwt, by(&identity));
    let blocks = crate::pem::blocks(&identity.certificate).ok().unwrap();
    let der = blocks[0].der.as_ref().unwrap();
    let thumbprint = |by| URL_SAFE_NO_PAD.encode(digest::digest(by, der));
    assert_eq!(header["x5t#S256"], thumbprint(&digest::SHA256));
    assert_eq!(header["x5t"], thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY));

    let mismatch = with(&stranger.certificate).unwrap_err();
    assert_eq!(
        mismatch.message,
        "Key \"crt\" of Secret \"openai-dev\" holds no certificate of the key that \
         spec.auth.jwtBearer.jwt.key names. Store the two that were made together or change \
         spec.auth.jwtBearer.jwt.certificate."
    );
    let none = with("none").unwrap_err();
    assert_eq!(none.reason, Reason::CertificatesInvalid);
}

/// Requirement 64.
#[test]
fn a_wrong_key_is_told_by_its_name_and_place() {
    let identity = Identity::new();
    let refused = |key: &str, template_of_key: &str| {
        let jwt = JwtSettings {
            key: template(template_of_key),
            ..settings()
        };
        holding(&signed(jwt), &[("key", key)]).unwrap_err()
    };
    let certificate = refused(&identity.certificate, "${secret.key}");
    assert_eq!(certificate.reason, Reason::SigningKeyInvalid);
    assert_eq!(certificate.field, "spec.auth.signedJwt.jwt.key");
    assert_eq!(
        certificate.message,
        "Key \"key\" of Secret \"openai-dev\" holds a certificate. Store the private key that belongs \
         to it, or change spec.auth.signedJwt.jwt.key."
    );
    let file = json!({"private_key": identity.key()}).to_string();
    assert_eq!(
        refused(&file, "${secret.key}").message,
        "Key \"key\" of Secret \"openai-dev\" holds JSON, in which the key is at \"/private_key\". \
         Write ${secret.key#/private_key} into spec.auth.signedJwt.jwt.key."
    );
    let missing = refused("x", "${secret.none}");
    assert_eq!(missing.reason, Reason::SecretKeyMissing);
    let jwt = JwtSettings {
        key: template("${secret.key#/private_key}"),
        ..settings()
    };
    assert!(holding(&signed(jwt), &[("key", &file)]).is_ok());
}

#[test]
fn another_key_is_another_order_and_another_claim_is_another_identity() {
    let [one, other] = [Identity::new(), Identity::new()].map(|it| it.key.serialize_pem());
    let terms = |jwt: &JwtSettings, key: &str| order_with(bearer(jwt.clone()), key).terms;
    let base = settings();
    let before = terms(&base, &one);
    let rekeyed = terms(&base, &other);
    assert_ne!(before.order, rekeyed.order);
    assert_eq!(before.identity, rekeyed.identity);
    for changed in [
        JwtSettings {
            subject: Some(template("bob")),
            ..base.clone()
        },
        JwtSettings {
            lifetime: Duration::from_secs(60),
            ..base.clone()
        },
        JwtSettings {
            backdate: Duration::ZERO,
            ..base
        },
    ] {
        let after = terms(&changed, &one);
        assert_ne!(before.order, after.order);
        assert_ne!(before.identity, after.identity);
    }
}
