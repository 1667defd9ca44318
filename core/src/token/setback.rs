//! What went wrong the last time, and what that means for the next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer_error::{AnswerError, AnswerProblem, Remedy};
use super::base_url_allow::RefusedBaseUrl;
use super::error_code::ErrorCode;
use super::terms::Digest;

/// The wait after the first failure; it doubles with each.
pub const FIRST_COOL_DOWN: Duration = Duration::from_secs(30);

/// The longest wait that a failure without a `Retry-After` leads to.
pub const LONGEST_COOL_DOWN: Duration = Duration::from_secs(300);

/// After a password or an assertion was refused: seldom enough that no account
/// is locked, and often enough that a mended clock is noticed.
pub const REFUSED_GRANT: Duration = Duration::from_secs(3600);

/// An attempt that gave no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing was sent. The text says why, and holds nothing secret.
    #[error("{0}")]
    NotSent(String),
    /// The cluster issues no token that could be exchanged, so nothing was sent.
    /// The text says why, and holds nothing secret.
    #[error("{0}")]
    NoSubject(String),
    /// Something was sent, and no answer came that can be trusted. The text
    /// holds nothing secret.
    #[error("{0}")]
    Unknown(String),
    /// The answer was no token.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The answer to a request before the one for the token is not as it should
    /// be.
    #[error("step {name}: {error}")]
    Step {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: AnswerError,
    },
    /// A token that had already ended.
    #[error(
        "the token endpoint gave a token that has already ended: check response.expiresKind and \
         the clocks"
    )]
    Ended,
    /// A token for a place where calls must not go.
    #[error(transparent)]
    BaseUrl(#[from] RefusedBaseUrl),
}

/// Failures since the last token, of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// The order; another one begins without a setback.
    pub order: Digest,
    /// How many there were.
    pub failures: u32,
    /// When the last one was.
    pub at: Timestamp,
    /// When it is worth to try again.
    pub next: Next,
    /// What kind of failure the last one was.
    pub reason: SetbackReason,
    /// What the token endpoint called it, if it did.
    pub code: Option<ErrorCode>,
    /// The last one in words, for people. Holds nothing secret.
    pub message: String,
}

/// When it is worth to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// From this time on.
    At(Timestamp),
    /// When the collection or its Secret has changed.
    Change,
    /// When a person has granted access again, or put in another refresh
    /// token.
    Person,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetbackReason {
    /// Nothing could be sent.
    Unreachable,
    /// The cluster issues no token that could be exchanged.
    SubjectMissing,
    /// No answer came.
    NoAnswer,
    /// The token endpoint said no.
    Refused,
    /// The refresh token, assertion or password is not good.
    GrantRefused,
    /// The answer was no token.
    InvalidAnswer,
    /// A refresh was interrupted in the moment when the provider may have
    /// replaced the refresh token, and the old one is no longer good.
    RefreshOutcomeUnknown,
}

impl SetbackReason {
    pub(super) const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::SubjectMissing,
        Self::NoAnswer,
        Self::Refused,
        Self::GrantRefused,
        Self::InvalidAnswer,
        Self::RefreshOutcomeUnknown,
    ];

    /// As conditions and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "TokenEndpointUnreachable",
            Self::SubjectMissing => "ServiceAccountTokenMissing",
            Self::NoAnswer => "TokenEndpointSilent",
            Self::Refused => "TokenRefused",
            Self::GrantRefused => "GrantRefused",
            Self::InvalidAnswer => "TokenAnswerInvalid",
            Self::RefreshOutcomeUnknown => "RefreshOutcomeUnknown",
        }
    }
}

impl Failure {
    /// What helps.
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::NotSent(_) | Self::NoSubject(_) | Self::Unknown(_) | Self::Ended => Remedy::Wait,
            Self::Answer(error) => error.problem.remedy(),
            // No grant was shown yet that a person could give again.
            Self::Step { error, .. } => match error.problem.remedy() {
                Remedy::Grant => Remedy::Change,
                remedy => remedy,
            },
            Self::BaseUrl(_) => Remedy::Change,
        }
    }

    /// Whether the provider may have replaced the refresh token without
    /// telling the new one.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::NotSent(_)
            | Self::NoSubject(_)
            | Self::Step { .. }
            | Self::Ended
            | Self::BaseUrl(_) => false,
            Self::Unknown(_) => true,
            Self::Answer(error) => error.problem.leaves_doubt(),
        }
    }

    pub(super) fn reason(&self) -> SetbackReason {
        match self {
            Self::NotSent(_) => SetbackReason::Unreachable,
            Self::NoSubject(_) => SetbackReason::SubjectMissing,
            Self::Unknown(_) => SetbackReason::NoAnswer,
            Self::Ended | Self::BaseUrl(_) => SetbackReason::InvalidAnswer,
            Self::Answer(error) | Self::Step { error, .. } => match error.problem {
                AnswerProblem::Refused { .. } if self.remedy() == Remedy::Grant => {
                    SetbackReason::GrantRefused
                }
                AnswerProblem::Refused { .. }
                | AnswerProblem::Status { .. }
                | AnswerProblem::Redirected { .. } => SetbackReason::Refused,
                AnswerProblem::NotSuccess { .. }
                | AnswerProblem::Empty { .. }
                | AnswerProblem::Markup
                | AnswerProblem::Unreadable
                | AnswerProblem::Missing { .. }
                | AnswerProblem::Elsewhere { .. }
                | AnswerProblem::ControlCharacter { .. }
                | AnswerProblem::TooLong { .. }
                | AnswerProblem::TooMuch { .. }
                | AnswerProblem::TokenType => SetbackReason::InvalidAnswer,
            },
        }
    }

    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Answer(AnswerError {
                problem: AnswerProblem::Refused { code, .. },
                ..
            })
            | Self::Step {
                error:
                    AnswerError {
                        problem: AnswerProblem::Refused { code, .. },
                        ..
                    },
                ..
            } => Some(*code),
            Self::NotSent(_)
            | Self::NoSubject(_)
            | Self::Step { .. }
            | Self::Unknown(_)
            | Self::Answer(_)
            | Self::Ended
            | Self::BaseUrl(_) => None,
        }
    }

    /// The wait after so many failures in a row, this one included: what the
    /// server asks for, if that is longer.
    pub(super) fn cool_down(&self, failures: u32) -> SignedDuration {
        let wait = doubled(failures);
        let asked = match self {
            Self::Answer(error) | Self::Step { error, .. } => error.retry_after.unwrap_or_default(),
            Self::NotSent(_)
            | Self::NoSubject(_)
            | Self::Unknown(_)
            | Self::Ended
            | Self::BaseUrl(_) => Duration::ZERO,
        };
        SignedDuration::try_from(wait.max(asked)).unwrap_or(SignedDuration::MAX)
    }
}

/// The wait after so many times in a row.
pub(super) fn doubled(times: u32) -> Duration {
    let doublings = times.saturating_sub(1).min(8);
    (FIRST_COOL_DOWN * 2_u32.pow(doublings)).min(LONGEST_COOL_DOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(retry_after: Option<u64>) -> Failure {
        Failure::Answer(AnswerError {
            problem: AnswerProblem::Status { status: 429 },
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    #[test]
    fn the_cool_down_doubles_from_half_a_minute_to_five_minutes() {
        let waits: Vec<_> = [1, 2, 3, 4, 5, 6, u32::MAX]
            .map(|failures| asking(None).cool_down(failures).as_secs())
            .to_vec();
        assert_eq!(waits, [30, 60, 120, 240, 300, 300, 300]);
    }

    #[test]
    fn retry_after_makes_the_wait_longer_and_never_shorter() {
        assert_eq!(asking(Some(45)).cool_down(1).as_secs(), 45);
        assert_eq!(asking(Some(3600)).cool_down(9).as_secs(), 3600);
        assert_eq!(asking(Some(0)).cool_down(1).as_secs(), 30);
    }

    /// Rules 8 and 9 of what is done about failures: configuration waits for a
    /// change, everything that may pass is tried again.
    #[test]
    fn each_code_has_its_remedy() {
        for (code, remedy) in [
            (ErrorCode::InvalidGrant, Remedy::Grant),
            (ErrorCode::InvalidClient, Remedy::Change),
            (ErrorCode::UnauthorizedClient, Remedy::Change),
            (ErrorCode::InvalidScope, Remedy::Change),
            (ErrorCode::UnsupportedGrantType, Remedy::Change),
            (ErrorCode::InvalidTarget, Remedy::Change),
            (ErrorCode::InvalidRequest, Remedy::Wait),
            (ErrorCode::ServerError, Remedy::Wait),
            (ErrorCode::TemporarilyUnavailable, Remedy::Wait),
            (ErrorCode::Other, Remedy::Wait),
        ] {
            let failure = Failure::Answer(AnswerError {
                problem: AnswerProblem::Refused { status: 400, code },
                retry_after: None,
            });
            assert_eq!(failure.remedy(), remedy, "{code}");
            assert!(!failure.leaves_doubt(), "{code}");
            assert_eq!(failure.code(), Some(code));
        }
    }

    #[test]
    fn only_what_may_have_been_acted_on_leaves_doubt() {
        for (status, doubt) in [
            (400, false),
            (401, false),
            (404, false),
            (429, false),
            (500, true),
            (502, true),
            // Load balancers and maintenance pages: nothing came through.
            (503, false),
            (504, true),
            (520, true),
        ] {
            let failure = Failure::Answer(AnswerError {
                problem: AnswerProblem::Status { status },
                retry_after: None,
            });
            assert_eq!(failure.leaves_doubt(), doubt, "{status}");
        }
        assert!(!Failure::NotSent(String::new()).leaves_doubt());
        assert!(!Failure::NoSubject(String::new()).leaves_doubt());
        assert!(Failure::Unknown(String::new()).leaves_doubt());
    }
}
