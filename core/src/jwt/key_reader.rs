//! From a text to a key.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::algorithm::KeyKind;
use super::signing_key::Pair;
use super::{Algorithm, Found, InvalidKey, KeyFormat};
use crate::key_pair::{Curve, KeyPair};
use crate::pem;

/// With or without padding, as it was copied.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What stands before a PEM block.
const BEGIN: &str = "-----BEGIN ";

/// The key in a text, of whatever kind it is.
pub(super) fn read(
    text: &str,
    format: KeyFormat,
    algorithm: Algorithm,
) -> Result<Pair, InvalidKey> {
    let shared = algorithm.key_kind() == KeyKind::Shared;
    match format {
        KeyFormat::Auto if text.contains(BEGIN) && !text.trim_start().starts_with('{') => {
            of_pem(text, algorithm)
        }
        KeyFormat::Auto if text.trim_start().starts_with('{') => of_json(text),
        KeyFormat::Auto | KeyFormat::Utf8 if shared => Ok(as_it_is(text)),
        KeyFormat::Auto => of_base64(text, algorithm).ok_or(InvalidKey::Unreadable(algorithm)),
        KeyFormat::Utf8 => Err(InvalidKey::Unreadable(algorithm)),
        KeyFormat::Pem => of_pem(text, algorithm),
        KeyFormat::Jwk => of_json(text),
        KeyFormat::Base64 => of_base64(text, algorithm).ok_or(InvalidKey::NotOfFormat("base64")),
        KeyFormat::Hex => of_hex(text).ok_or(InvalidKey::NotOfFormat("hexadecimal")),
    }
}

fn as_it_is(text: &str) -> Pair {
    Pair::Shared(Zeroizing::new(text.as_bytes().to_vec()))
}

fn of_pem(text: &str, algorithm: Algorithm) -> Result<Pair, InvalidKey> {
    let blocks = pem::blocks(text).map_err(|pem::Broken| Found::BrokenPem)?;
    let is_private = |block: &&pem::Block| block.label.ends_with("PRIVATE KEY");
    let Some(block) = blocks.iter().find(is_private) else {
        let has = |word: &str| blocks.iter().any(|block| block.label.ends_with(word));
        return Err(if has("CERTIFICATE") {
            Found::Certificate.into()
        } else if has("CERTIFICATE REQUEST") {
            Found::CertificateRequest.into()
        } else if has("PUBLIC KEY") {
            Found::PublicKey.into()
        } else {
            InvalidKey::Unreadable(algorithm)
        });
    };
    match (block.label.as_str(), &block.der) {
        ("OPENSSH PRIVATE KEY", _) => Err(Found::OpenSsh.into()),
        ("ENCRYPTED PRIVATE KEY", _) | (_, None) => Err(Found::Encrypted.into()),
        // Whoever renames a block by hand still has the same key in it.
        (_, Some(der)) => KeyPair::of_der(der)
            .map(Pair::Private)
            .ok_or(InvalidKey::Unreadable(algorithm)),
    }
}

/// Of a shared key itself; of another one as PEM or DER.
fn of_base64(text: &str, algorithm: Algorithm) -> Option<Pair> {
    let compact = Zeroizing::new(text.split_whitespace().collect::<String>());
    let bytes = BASE64
        .decode(compact.as_bytes())
        .or_else(|_| BASE64URL.decode(compact.as_bytes()));
    let bytes = Zeroizing::new(bytes.ok()?);
    if algorithm.key_kind() == KeyKind::Shared {
        return Some(Pair::Shared(bytes));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains(BEGIN) => of_pem(text, algorithm).ok(),
        _ => KeyPair::of_der(&bytes).map(Pair::Private),
    }
}

fn of_hex(text: &str) -> Option<Pair> {
    let digits = text.trim().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(Pair::Shared(bytes))
}

/// RFC 7517 and RFC 7518 §6, RFC 8037 §2.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kty: Option<String>,
    crv: Option<String>,
    n: Part,
    e: Part,
    d: Part,
    p: Part,
    q: Part,
    dp: Part,
    dq: Part,
    qi: Part,
    x: Part,
    y: Part,
    k: Part,
    keys: Option<serde::de::IgnoredAny>,
}

/// A number or bytes, in base64url; empty where it is not there.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Part(Zeroizing<String>);

impl Part {
    fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = BASE64URL.decode(self.0.as_bytes()).ok().map(Zeroizing::new);
        bytes.filter(|bytes| !bytes.is_empty())
    }

    /// Without the zeros that some writers put before a number.
    fn number(&self) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = self.bytes()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(Zeroizing::new(bytes.get(zeros..)?.to_vec()))
    }
}

fn of_json(text: &str) -> Result<Pair, InvalidKey> {
    let Ok(jwk) = serde_json::from_str::<Jwk>(text) else {
        return Err(other_json(text).into());
    };
    if jwk.keys.is_some() {
        return Err(Found::JwkSet.into());
    }
    let pair = match jwk.kty.as_deref() {
        Some("oct") => jwk.k.bytes().map(Pair::Shared),
        Some("RSA") if jwk.d.0.is_empty() => return Err(Found::PublicKey.into()),
        Some("RSA") => of_rsa(&jwk),
        Some("EC" | "OKP") if jwk.d.0.is_empty() => return Err(Found::PublicKey.into()),
        Some("EC") => of_ec(&jwk),
        Some("OKP") => of_okp(&jwk),
        Some(_) => None,
        None => return Err(other_json(text).into()),
    };
    pair.ok_or_else(|| Found::Json.into())
}

fn of_rsa(jwk: &Jwk) -> Option<Pair> {
    let pair = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: jwk.n.number()?,
            e: jwk.e.number()?,
        },
        d: jwk.d.bytes()?,
        p: jwk.p.bytes()?,
        q: jwk.q.bytes()?,
        dP: jwk.dp.bytes()?,
        dQ: jwk.dq.bytes()?,
        qInv: jwk.qi.bytes()?,
    });
    Some(Pair::Private(KeyPair::Rsa(pair.ok()?)))
}

fn of_ec(jwk: &Jwk) -> Option<Pair> {
    let curve = match jwk.crv.as_deref()? {
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "P-521" => Curve::P521,
        _ => return None,
    };
    // SEC 1 §2.3.3: both coordinates, not compressed.
    let public = [&[4], jwk.x.bytes()?.as_slice(), jwk.y.bytes()?.as_slice()].concat();
    let private = jwk.d.bytes()?;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &private, &public);
    Some(Pair::Private(KeyPair::Ecdsa(curve, pair.ok()?)))
}

fn of_okp(jwk: &Jwk) -> Option<Pair> {
    if jwk.crv.as_deref() != Some("Ed25519") {
        return None;
    }
    let pair = Ed25519KeyPair::from_seed_and_public_key(&jwk.d.bytes()?, &jwk.x.bytes()?);
    Some(Pair::Private(KeyPair::Ed25519(pair.ok()?)))
}

/// What JSON is that is no JWK: often a provider's whole key file.
fn other_json(text: &str) -> Found {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else {
        return Found::Json;
    };
    let member = key_member(&document, String::new());
    overwrite(&mut document);
    member.map_or(Found::Json, Found::Member)
}

/// The pointer (RFC 6901) to the first private key.
fn key_member(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::String(text) => {
            (text.contains(BEGIN) && text.contains("PRIVATE KEY")).then_some(pointer)
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            key_member(value, format!("{pointer}/{name}"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Leaves no copy of a key behind.
fn overwrite(value: &mut Value) {
    match value {
        Value::String(text) => zeroize::Zeroize::zeroize(text),
        Value::Array(values) => values.iter_mut().for_each(overwrite),
        Value::Object(members) => members.values_mut().for_each(overwrite),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
