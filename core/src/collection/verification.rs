//! The call that shows whether a credential works.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::call::{CallTarget, SafeMethod};

/// A call that is made from time to time, to see whether the credential works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// What is done.
    pub method: SafeMethod,
    /// What is asked for, as a caller would.
    pub target: CallTarget,
    /// The statuses by which the API says that all is well.
    pub expected: BTreeSet<u16>,
    /// The least time from one call to the next, unless something changes.
    pub interval: Duration,
}
