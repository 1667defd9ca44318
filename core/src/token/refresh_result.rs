//! What came of asking for a token.

use super::record::Record;
use super::setback::SetbackReason;
use super::terms::Terms;

/// What came of asking for a token once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshResult {
    /// A token.
    Obtained,
    /// None.
    Failed(SetbackReason),
}

impl RefreshResult {
    /// What happened between two states of one record. Nothing where the next
    /// request decides: a refresh token was given up, and a token can be had
    /// without it.
    pub fn between(before: &Record, after: &Record, terms: &Terms) -> Option<Self> {
        if after.generation != before.generation {
            return Some(Self::Obtained);
        }
        let setback = after.setback_for(terms)?;
        (before.setback_for(terms) != Some(setback)).then_some(Self::Failed(setback.reason))
    }

    /// As conditions and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Obtained => "Obtained",
            Self::Failed(reason) => reason.as_str(),
        }
    }
}
