//! What people store instead of a key.

use super::*;
use crate::jwt::Found;
use crate::jwt::algorithm::KeyKind;

fn refused(text: &str, algorithm: Algorithm) -> InvalidKey {
    read(text, KeyFormat::Auto, algorithm).unwrap_err()
}

fn block(label: &str) -> String {
    pem::encode(label, &[0x30, 0x03, 0x02, 0x01, 0x00]).to_string()
}

/// Requirement 64: the message names what was found.
#[test]
fn what_is_no_private_key_is_called_by_its_name() {
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                     DEK-Info: AES-128-CBC,0A\n\nMAA=\n-----END RSA PRIVATE KEY-----";
    let public = r#"{"kty":"EC","crv":"P-256","x":"f83O","y":"x_FE"}"#;
    let set = format!(r#"{{"keys": [{EC}]}}"#);
    let cut = pem::encode("PRIVATE KEY", &[0x30; 100]).replace("-----END", "");
    for (text, expected) in [
        (block("CERTIFICATE").as_str(), Found::Certificate),
        (&block("CERTIFICATE REQUEST"), Found::CertificateRequest),
        (&block("PUBLIC KEY"), Found::PublicKey),
        (&block("RSA PUBLIC KEY"), Found::PublicKey),
        (&block("ENCRYPTED PRIVATE KEY"), Found::Encrypted),
        (encrypted, Found::Encrypted),
        (&block("OPENSSH PRIVATE KEY"), Found::OpenSsh),
        (&cut, Found::BrokenPem),
        (public, Found::PublicKey),
        (&set, Found::JwkSet),
        (r#"{"a": 1}"#, Found::Json),
        ("{", Found::Json),
        (r#"{"kty": "EC", "crv": "P-256", "d": "AA"}"#, Found::Json),
    ] {
        let found = InvalidKey::from(expected);
        assert_eq!(refused(text, Algorithm::Rs256), found, "{text}");
        // A public key is never taken for a shared one.
        assert_eq!(refused(text, Algorithm::Hs256), found, "{text}");
    }
}

#[test]
fn a_whole_key_file_is_told_from_the_key_in_it() {
    let pem = block("PRIVATE KEY").replace('\n', "\\n");
    let google = format!(r#"{{"type": "service_account", "private_key": "{pem}"}}"#);
    assert_eq!(
        refused(&google, Algorithm::Rs256).to_string(),
        "holds JSON, in which the key is at \"/private_key\": write that after the key's name, \
         as in ${secret.KEY#/private_key}"
    );
    let boxed = format!(r#"{{"boxAppSettings": {{"app/auth": {{"privateKey": "{pem}"}}}}}}"#);
    let at = "/boxAppSettings/app~1auth/privateKey".to_owned();
    let found = InvalidKey::from(Found::Member(at));
    assert_eq!(refused(&boxed, Algorithm::Rs256), found);
}

#[test]
fn a_key_of_another_kind_is_refused_with_the_algorithm_that_takes_it() {
    for (text, found, algorithm, told) in [
        (
            EC,
            KeyKind::P256,
            Algorithm::Rs256,
            "holds an EC key of the curve P-256, but RS256 takes an RSA key. \
             Store one, or write algorithm: ES256",
        ),
        (
            RSA,
            KeyKind::Rsa,
            Algorithm::Hs256,
            "holds an RSA key, but HS256 takes a shared key. Store one, or write algorithm: RS256",
        ),
        (
            SHARED,
            KeyKind::Shared,
            Algorithm::EdDsa,
            "holds a shared key, but EdDSA takes an Ed25519 key. Store one, or write algorithm: HS256",
        ),
    ] {
        let refused = refused(text, algorithm);
        assert_eq!(refused, InvalidKey::OtherKind { found, algorithm });
        assert_eq!(refused.to_string(), told);
    }
    let p521 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    assert_eq!(
        refused(&p521.serialize_pem(), Algorithm::Es384).to_string(),
        "holds an EC key of the curve P-521, but ES384 takes an EC key of the curve P-384. Store one"
    );
}

/// RFC 7518 §3.2.
#[test]
fn a_shared_key_that_can_be_guessed_is_refused() {
    for (bytes, algorithm, taken) in [
        (31, Algorithm::Hs256, false),
        (32, Algorithm::Hs256, true),
        (47, Algorithm::Hs384, false),
        (48, Algorithm::Hs384, true),
        (63, Algorithm::Hs512, false),
        (64, Algorithm::Hs512, true),
    ] {
        let read = read(&"k".repeat(bytes), KeyFormat::Auto, algorithm);
        assert_eq!(read.is_ok(), taken, "{bytes} {algorithm}");
    }
    assert_eq!(
        refused("short", Algorithm::Hs256).to_string(),
        "holds a key of 40 bits, but HS256 takes one of 256 bits or more"
    );
}

#[test]
fn what_is_in_no_known_format_is_refused_and_not_quoted() {
    for (text, format, told) in [
        (
            "s3cret!",
            KeyFormat::Auto,
            "holds no private key that can be read.",
        ),
        (
            "AAAA",
            KeyFormat::Auto,
            "holds no private key that can be read.",
        ),
        (
            "s3cret!",
            KeyFormat::Pem,
            "holds no private key that can be read.",
        ),
        ("s3cret!", KeyFormat::Base64, "is not base64."),
        ("s3cret!", KeyFormat::Hex, "is not hexadecimal."),
        ("abc", KeyFormat::Hex, "is not hexadecimal."),
        (
            "s3cret!",
            KeyFormat::Jwk,
            "holds JSON that is not a private key",
        ),
    ] {
        let refused = read(text, format, Algorithm::Rs256)
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with(told), "{refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}
