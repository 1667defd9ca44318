//! Whom a token of a ServiceAccount names.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;

/// Whom it must be for, and nobody besides.
const AUDIENCE: &str = "probe-issuer";

/// RFC 7519 §4.1.
#[derive(Deserialize)]
struct Claims {
    aud: Vec<String>,
    sub: String,
    exp: u64,
}

/// The subject of a token that is for this server alone, and has not ended by
/// this time, in seconds since 1970. Who has signed it is not looked at: what is
/// tested is whom the cluster lets somebody be, and no real API is behind this.
pub(super) fn of(token: &str, now: u64) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    (claims.aud == [AUDIENCE] && now < claims.exp).then_some(claims.sub)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn token(claims: &Value) -> String {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("h.{payload}.s")
    }

    #[test]
    fn a_token_names_its_subject_to_its_audience_until_its_end() {
        let claims = json!({"aud": [AUDIENCE], "sub": "one", "exp": 10});
        assert_eq!(of(&token(&claims), 9).as_deref(), Some("one"));
        assert_eq!(of(&token(&claims), 10), None);
        let also = json!({"aud": [AUDIENCE, "other"], "sub": "one", "exp": 10});
        assert_eq!(of(&token(&also), 9), None);
        assert_eq!(of("h.p.s", 9), None);
    }
}
