//! Keys, which cannot stand in files that everybody reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use credence_core::Environment;
use credence_core::collection::Collection;
use credence_core::resolve::{SecretObject, secret_keys};
use rcgen::{CertificateParams, KeyPair, RsaKeySize};
use serde_json::json;

/// By the name of the Secret that holds them.
pub(crate) type Keys = BTreeMap<String, KeyPair>;

/// One for each environment: making them takes a while.
static RSA: LazyLock<[String; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048);
        key.unwrap().serialize_pem()
    })
});

/// The Secrets that a collection needs, with keys in them.
pub(crate) fn secrets(collection: &Collection) -> (BTreeMap<String, SecretObject>, Keys) {
    let environments = [Environment::Development, Environment::Live];
    let needed = environments.map(|environment| secret_keys(collection, environment));
    let object = |(name, stored): (String, BTreeSet<String>)| {
        let value = |key: String| {
            let value = format!("{name}.{key}").into_bytes();
            (key, value.into())
        };
        let secret = SecretObject {
            data: stored.into_iter().map(value).collect(),
            ..SecretObject::default()
        };
        (name, secret)
    };
    let mut secrets = needed.into_iter().flatten().map(object).collect();
    let keys = put_into(&mut secrets);
    (secrets, keys)
}

/// Puts keys, and what belongs to them, where they are needed.
fn put_into(secrets: &mut BTreeMap<String, SecretObject>) -> Keys {
    let mut keys = Keys::new();
    for (name, secret) in secrets {
        let key = if name.starts_with("appstore") {
            KeyPair::generate().unwrap()
        } else {
            let [dev, live] = &*RSA;
            let pem = if name.ends_with("-live") { live } else { dev };
            KeyPair::from_pem(pem).unwrap()
        };
        let pem = key.serialize_pem();
        let params = CertificateParams::new(Vec::new()).unwrap();
        let file = json!({
            "type": "service_account",
            "private_key_id": format!("{name}-kid"),
            "private_key": pem,
            "client_email": format!("{name}@example.iam.gserviceaccount.com"),
        });
        for (stored, value) in &mut secret.data {
            let text = match stored.as_str() {
                "private-key" => pem.clone(),
                "certificate" => params.self_signed(&key).unwrap().pem(),
                "key-file" => file.to_string(),
                _ => continue,
            };
            *value = text.into_bytes().into();
        }
        keys.insert(name.clone(), key);
    }
    keys
}
