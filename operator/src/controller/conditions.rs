//! Conditions as values, before they become Kubernetes'.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The API server takes 32768; nobody reads that much.
const LONGEST_MESSAGE: usize = 2048;

/// True, False or Unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    True,
    False,
    Unknown,
}

/// What is said about one aspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl Verdict {
    pub(super) fn new(status: Status, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        self.status == Status::True
    }

    /// The condition, with the time of the transition kept if there was none.
    pub(super) fn condition(
        self,
        type_: &str,
        generation: i64,
        before: &[Condition],
        now: Timestamp,
    ) -> Condition {
        let status = self.status.as_str();
        let before = before.iter().find(|condition| condition.type_ == type_);
        let since = before.filter(|before| before.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: since
                .map_or(Time(now), |since| since.last_transition_time.clone()),
            reason: self.reason.to_owned(),
            message: shortened(self.message),
        }
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_is_that_of_the_last_transition() {
        let verdict = |status| Verdict::new(status, "Reason", "Message.");
        let first = verdict(Status::False).condition("Ready", 1, &[], at(1));
        let same =
            verdict(Status::False).condition("Ready", 2, std::slice::from_ref(&first), at(2));
        assert_eq!(same.last_transition_time, Time(at(1)));
        assert_eq!(same.observed_generation, Some(2));
        let other = verdict(Status::True).condition("Ready", 2, &[same], at(3));
        assert_eq!(other.last_transition_time, Time(at(3)));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = Verdict::new(Status::True, "Reason", "ä".repeat(LONGEST_MESSAGE));
        let message = long.condition("Ready", 1, &[], at(1)).message;
        assert!(message.len() <= LONGEST_MESSAGE + '…'.len_utf8());
    }
}
