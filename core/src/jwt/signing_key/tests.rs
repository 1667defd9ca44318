//! Vectors of the standards, and keys as people store them.

mod keys;
mod mistakes;

use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::pem;
use keys::{EC, ED25519, RSA, SHARED};

fn read(text: &str, format: KeyFormat, algorithm: Algorithm) -> Result<SigningKey, InvalidKey> {
    SigningKey::read(&Secret::new(text), format, algorithm)
}

fn key(text: &str, algorithm: Algorithm) -> SigningKey {
    read(text, KeyFormat::Auto, algorithm).unwrap()
}

fn signed(key: &SigningKey, input: &str) -> String {
    URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap())
}

fn verifies(
    key: &SigningKey,
    by: &'static dyn VerificationAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Pair::Private(pair) = &*key.pair else {
        panic!("a shared key");
    };
    UnparsedPublicKey::new(by, pair.public())
        .verify(message, signature)
        .is_ok()
}

/// The payload of RFC 7515, Appendix A.1 to A.3.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

#[test]
fn the_vectors_of_rfc_7515_come_out_as_they_are_printed() {
    // A.1.
    let input = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}");
    assert_eq!(
        signed(&key(SHARED, Algorithm::Hs256), &input),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    // A.2.
    let input = format!("eyJhbGciOiJSUzI1NiJ9.{JOE}");
    assert_eq!(
        signed(&key(RSA, Algorithm::Rs256), &input),
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2\
         Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB\
         MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI\
         2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    // A.3, of which each signature is another.
    let key = key(EC, Algorithm::Es256);
    let input = format!("eyJhbGciOiJFUzI1NiJ9.{JOE}");
    let printed = URL_SAFE_NO_PAD
        .decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
        .unwrap();
    let own = key.sign(input.as_bytes()).unwrap();
    for signature in [printed, own] {
        assert_eq!(signature.len(), 64);
        let by = &signature::ECDSA_P256_SHA256_FIXED;
        assert!(verifies(&key, by, input.as_bytes(), &signature));
    }
}

#[test]
fn the_vector_of_rfc_8037_comes_out_as_it_is_printed() {
    // A.4.
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        signed(&key(ED25519, Algorithm::EdDsa), input),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn the_vector_of_rfc_7520_comes_out_as_it_is_printed() {
    // 4.4.
    let shared = r#"{"kty": "oct", "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#;
    let input = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.\
        SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250\
        byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlc\
        mUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
    assert_eq!(
        signed(&key(shared, Algorithm::Hs256), input),
        "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
    );
}

#[test]
fn each_algorithm_signs_as_another_implementation_verifies_it() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = p384.serialize_pem();
    let cases: [(&str, Algorithm, &'static dyn VerificationAlgorithm); 9] = [
        (
            RSA,
            Algorithm::Rs256,
            &signature::RSA_PKCS1_2048_8192_SHA256,
        ),
        (
            RSA,
            Algorithm::Rs384,
            &signature::RSA_PKCS1_2048_8192_SHA384,
        ),
        (
            RSA,
            Algorithm::Rs512,
            &signature::RSA_PKCS1_2048_8192_SHA512,
        ),
        (RSA, Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        (RSA, Algorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
        (RSA, Algorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
        (EC, Algorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED),
        (&p384, Algorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED),
        (ED25519, Algorithm::EdDsa, &signature::ED25519),
    ];
    for (text, algorithm, by) in cases {
        let key = key(text, algorithm);
        let signature = key.sign(b"message").unwrap();
        assert!(verifies(&key, by, b"message", &signature), "{algorithm}");
        assert!(!verifies(&key, by, b"massage", &signature), "{algorithm}");
    }
    for (algorithm, by) in [
        (Algorithm::Hs256, hmac::HMAC_SHA256),
        (Algorithm::Hs384, hmac::HMAC_SHA384),
        (Algorithm::Hs512, hmac::HMAC_SHA512),
    ] {
        let text = "0123456789abcdef".repeat(4);
        let signature = key(&text, algorithm).sign(b"message").unwrap();
        let expected = hmac::Key::new(by, text.as_bytes());
        assert!(hmac::verify(&expected, b"message", &signature).is_ok());
    }
}

/// The same key in every format that there is.
fn forms(jwk: &str, algorithm: Algorithm) -> Vec<(&'static str, Vec<u8>)> {
    match &*key(jwk, algorithm).pair {
        Pair::Private(KeyPair::Rsa(pair)) => {
            let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            let pkcs8 = pkcs8.as_ref().to_vec();
            // PKCS#8 is PKCS#1 with 26 bytes before it, for 2048 bits.
            let pkcs1 = pkcs8[26..].to_vec();
            vec![("PRIVATE KEY", pkcs8), ("RSA PRIVATE KEY", pkcs1)]
        }
        Pair::Private(KeyPair::Ecdsa(_, pair)) => {
            let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
            let pkcs8 = pair.to_pkcs8v1().unwrap();
            vec![
                ("PRIVATE KEY", pkcs8.as_ref().to_vec()),
                ("EC PRIVATE KEY", sec1.as_ref().to_vec()),
            ]
        }
        Pair::Private(KeyPair::Ed25519(pair)) => {
            let pkcs8 = pair.to_pkcs8v1().unwrap();
            vec![("PRIVATE KEY", pkcs8.as_ref().to_vec())]
        }
        Pair::Shared(_) => panic!("a shared key"),
    }
}

/// Requirement 64.
#[test]
fn a_key_loads_in_every_form_that_it_is_stored_in() {
    for (jwk, algorithm) in [
        (RSA, Algorithm::Ps256),
        (EC, Algorithm::Es256),
        (ED25519, Algorithm::EdDsa),
    ] {
        let expected = key(jwk, algorithm).fingerprint().unwrap();
        for (label, der) in forms(jwk, algorithm) {
            let good = pem::encode(label, &der);
            let base64 = STANDARD.encode(&der);
            for text in [
                good.to_string(),
                good.replace('\n', " "),
                good.replace('\n', "\\n"),
                good.replace('\n', "\\r\\n"),
                good.replace('\n', "\r\n"),
                good.replace('\n', ""),
                good.replace('=', ""),
                format!("\"{}\"", good.replace('\n', "\\n")),
                format!("'{}'", good.trim_end()),
                // Another label than the content's, by the hand that copied it.
                good.replace(label, "PRIVATE KEY"),
                // Without its first and last line, or wrapped once more.
                base64.clone(),
                STANDARD.encode(good.as_bytes()),
            ] {
                let read = key(&text, algorithm);
                assert_eq!(read.fingerprint().unwrap(), expected, "{algorithm} {text}");
            }
        }
    }
}

#[test]
fn a_shared_key_is_read_as_its_format_says() {
    let text = "0123456789abcdef0123456789abcdef";
    let as_text = key(text, Algorithm::Hs256).sign(b"m").unwrap();
    let same = |stored: &str, format| {
        let key = read(stored, format, Algorithm::Hs256).unwrap();
        key.sign(b"m").unwrap() == as_text
    };
    assert!(same(text, KeyFormat::Utf8));
    let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(same(&hex, KeyFormat::Hex));
    let base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    assert!(same(base64, KeyFormat::Base64));
    assert!(same(&format!("{base64}="), KeyFormat::Base64));
    assert!(same(
        &format!(r#"{{"kty":"oct","k":"{base64}"}}"#),
        KeyFormat::Auto
    ));
    // Nobody can tell hexadecimal from a text: as it stands it is one.
    assert!(!same(&hex, KeyFormat::Auto));
}

/// As `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | base64`
/// has it, which is how Snowflake's documentation makes it.
#[test]
fn a_fingerprint_is_that_of_the_public_key() {
    let fingerprint = |jwk, algorithm| key(jwk, algorithm).fingerprint();
    let rsa = fingerprint(RSA, Algorithm::Rs256);
    assert_eq!(rsa.as_deref(), Some(keys::RSA_FINGERPRINT));
    assert_eq!(fingerprint(RSA, Algorithm::Ps512), rsa);
    let ec = fingerprint(EC, Algorithm::Es256);
    assert_eq!(ec.as_deref(), Some(keys::EC_FINGERPRINT));
    assert_eq!(fingerprint(SHARED, Algorithm::Hs256), None);
}

#[test]
fn debug_shows_the_algorithm_alone() {
    let key = key(SHARED, Algorithm::Hs256);
    assert_eq!(format!("{key:?}"), "SigningKey(HS256 …)");
}
