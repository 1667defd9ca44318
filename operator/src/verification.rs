//! Whether credentials work: the replica that leads calls APIs, where a
//! collection asks for it, and looks at the status of the answer.
//!
//! ```text
//! catalogue ─► what is to be verified ─► schedule (pure) ─► call ─► catalogue ─► plan ─► Verified
//! ```

pub(crate) mod schedule;
pub mod verifier;

use credence_broker::NoAnswer;

use crate::revision::Inputs;

/// What came of the last call for an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the call was made from.
    pub inputs: Inputs,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call. Holds nothing of an answer but its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Answered(u16),
    /// TLS ended at the client certificate.
    CertificateRefused,
    /// The operator does not dial the API's address.
    Private,
    /// No answer, for this reason.
    NoAnswer(String),
}

impl From<Result<u16, NoAnswer>> for Outcome {
    fn from(result: Result<u16, NoAnswer>) -> Self {
        match result {
            Ok(status) => Self::Answered(status),
            Err(NoAnswer::ClientCertificate) => Self::CertificateRefused,
            Err(NoAnswer::Private) => Self::Private,
            Err(error) => Self::NoAnswer(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
