//! The name of a collection.

use std::fmt;
use std::str::FromStr;

/// A DNS label (RFC 1123 §2.1, at most 63 octets): the object's name and the
/// first path segment of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionName(Box<str>);

impl CollectionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for CollectionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name a collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a collection's name is its path segment: at most 63 lower-case letters, digits and \"-\", \
     beginning and ending with a letter or digit"
)]
pub struct InvalidName;

impl FromStr for CollectionName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_labels_are_names_and_nothing_else_is() {
        for good in ["a", "openai", "a-b", "0x", &"x".repeat(63)] {
            assert!(good.parse::<CollectionName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "a b", &"x".repeat(64)] {
            assert_eq!(bad.parse::<CollectionName>(), Err(InvalidName), "{bad}");
        }
    }
}
