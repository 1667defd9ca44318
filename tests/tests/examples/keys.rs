//! Keys, which cannot stand in files that everybody reads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use credence_core::resolve::SecretObject;
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

/// Puts keys, and what belongs to them, where the files have placeholders.
pub(crate) fn put_into(secrets: &mut BTreeMap<String, SecretObject>) -> Keys {
    let mut keys = Keys::new();
    for (name, secret) in secrets {
        let signs = |key| secret.data.contains_key(key);
        if !signs("private-key") && !signs("key-file") {
            continue;
        }
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
