//! What people are told about tokens: whole sentences, which hold nothing
//! secret.

use jiff::Timestamp;

use super::setback::{Next, Setback};

/// Until when a token can be used.
pub fn until(end: Option<Timestamp>) -> String {
    match end {
        Some(end) => format!("The token holds until {}.", in_seconds(end)),
        None => "The token holds until the API refuses it.".to_owned(),
    }
}

/// What went wrong, and what happens next.
pub fn setback(setback: &Setback) -> String {
    let next = match setback.next {
        Next::At(time) => format!("It is asked again at {}.", in_seconds(time)),
        Next::Change => "It is asked again when the collection or its Secret changes.".to_owned(),
        Next::Person => "Have access granted again.".to_owned(),
    };
    format!("{}. {next}", capitalised(&setback.message))
}

/// Why there is no token until a person grants access again.
pub fn reauthorization(setback: Option<&Setback>) -> String {
    let cause = setback.map_or_else(
        || "There is no refresh token.".to_owned(),
        |setback| format!("{}.", capitalised(&setback.message)),
    );
    format!("{cause} Have access granted again and put the new refresh token into the Secret.")
}

/// As a sentence begins.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// RFC 3339, in whole seconds.
pub fn in_seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SetbackReason;

    #[test]
    fn a_setback_is_told_with_what_happens_next() {
        let time = "2026-01-01T00:00:30.7Z".parse().unwrap();
        for (next, expected) in [
            (
                Next::At(time),
                "The endpoint is away. It is asked again at 2026-01-01T00:00:30Z.",
            ),
            (
                Next::Change,
                "The endpoint is away. It is asked again when the collection or its Secret changes.",
            ),
            (
                Next::Person,
                "The endpoint is away. Have access granted again.",
            ),
        ] {
            let told = setback(&Setback {
                order: [1; 32],
                failures: 1,
                at: time,
                next,
                reason: SetbackReason::Unreachable,
                code: None,
                message: "the endpoint is away".to_owned(),
            });
            assert_eq!(told, expected);
        }
    }
}
