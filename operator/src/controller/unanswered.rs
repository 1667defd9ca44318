//! What the API server does not say.

use std::sync::Arc;
use std::time::Duration;

/// An API server that takes longer is not going to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Something was not answered; asking again later is all there is to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The watch that will tell has just begun.
    #[error("not everything has been listed yet")]
    NotSeen,
    /// A watch gets errors.
    #[error("{0} of the namespace cannot be watched")]
    NotWatched(&'static str),
    /// The API server answered with an error.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It did not answer.
    #[error("the API server did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// Another asked the same at the same time, and this is what he was told.
    #[error("{0}")]
    Read(Arc<Self>),
}

impl Unanswered {
    /// Whether the API server does answer, and refuses.
    pub(super) fn is_forbidden(&self) -> bool {
        match self {
            Self::Api(kube::Error::Api(status)) => status.is_forbidden(),
            Self::Read(error) => error.is_forbidden(),
            Self::NotSeen | Self::NotWatched(_) | Self::Api(_) | Self::Timeout(_) => false,
        }
    }
}
