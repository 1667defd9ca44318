//! A token, as the wire writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::bundle::{NoToken, Token, TokenState, Tokens, Withheld};
use crate::{BaseUrl, CollectionName, Secret};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum TokenForm<'a> {
    #[serde(borrow)]
    Held(HeldForm<'a>),
    Withheld(WithheldForm),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HeldForm<'a> {
    value: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WithheldForm {
    why: NoTokenForm,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoTokenForm {
    TokenUnavailable,
    ReauthorizationRequired,
}

/// The form of tokens.
pub(super) fn form(tokens: &Tokens) -> BTreeMap<&str, TokenForm<'_>> {
    let tokens = tokens.iter();
    tokens
        .map(|(name, state)| (name.as_str(), state.into()))
        .collect()
}

/// The tokens of a form. Of one that is not understood nothing can be sent, so
/// it is one that is not there.
pub(super) fn read(tokens: BTreeMap<&str, &RawValue>) -> Tokens {
    let unreadable = TokenState::Withheld(Withheld::UNKNOWN);
    let state = |raw: &RawValue| {
        let form: TokenForm<'_> = serde_json::from_str(raw.get()).ok()?;
        TokenState::try_from(form).ok()
    };
    let named = |(name, raw): (&str, &RawValue)| {
        let name = name.parse::<CollectionName>().ok()?; // Else no call could name it.
        Some((name, state(raw).unwrap_or_else(|| unreadable.clone())))
    };
    tokens.into_iter().filter_map(named).collect()
}

impl<'a> From<&'a TokenState> for TokenForm<'a> {
    fn from(state: &'a TokenState) -> Self {
        match state {
            TokenState::Held(token) => {
                let field =
                    |(name, value): (&'a String, &'a Secret)| (name.into(), value.expose().into());
                Self::Held(HeldForm {
                    value: token.value.expose().into(),
                    fields: token.fields.iter().map(field).collect(),
                    expires_at: token.expires_at,
                    generation: token.generation,
                    base_url: token.base_url.as_ref().map(BaseUrl::to_string),
                })
            }
            TokenState::Withheld(Withheld { why, retry_at }) => Self::Withheld(WithheldForm {
                why: match why {
                    NoToken::Unavailable => NoTokenForm::TokenUnavailable,
                    NoToken::ReauthorizationRequired => NoTokenForm::ReauthorizationRequired,
                },
                retry_at: *retry_at,
            }),
        }
    }
}

impl TryFrom<TokenForm<'_>> for TokenState {
    type Error = crate::base_url::InvalidBaseUrl;

    fn try_from(form: TokenForm<'_>) -> Result<Self, Self::Error> {
        Ok(match form {
            TokenForm::Held(held) => {
                let field = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
                    (name.into_owned(), secret(value))
                };
                Self::Held(Token {
                    value: secret(held.value),
                    fields: held.fields.into_iter().map(field).collect(),
                    expires_at: held.expires_at,
                    generation: held.generation,
                    base_url: held.base_url.map(|url| url.parse()).transpose()?,
                })
            }
            TokenForm::Withheld(WithheldForm { why, retry_at }) => Self::Withheld(Withheld {
                why: match why {
                    NoTokenForm::TokenUnavailable => NoToken::Unavailable,
                    NoTokenForm::ReauthorizationRequired => NoToken::ReauthorizationRequired,
                },
                retry_at,
            }),
        })
    }
}

fn secret(text: Cow<'_, str>) -> Secret {
    Zeroizing::new(text.into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn tokens() -> Tokens {
        let name = |name: &str| name.parse().unwrap();
        let whole = Token {
            fields: BTreeMap::from([("realm".to_owned(), Secret::new("r/1"))]),
            expires_at: Some(at(1_795_294_800)),
            base_url: Some("https://na1.api.test/v1".parse().unwrap()),
            ..Token::new(Secret::new("t\"0"), 7)
        };
        let withheld = |why, retry_at| TokenState::Withheld(Withheld { why, retry_at });
        Tokens::from([
            (name("all"), TokenState::Held(whole)),
            (
                name("bare"),
                TokenState::Held(Token::new(Secret::new("t"), 1)),
            ),
            (
                name("later"),
                withheld(NoToken::Unavailable, Some(at(1_795_294_860))),
            ),
            (
                name("lost"),
                withheld(NoToken::ReauthorizationRequired, None),
            ),
        ])
    }

    #[test]
    fn every_state_survives_the_wire() {
        let written = serde_json::to_string(&form(&tokens())).unwrap();
        let expected = r#"{"all":{"held":{"value":"t\"0","fields":{"realm":"r/1"},"expiresAt":"2026-11-21T21:00:00Z","generation":7,"baseUrl":"https://na1.api.test/v1"}},"bare":{"held":{"value":"t","generation":1}},"later":{"withheld":{"why":"token-unavailable","retryAt":"2026-11-21T21:01:00Z"}},"lost":{"withheld":{"why":"reauthorization-required"}}}"#;
        assert_eq!(written, expected);
        assert_eq!(read(serde_json::from_str(&written).unwrap()), tokens());
    }

    #[test]
    fn what_is_not_understood_is_no_token() {
        for unknown in [
            r#"{"later": 1}"#,
            r#"{"held": {"value": "t", "generation": 1, "later": 1}}"#,
            r#"{"held": {"value": "t"}}"#,
            r#"{"held": {"value": "t", "generation": 1, "expiresAt": "tomorrow"}}"#,
            r#"{"held": {"value": "t", "generation": 1, "baseUrl": "ftp://a"}}"#,
            r#"{"withheld": {"why": "later"}}"#,
        ] {
            let form = format!(r#"{{"api": {unknown}, "NO NAME": {unknown}}}"#);
            let read = read(serde_json::from_str(&form).unwrap());
            let states: Vec<_> = read.into_values().collect();
            let expected = TokenState::Withheld(Withheld::UNKNOWN);
            assert_eq!(states, [expected], "{unknown}");
        }
    }
}
