//! What a token of a ServiceAccount says of itself. Nothing of it is verified,
//! so it is good for refusing, and for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credence_core::names::AUDIENCE;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::refusal::Refusal;

/// No ServiceAccount token is longer; see RFC 9110 §4.1 for why a limit.
const LONGEST: usize = 8192;
/// The clocks of API server and operator may differ. What is refused here can
/// not be saved by the API server's answer, so this is generous.
const LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// RFC 7519 §4.1. Kubernetes writes `aud` as an array, always.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    aud: Vec<String>,
    exp: i64,
}

/// Whether it is worth asking whose this token is.
///
/// # Errors
/// What the API server would say.
pub fn check(token: &str, now: Timestamp) -> Result<(), Refusal> {
    if token.len() > LONGEST {
        return Err(Refusal::NotAuthenticated);
    }
    let claims = read(token).ok_or(Refusal::NotAuthenticated)?;
    if !claims.aud.iter().any(|audience| audience == AUDIENCE) {
        return Err(Refusal::WrongAudience);
    }
    let expires = Timestamp::from_second(claims.exp).map_err(|_| Refusal::NotAuthenticated)?;
    if expires.saturating_add(LEEWAY).unwrap_or(Timestamp::MAX) <= now {
        return Err(Refusal::Expired);
    }
    Ok(())
}

/// The audiences that it names; none where it is no such token.
pub fn audiences(token: &str) -> Option<Vec<String>> {
    read(token).map(|claims| claims.aud)
}

/// The payload of a JWS in compact form (RFC 7515 §7.1).
fn read(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if header.is_empty() || signature.is_empty() || parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    fn checked(token: &str) -> Result<(), Refusal> {
        check(token, Timestamp::from_second(NOW).unwrap())
    }

    fn token(claims: &Value) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part("{}"), part(&claims.to_string()))
    }

    #[test]
    fn a_token_for_us_is_worth_asking() {
        assert_eq!(
            checked(&token(&json!({"aud": ["credence"], "exp": NOW}))),
            Ok(())
        );
        let both = json!({"aud": ["x", "credence"], "exp": NOW + 600, "sub": "s"});
        assert_eq!(checked(&token(&both)), Ok(()));
    }

    #[test]
    fn a_token_says_whom_it_is_for() {
        let both = token(&json!({"aud": ["a", "b"], "exp": NOW}));
        assert_eq!(audiences(&both), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(audiences(&token(&json!({"exp": NOW}))), Some(Vec::new()));
        assert_eq!(audiences("t0ken"), None);
    }

    #[test]
    fn what_the_api_server_would_refuse_is_not_asked() {
        let good = token(&json!({"aud": ["credence"], "exp": NOW}));
        let long = format!("{good}{}", "A".repeat(LONGEST));
        for text in [
            "",
            "a",
            "..",
            "not.a.token",
            &good.replace('.', ""),
            &format!("{good}.more"),
            good.trim_end_matches("c2ln"),
            &long,
        ] {
            assert_eq!(checked(text), Err(Refusal::NotAuthenticated), "{text}");
        }
        for (claims, refusal) in [
            (json!({"aud": ["credence"]}), Refusal::NotAuthenticated),
            (
                json!({"aud": ["credence"], "exp": i64::MAX}),
                Refusal::NotAuthenticated,
            ),
            (json!({"exp": NOW}), Refusal::WrongAudience),
            (
                json!({"aud": ["https://kubernetes.default.svc"], "exp": NOW}),
                Refusal::WrongAudience,
            ),
            (
                json!({"aud": ["credence"], "exp": NOW - 300}),
                Refusal::Expired,
            ),
        ] {
            assert_eq!(checked(&token(&claims)), Err(refusal), "{claims}");
        }
        let just = json!({"aud": ["credence"], "exp": NOW - 299});
        assert_eq!(checked(&token(&just)), Ok(()));
    }
}
