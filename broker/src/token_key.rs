//! Which token is meant.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use credence_core::Environment;

/// The name of one token in a store: 32 hexadecimal digits, which say nothing
/// of what they were made from. Collections of one name, and the settings of
/// the two environments of one collection, never share a token.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey(Box<str>);

impl TokenKey {
    /// Of a collection, by an identity that no later one of the same name has,
    /// and the environment whose settings it is obtained with. A caller of
    /// development that has live settings means the token of live.
    pub fn new(collection: &str, environment: Environment) -> Self {
        let mut context = Context::new(&SHA256);
        // The separator is in neither: `a` + `bc` is not `ab` + `c`.
        for part in [collection, "\0", environment.as_str()] {
            context.update(part.as_bytes());
        }
        let digest = context.finish();
        let digits = digest.as_ref().iter().take(16);
        Self(digits.map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_collections_or_environments_share_a_token() {
        let key = |collection, environment| TokenKey::new(collection, environment);
        let live = key("uid-1", Environment::Live);
        assert_eq!(live, key("uid-1", Environment::Live));
        assert_ne!(live, key("uid-1", Environment::Development));
        assert_ne!(live, key("uid-2", Environment::Live));
        assert_eq!(live.as_str().len(), 32);
    }
}
