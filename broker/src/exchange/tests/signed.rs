//! Endpoints that look at what was signed.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credence_core::jwt::{Algorithm, KeyFormat, Signer, SigningKey};
use credence_core::token::{Ask, FieldPath, Record, RoundTrip};
use rcgen::KeyPair;
use serde_json::Value;

use super::*;

/// Whoever trusts the public half of a key.
struct Verifier(KeyPair);

impl Verifier {
    fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    fn signer(&self, issuer: &str, audience: &str, numbered: bool) -> Signer {
        let key = Secret::new(self.0.serialize_pem());
        let claim = |name: &str, text: &str| {
            let text = LateText::known(&Secret::new(text));
            (name.to_owned(), FieldValue::Text(text))
        };
        Signer {
            key: SigningKey::read(&key, KeyFormat::Auto, Algorithm::Es256).unwrap(),
            header: vec![],
            claims: vec![
                claim("iss", issuer),
                claim("sub", issuer),
                claim("aud", audience),
            ],
            lifetime: Duration::from_secs(300),
            backdate: Duration::from_secs(60),
            numbered,
        }
    }

    /// What a JWT says, if it is what RFC 7523 §3 demands: signed, from this
    /// issuer, to this audience, not over, and not from the future.
    fn claims(&self, jwt: &str, issuer: &str, audience: &str, now: i64) -> Value {
        let (input, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key_raw())
            .verify(input.as_bytes(), &signature)
            .unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(input.split_once('.').unwrap().1)
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], issuer);
        assert_eq!(claims["sub"], issuer);
        assert_eq!(claims["aud"], audience);
        assert!(claims["iat"].as_i64().unwrap() <= now, "{claims}");
        assert!(claims["exp"].as_i64().unwrap() > now, "{claims}");
        claims
    }
}

fn sent<'a>(request: &'a str, name: &str) -> &'a str {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).unwrap().1
}

#[tokio::test]
async fn each_request_is_signed_anew_and_by_both_keys() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let (user, client) = (Verifier::new(), Verifier::new());
    let mut order = order(&endpoint.url("/token"));
    order.signers = Signers {
        jwt: Some(user.signer("user", "users", false)),
        client_assertion: Some(client.signer("app", "clients", true)),
    };
    let late = |name: &str, variable| (name.to_owned(), FieldValue::Text(LateText::of(variable)));
    let fields = vec![
        late("assertion", LateVariable::Jwt),
        late("client_assertion", LateVariable::ClientAssertion),
    ];
    order.request.as_mut().unwrap().content = Content::Fields(FieldFormat::Form, fields);
    let times = [0, 0, 3600].map(|later| now() + Duration::from_secs(later));
    for time in times {
        let sent = exchange().send(&order, Asking::Anew, time).await;
        assert_eq!(sent.unwrap().status, 200);
    }
    let heard = endpoint.heard().await;
    let mut numbers = BTreeSet::new();
    for (request, time) in heard.iter().zip(times) {
        let time = time.as_second();
        user.claims(sent(request, "assertion"), "user", "users", time);
        let assertion = sent(request, "client_assertion");
        let claims = client.claims(assertion, "app", "clients", time);
        assert!(numbers.insert(claims["jti"].as_str().unwrap().to_owned()));
    }
    assert_eq!(numbers.len(), times.len());
}

/// No endpoint is there to be asked.
#[tokio::test]
async fn a_jwt_that_is_the_token_is_signed_here_and_ends_when_it_says() {
    let verifier = Verifier::new();
    let mut order = order("http://endpoint.invalid");
    order.request = None;
    order.refresh = None;
    order.terms.shape.access_token = FieldPath::whole();
    order.signers.jwt = Some(verifier.signer("me", "api", false));
    let answer = asked(&exchange(), &order).await.unwrap();
    let token = std::str::from_utf8(&answer.body).unwrap().to_owned();
    verifier.claims(&token, "me", "api", now().as_second());
    let round_trip = RoundTrip {
        sent: now(),
        received: now(),
    };
    let record = Record::default()
        .answered(Ask::Anew, answer, round_trip, &order.terms)
        .reading(&order.terms, now());
    let held = record.held.unwrap();
    assert_eq!(held.access_token.expose(), token);
    assert_eq!(held.expires_at, Some(now() + Duration::from_secs(240)));
}
