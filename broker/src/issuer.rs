//! The other side of a token request.

use std::sync::Arc;

use credence_core::Secret;
use credence_core::token::{AnswerError, AnswerProblem, Failure, RawAnswer, RefreshResult, Terms};
use jiff::Timestamp;

/// Issues tokens. There are two: token endpoints over HTTP, and the one of tests
/// that must hold an answer back, or lose it, at a chosen moment.
pub trait Issuer: Send + Sync + 'static {
    /// What is asked for.
    type Order: AsRef<Terms> + Send + Sync + 'static;

    /// Sends one request, or the few that an order consists of, and returns
    /// what came of the last. It ends within
    /// [`credence_core::token::decide::UNDER_WAY`]. `now` is what the request
    /// says that it is.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn ask(
        &self,
        order: &Self::Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<RawAnswer, Unanswered>> + Send;

    /// Is told what came of it, once that is stored.
    fn settled(&self, _order: &Self::Order, _result: RefreshResult) {}
}

impl<I: Issuer> Issuer for Arc<I> {
    type Order = I::Order;

    async fn ask(
        &self,
        order: &Self::Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<RawAnswer, Unanswered> {
        (**self).ask(order, asking, now).await
    }

    fn settled(&self, order: &Self::Order, result: RefreshResult) {
        (**self).settled(order, result);
    }
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asking<'a> {
    /// By the grant itself.
    Anew,
    /// With this refresh token.
    Refresh(&'a Secret),
}

/// No answer came. The texts hold nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// The cluster issues no token that could be exchanged, so nothing was sent.
    #[error("{0}")]
    NoSubject(String),
    /// Something was sent, and whether it was acted on is not known.
    #[error("{0}")]
    Unknown(String),
    /// A request before the one for the token was answered, and not as it
    /// should be.
    #[error("step {name}: {error}")]
    Step {
        /// Its name.
        name: String,
        /// What is wrong with its answer.
        error: AnswerError,
    },
    /// The endpoint leads elsewhere, with this status.
    #[error("redirected with {0}")]
    Redirected(u16),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotSent(text) => Self::NotSent(text),
            Unanswered::NoSubject(text) => Self::NoSubject(text),
            Unanswered::Unknown(text) => Self::Unknown(text),
            Unanswered::Step { name, error } => Self::Step { name, error },
            Unanswered::Redirected(status) => Self::Answer(AnswerError {
                problem: AnswerProblem::Redirected { status },
                retry_after: None,
            }),
        }
    }
}
