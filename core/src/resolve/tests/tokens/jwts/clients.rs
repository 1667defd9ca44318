//! How a client proves who it is without its secret.

use super::*;

/// RFC 7523 §2.2 and §3, RFC 7521 §4.2.
#[test]
fn a_client_proves_who_it_is_by_a_jwt_that_is_never_the_same_twice() {
    let identity = Identity::new();
    let mut method = asserting(ClientAuthentication::PrivateKeyJwt, settings());
    method.request.params = vec![text_field("id", "${uuid}")];
    let order = order_with(method, &identity.key());
    let mut numbers = std::collections::BTreeSet::new();
    for random in 0..3 {
        let message = sent(&order, moment(random));
        assert_eq!(header(&message, "Authorization"), None);
        assert_eq!(form_field(&message, "client_id"), Some("client-1"));
        assert_eq!(
            form_field(&message, "client_assertion_type"),
            Some("urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
        );
        assert_eq!(form_field(&message, "client_secret"), None);
        let jwt = form_field(&message, "client_assertion").unwrap();
        let (_, mut claims) = verified(jwt, by(&identity));
        let number = claims["jti"].take().as_str().unwrap().to_owned();
        assert_ne!(form_field(&message, "id"), Some(number.as_str()));
        assert!(numbers.insert(number));
        assert_eq!(
            claims,
            json!({
                "iss": "client-1",
                "sub": "client-1",
                "aud": "https://auth.test/token",
                "iat": NOW - 60,
                "exp": NOW + 240,
                "jti": null,
            })
        );
    }
}

#[test]
fn a_client_can_sign_with_its_secret() {
    let shared = "0123456789abcdef0123456789abcdef";
    let assertion = JwtSettings {
        algorithm: Algorithm::Hs256,
        ..settings()
    };
    let method = asserting(ClientAuthentication::ClientSecretJwt, assertion);
    let order = order_with(method.clone(), shared);
    let message = sent(&order, moment(0));
    let jwt = form_field(&message, "client_assertion").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, shared.as_bytes());
    let (header, claims) = verified(jwt, |input, mac| hmac::verify(&key, input, mac).is_ok());
    assert_eq!(header["alg"], "HS256");
    assert_eq!(claims["sub"], "client-1");
    assert!(!body(&message).unwrap().contains(shared));
    let refused = holding(&with_token(method), &[("key", "short")]).unwrap_err();
    assert_eq!(
        refused.message,
        "Key \"key\" of Secret \"openai-dev\" holds a key of 40 bits, but HS256 takes one of 256 bits \
         or more, or change spec.auth.oauth2ClientCredentials.token.client.secret."
    );
}

/// RFC 8705 §2.
#[test]
fn a_client_can_be_known_by_its_certificate() {
    let identity = Identity::new();
    let mut method = token_method(Flow::ClientCredentials);
    method.client = Some(Client {
        secret: None,
        ..client(ClientAuthentication::TlsClientAuth)
    });
    method.mtls = true;
    let mut collection = with_token(method);
    let missing = holding(&collection, &[]).unwrap_err();
    assert!(
        missing.message.starts_with(
            "spec.auth.oauth2ClientCredentials.token.client.authentication needs a certificate"
        ),
        "{missing}"
    );
    let development = collection.development.as_mut().unwrap();
    development.tls_secret = Some("tls".to_owned());
    let mut material = with_dev(secret(&HELD));
    let certificate = identity.secret();
    material.secrets.insert("tls".to_owned(), certificate);
    let order = in_development(&collection, &material)
        .unwrap()
        .order
        .unwrap();
    assert!(order.client_certificate.is_some());
    assert_eq!(
        body(&sent(&order, moment(0))),
        Some("grant_type=client_credentials&client_id=client-1")
    );
}

#[test]
fn a_refresh_is_proved_by_a_jwt_as_well() {
    let identity = Identity::new();
    let method = TokenMethod {
        client: asserting(ClientAuthentication::PrivateKeyJwt, settings()).client,
        ..token_method(password())
    };
    let order = order_with(method, &identity.key());
    let signed = order.signers.sign(moment(0)).unwrap();
    let refresh_token = Secret::new("r1");
    let values = LateValues {
        refresh_token: Some(&refresh_token),
        client_assertion: signed.client_assertion.as_ref(),
        ..LateValues::at(moment(0))
    };
    let message = order.refresh.unwrap().message(&values, false).unwrap();
    assert_eq!(form_field(&message, "refresh_token"), Some("r1"));
    let jwt = form_field(&message, "client_assertion").unwrap();
    let (_, claims) = verified(jwt, by(&identity));
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("client-1"), &json!("client-1"))
    );
}
