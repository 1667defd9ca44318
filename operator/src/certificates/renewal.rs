//! When certificates are made anew.

use jiff::{SignedDuration, Timestamp};

use super::held::Held;
use super::names::leaf_names;
use crate::digest::sha256_hex;

/// A leaf with less life than this is replaced: two thirds of its life are
/// over, and a month of failing renewals can be seen before it ends.
const RENEW_LEAF_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// An authority with less life than a leaf has cannot sign one.
const RENEW_AUTHORITY_BEFORE: SignedDuration = SignedDuration::from_hours(91 * 24);

/// What is to be done about the certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing until then.
    Keep {
        /// When to ask again, at the latest.
        until: Timestamp,
    },
    /// A new leaf of the same authority: nobody notices.
    Leaf(&'static str),
    /// A new authority and leaf: injected pods must be restarted to trust it.
    Everything(&'static str),
}

/// Decides by what is held and what the leaf should be called.
pub fn decide(held: Option<&Held>, services: &[String], now: Timestamp) -> Renewal {
    let Some(held) = held else {
        return Renewal::Everything("there are none that can be used");
    };
    let authority_renewal = held
        .authority_expires
        .saturating_sub(RENEW_AUTHORITY_BEFORE);
    let leaf_renewal = held.leaf_expires.saturating_sub(RENEW_LEAF_BEFORE);
    let (Ok(authority_renewal), Ok(leaf_renewal)) = (authority_renewal, leaf_renewal) else {
        return Renewal::Everything("they end at no representable time");
    };
    if authority_renewal <= now {
        return Renewal::Everything("the authority ends soon");
    }
    if leaf_renewal <= now {
        return Renewal::Leaf("it ends soon");
    }
    if held.leaf_names != leaf_names(services, &sha256_hex(&held.authority.der)) {
        return Renewal::Leaf("the Services have other names");
    }
    Renewal::Keep {
        until: leaf_renewal.min(authority_renewal),
    }
}

#[cfg(test)]
mod tests {
    use super::super::authority;
    use super::*;

    fn names() -> Vec<String> {
        vec!["credence-feed".to_owned()]
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn made(when: &str) -> Held {
        let root = authority::authority(at(when)).unwrap();
        let leaf = authority::leaf(&root, &names(), at(when)).unwrap();
        Held::of_pairs(root, leaf).unwrap()
    }

    #[test]
    fn a_leaf_is_renewed_when_thirty_days_are_left() {
        let held = made("2026-01-01T00:00:00Z");
        let until = at("2026-03-02T00:00:00Z");
        let just_before = at("2026-03-01T23:59:59Z");
        assert_eq!(
            decide(Some(&held), &names(), just_before),
            Renewal::Keep { until }
        );
        assert_eq!(
            decide(Some(&held), &names(), until),
            Renewal::Leaf("it ends soon")
        );
    }

    #[test]
    fn an_authority_that_could_not_sign_another_leaf_is_replaced() {
        let mut held = made("2026-01-01T00:00:00Z");
        held.authority_expires = at("2026-04-01T00:00:00Z");
        assert_eq!(
            decide(Some(&held), &names(), at("2026-01-02T00:00:00Z")),
            Renewal::Everything("the authority ends soon")
        );
    }

    #[test]
    fn renamed_services_need_a_leaf_only() {
        let held = made("2026-01-01T00:00:00Z");
        assert_eq!(
            decide(
                Some(&held),
                &["other".to_owned()],
                at("2026-01-02T00:00:00Z")
            ),
            Renewal::Leaf("the Services have other names")
        );
    }

    #[test]
    fn nothing_held_means_everything_anew() {
        assert_eq!(
            decide(None, &names(), at("2026-01-02T00:00:00Z")),
            Renewal::Everything("there are none that can be used")
        );
    }
}
