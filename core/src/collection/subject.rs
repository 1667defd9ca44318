//! The token that is exchanged for another.

use std::time::Duration;

use crate::template::Template;

/// The token that is exchanged for another (RFC 8693 §2.1).
#[derive(Clone, Debug)]
pub enum Subject {
    /// One that the Secret holds.
    Held(Template),
    /// One that the cluster issues for each request: nobody holds it.
    ServiceAccount(AccountSettings),
}

/// Which token of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// The ServiceAccount, in the namespace that the collection's Secrets are
    /// in.
    pub name: String,
    /// For whom the token is.
    pub audience: String,
    /// How long it is good for.
    pub lifetime: Duration,
}
