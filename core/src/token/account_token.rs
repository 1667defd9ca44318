//! A token by which a cluster vouches for one of its ServiceAccounts.

use std::fmt;
use std::time::Duration;

use super::fingerprint::Fingerprint;

/// Which token of a ServiceAccount is exchanged. The cluster issues it anew for
/// each request, and nobody keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountToken {
    /// The ServiceAccount's namespace.
    pub namespace: String,
    /// The ServiceAccount's name.
    pub name: String,
    /// The one audience that the token is for.
    pub audience: String,
    /// How long it is good for.
    pub lifetime: Duration,
}

impl AccountToken {
    /// Adds everything that decides what it says to a fingerprint.
    pub(crate) fn add_to(&self, print: &mut Fingerprint) {
        self.add_subject_to(print);
        print.text(&self.lifetime.as_secs().to_string());
    }

    /// Adds whom it is of, and whom it is for.
    pub(crate) fn add_subject_to(&self, print: &mut Fingerprint) {
        for text in [&self.namespace, &self.name, &self.audience] {
            print.text(text);
        }
    }
}

/// For a sentence.
impl fmt::Display for AccountToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            name,
            audience,
            ..
        } = self;
        write!(
            f,
            "a token of ServiceAccount \"{name}\" of namespace \"{namespace}\" for the audience \
             \"{audience}\""
        )
    }
}
