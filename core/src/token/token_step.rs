//! A request whose answer the request for a token needs.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::step_fields;
use super::answer_error::AnswerProblem;
use super::fingerprint::Fingerprint;
use super::raw_answer::RawAnswer;
use super::request::TokenRequest;
use super::shape::{Capture, Success};
use crate::Secret;

/// A request that is made before the one for a token. Its `Debug` shows the
/// name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenStep {
    /// Its name in `${step.NAME.FIELD}`.
    pub name: String,
    /// What is asked.
    pub request: TokenRequest,
    /// What is kept of the answer; all of it must be there.
    pub capture: Vec<Capture>,
    /// What an answer must say to be a success, besides its status.
    pub success: Option<Success>,
}

impl TokenStep {
    /// What an answer gives for the requests after it.
    ///
    /// # Errors
    /// [`AnswerProblem`], which quotes nothing of the body.
    pub fn read(&self, raw: &RawAnswer) -> Result<BTreeMap<String, Secret>, AnswerProblem> {
        step_fields(raw, &self.capture, self.success.as_ref())
    }

    /// Adds everything that decides what it gives to a fingerprint.
    pub(crate) fn add_to(&self, print: &mut Fingerprint) {
        print.text(&self.name);
        self.request.add_to(print);
        print.captures(&self.capture);
        print.success(self.success.as_ref());
    }
}

impl fmt::Debug for TokenStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenStep({})", self.name)
    }
}
