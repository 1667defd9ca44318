//! Whether the operator may read a kind of object in a namespace.

/// Refusals in a row after which a right that was there is believed to be
/// gone. An API server that has just started refuses what it will grant a
/// moment later, and that must not withdraw credentials that are in use.
const BELIEVED: u8 = 3;

/// What the watch has shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    #[default]
    Awaited,
    /// Errors only, none of them a refusal.
    Failing,
    /// The API server refuses.
    Forbidden,
    /// A listing was complete.
    Granted {
        /// Times in a row that it was refused since.
        refusals: u8,
    },
}

/// How an attempt to list or watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A listing is complete.
    Listed,
    /// 403.
    Refused,
    /// Anything else.
    Failed,
}

impl Access {
    /// The access after another attempt.
    #[must_use]
    pub fn after(self, outcome: Outcome) -> Self {
        match (outcome, self) {
            (Outcome::Listed, _) => Self::Granted { refusals: 0 },
            (Outcome::Refused, Self::Granted { refusals }) if refusals + 1 < BELIEVED => {
                Self::Granted {
                    refusals: refusals + 1,
                }
            }
            (Outcome::Refused, _) => Self::Forbidden,
            (Outcome::Failed, Self::Awaited) => Self::Failing,
            (Outcome::Failed, access) => access,
        }
    }

    /// Whether both mean the same for what can be planned.
    pub fn is_same_answer(self, other: Self) -> bool {
        matches!((self, other), (Self::Granted { .. }, Self::Granted { .. })) || self == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(outcomes: &[Outcome]) -> Access {
        outcomes
            .iter()
            .fold(Access::Awaited, |access, outcome| access.after(*outcome))
    }

    #[test]
    fn a_first_refusal_is_believed_at_once() {
        assert_eq!(after(&[Outcome::Refused]), Access::Forbidden);
        assert_eq!(
            after(&[Outcome::Failed, Outcome::Refused]),
            Access::Forbidden
        );
    }

    #[test]
    fn a_right_in_use_is_lost_only_after_several_refusals() {
        let mut outcomes = vec![Outcome::Listed, Outcome::Refused, Outcome::Refused];
        assert_eq!(after(&outcomes), Access::Granted { refusals: 2 });
        outcomes.push(Outcome::Refused);
        assert_eq!(after(&outcomes), Access::Forbidden);
    }

    #[test]
    fn a_listing_grants_whatever_was_before() {
        for before in [&[][..], &[Outcome::Failed], &[Outcome::Refused]] {
            let mut outcomes = before.to_vec();
            outcomes.push(Outcome::Listed);
            assert_eq!(after(&outcomes), Access::Granted { refusals: 0 });
        }
    }

    #[test]
    fn an_outage_says_nothing_about_rights() {
        assert_eq!(after(&[Outcome::Failed]), Access::Failing);
        assert_eq!(
            after(&[Outcome::Refused, Outcome::Failed]),
            Access::Forbidden
        );
        assert_eq!(
            after(&[Outcome::Listed, Outcome::Failed]),
            Access::Granted { refusals: 0 }
        );
    }

    #[test]
    fn counting_refusals_is_no_new_answer() {
        let granted = |refusals| Access::Granted { refusals };
        assert!(granted(0).is_same_answer(granted(2)));
        assert!(!granted(0).is_same_answer(Access::Forbidden));
    }
}
