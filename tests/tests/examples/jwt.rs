//! JSON Web Tokens as those read them whom they are shown to.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::Value;

/// One whose signature is right.
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Jwt {
    /// Reads one that this key has signed by this algorithm.
    pub(crate) fn verified(text: &str, algorithm: &str, key: &KeyPair) -> Result<Self, String> {
        let by: &dyn VerificationAlgorithm = match algorithm {
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "ES256" => &ECDSA_P256_SHA256_FIXED,
            other => return Err(format!("{other} is not known here")),
        };
        let (input, signature) = text.rsplit_once('.').ok_or("no JWT")?;
        let (header, claims) = input.split_once('.').ok_or("no JWT")?;
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|error| error.to_string())?;
        UnparsedPublicKey::new(by, key.der_bytes())
            .verify(input.as_bytes(), &signature)
            .map_err(|_| "the signature is wrong")?;
        let read = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|e| e.to_string())?;
            serde_json::from_slice::<Value>(&bytes).map_err(|e| e.to_string())
        };
        let jwt = Self {
            header: read(header)?,
            claims: read(claims)?,
        };
        jwt.heads("alg", algorithm)?;
        jwt.heads("typ", "JWT")?;
        Ok(jwt)
    }

    pub(crate) fn heads(&self, name: &str, expected: &str) -> Result<(), String> {
        same(name, &self.header[name], expected)
    }

    pub(crate) fn claims(&self, name: &str, expected: &str) -> Result<(), String> {
        same(name, &self.claims[name], expected)
    }

    /// From `iat` to `exp` it is so long at most, and now is between them.
    pub(crate) fn lives(&self, longest: i64) -> Result<(), String> {
        let time = |name: &str| {
            let time = self.claims[name].as_i64();
            time.ok_or_else(|| format!("{name} is {}", self.claims[name]))
        };
        let (issued, ends, now) = (time("iat")?, time("exp")?, Timestamp::now().as_second());
        if issued > now || ends <= now || ends - issued > longest {
            return Err(format!("it is {now}, and it lives from {issued} to {ends}"));
        }
        Ok(())
    }
}

fn same(name: &str, found: &Value, expected: &str) -> Result<(), String> {
    match found.as_str() == Some(expected) {
        true => Ok(()),
        false => Err(format!("{name} is {found}, not {expected}")),
    }
}
