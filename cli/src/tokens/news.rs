//! What a person is told about a token.

use std::path::Path;

use credence_broker::{Outcome, State, StoreError};
use credence_core::token::{ErrorCode, SetbackReason, told};

/// Something that is told once, when it begins. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Whether it is as it should be.
    pub(crate) good: bool,
    /// In sentences.
    pub(crate) text: String,
}

/// What there is to say about a token. Another token of the same kind, and
/// another failure of the same kind, are nothing new.
#[derive(PartialEq, Eq)]
struct Topic<'a> {
    held: bool,
    for_a_person: bool,
    failure: Option<(SetbackReason, Option<ErrorCode>)>,
    missing_scopes: &'a [String],
    store: Option<&'a StoreError>,
}

impl<'a> Topic<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let setback = outcome.setback.as_ref();
        Self {
            held: matches!(outcome.state, State::Token(_)),
            for_a_person: matches!(outcome.state, State::ReauthorizationRequired),
            failure: setback.map(|setback| (setback.reason, setback.code)),
            missing_scopes: &outcome.missing_scopes,
            store: outcome.store.as_ref(),
        }
    }
}

/// What is to be told now that `before` was told, or nothing yet.
pub(crate) fn news(before: Option<&Outcome>, now: &Outcome, folder: Option<&Path>) -> Option<News> {
    let is_new = before.is_none_or(|before| Topic::of(before) != Topic::of(now));
    is_new.then(|| explained(now, folder)).flatten()
}

/// How a token stands; none before anything is known. Tokens are in `folder`.
pub(crate) fn explained(outcome: &Outcome, folder: Option<&Path>) -> Option<News> {
    let setback = outcome.setback.as_ref();
    let mut sentences = Vec::new();
    match &outcome.state {
        State::Token(token) => {
            sentences.push(told::until(token.expires_at));
            if !outcome.missing_scopes.is_empty() {
                let missing = outcome.missing_scopes.join(" ");
                sentences.push(format!(
                    "The provider did not grant all scopes: {missing} missing."
                ));
            }
            sentences.extend(setback.map(told::setback));
        }
        State::ReauthorizationRequired => sentences.push(told::reauthorization(setback)),
        State::Unavailable { .. } => sentences.extend(setback.map(told::setback)),
    }
    if let Some(error) = &outcome.store {
        let advice = folder.map_or_else(
            || "Set one of them".to_owned(),
            |folder| format!("Look at {}", folder.display()),
        );
        let error = told::capitalised(&error.to_string());
        sentences.push(format!("{error}. {advice}, or use --ephemeral."));
    }
    let good = matches!(outcome.state, State::Token(_))
        && setback.is_none()
        && outcome.store.is_none()
        && outcome.missing_scopes.is_empty();
    (!sentences.is_empty()).then(|| News {
        good,
        text: sentences.join(" "),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use credence_core::Secret;
    use credence_core::bundle::Token;
    use credence_core::token::{Next, Setback};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn outcome(state: State) -> Outcome {
        Outcome {
            order: [1; 32],
            state,
            obtained_at: None,
            expires_at: None,
            next_attempt_at: None,
            setback: None,
            missing_scopes: Vec::new(),
            clock_skew: SignedDuration::ZERO,
            store: None,
        }
    }

    fn held(end: i64) -> Outcome {
        let token = Token {
            expires_at: Some(at(end)),
            ..Token::new(Secret::new("t0k-7f31"), 1)
        };
        outcome(State::Token(Arc::new(token)))
    }

    fn failing(failures: u32, reason: SetbackReason) -> Setback {
        Setback {
            order: [1; 32],
            failures,
            at: at(0),
            next: Next::At(at(60)),
            reason,
            code: None,
            message: "the token endpoint cannot be reached".to_owned(),
        }
    }

    #[test]
    fn a_renewed_token_is_no_news_and_one_after_a_failure_is() {
        let told = |before: Option<&Outcome>, now: &Outcome| news(before, now, None);
        let first = told(None, &held(10)).unwrap();
        assert!(first.good);
        assert_eq!(first.text, "The token holds until 1970-01-01T00:00:10Z.");
        assert_eq!(told(Some(&held(10)), &held(20)), None);
        let failing = Outcome {
            setback: Some(failing(1, SetbackReason::Unreachable)),
            ..held(10)
        };
        let bad = told(Some(&held(10)), &failing).unwrap();
        assert!(!bad.good);
        assert_eq!(
            bad.text,
            "The token holds until 1970-01-01T00:00:10Z. The token endpoint cannot be reached. \
             It is asked again at 1970-01-01T00:01:00Z."
        );
        assert_eq!(told(Some(&failing), &held(20)), told(None, &held(20)));
    }

    #[test]
    fn a_failure_is_told_once_and_another_kind_of_failure_again() {
        let none = |failures, reason| Outcome {
            setback: Some(failing(failures, reason)),
            ..outcome(State::Unavailable { retry_at: None })
        };
        let first = none(1, SetbackReason::Unreachable);
        assert!(news(None, &first, None).is_some());
        let second = none(2, SetbackReason::Unreachable);
        assert_eq!(news(Some(&first), &second, None), None);
        let other = none(3, SetbackReason::NoAnswer);
        assert!(news(Some(&second), &other, None).is_some());
    }

    #[test]
    fn before_anything_is_known_nothing_is_told() {
        let unknown = outcome(State::Unavailable { retry_at: None });
        assert_eq!(news(None, &unknown, None), None);
    }

    #[test]
    fn a_person_is_told_what_only_a_person_can_do() {
        let required = outcome(State::ReauthorizationRequired);
        let told = news(Some(&held(10)), &required, None).unwrap();
        assert!(!told.good);
        assert_eq!(
            told.text,
            "There is no refresh token. Have access granted again and put the new refresh token \
             into the Secret."
        );
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let full = Outcome {
            store: Some(StoreError::Unavailable("permission denied".to_owned())),
            ..outcome(State::Unavailable { retry_at: None })
        };
        let told = news(None, &full, Some(Path::new("/state"))).unwrap();
        assert_eq!(
            told.text,
            "The state of the token cannot be kept: permission denied. Look at /state, or use \
             --ephemeral."
        );
    }
}
