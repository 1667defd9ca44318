//! ServiceAccount tokens that the API server did not issue, but could have:
//! signed with its own key, where the cluster is ours.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::state::State;

/// The key that the API server signs tokens with.
pub struct Issuer(EcdsaKeyPair);

impl Issuer {
    /// The one of the cluster in `state`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(state: &State) -> Result<Self> {
        let pem = fs::read(state.path("pki/tokens.key"))?;
        let key = PrivateKeyDer::from_pem_slice(&pem)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der())
            .ok()
            .context("the key of ServiceAccount tokens")?;
        Ok(Self(key))
    }

    /// A key that nobody knows.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn unknown() -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self(key.ok().context("a new key")?))
    }

    /// A token for `audience` that is bound to the pod (as the API server shows
    /// it) and its ServiceAccount `default`, good from an hour ago until
    /// `seconds` from now, which may be negative.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn token(
        &self,
        audience: &str,
        pod: &Value,
        account: &Value,
        seconds: i64,
    ) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let begin = now.saturating_sub(Duration::from_secs(7200)).as_secs();
        let end = i64::try_from(now.as_secs())? + seconds;
        let named = |object: &Value| {
            json!({
                "name": object["metadata"]["name"],
                "uid": object["metadata"]["uid"],
            })
        };
        let namespace = pod["metadata"]["namespace"]
            .as_str()
            .context("a namespace")?;
        let claims = json!({
            "iss": "https://kubernetes.default.svc",
            "aud": [audience],
            "sub": format!("system:serviceaccount:{namespace}:default"),
            "iat": begin, "nbf": begin, "exp": end,
            "kubernetes.io": {
                "namespace": namespace,
                "pod": named(pod),
                "serviceaccount": named(account),
            },
        });
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let header = encode(br#"{"alg":"ES256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.ok().context("a signature")?;
        Ok(format!("{signed}.{}", encode(signature.as_ref())))
    }
}
