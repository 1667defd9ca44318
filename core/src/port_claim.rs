//! Which collection has a loopback port that several ask for.

use std::collections::BTreeMap;

use crate::CollectionName;

/// A collection asks for a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortClaim<'a> {
    /// The port.
    pub port: u16,
    /// When the collection was made; absent where nobody knows, as on a
    /// laptop.
    pub created: Option<jiff::Timestamp>,
    /// The collection.
    pub name: &'a CollectionName,
}

impl PortClaim<'_> {
    /// Whether this claim has precedence over another of the same port.
    pub fn comes_before(&self, other: &Self) -> bool {
        (self.created, self.name) < (other.created, other.name)
    }
}

/// The one collection that gets each port: the oldest, and of equally old ones
/// the first by name, so that no newcomer takes a port away. The others can be
/// called at their path as always, without the port.
pub fn holders<'a>(
    claims: impl IntoIterator<Item = PortClaim<'a>>,
) -> BTreeMap<u16, &'a CollectionName> {
    let mut holders: BTreeMap<u16, PortClaim<'a>> = BTreeMap::new();
    for claim in claims {
        let holder = holders.entry(claim.port).or_insert(claim);
        if claim.comes_before(holder) {
            *holder = claim;
        }
    }
    holders
        .into_iter()
        .map(|(port, claim)| (port, claim.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> CollectionName {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_has_the_port_and_then_the_first_by_name() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let claim = |port, second: Option<i64>, name| PortClaim {
            port,
            created: second.map(|second| jiff::Timestamp::from_second(second).unwrap()),
            name,
        };
        for (claims, holder) in [
            (vec![claim(1, Some(9), &a), claim(1, Some(8), &b)], &b),
            (vec![claim(1, Some(8), &b), claim(1, Some(9), &a)], &b),
            (vec![claim(1, Some(9), &b), claim(1, Some(9), &a)], &a),
            (vec![claim(1, None, &b), claim(1, None, &a)], &a),
        ] {
            assert_eq!(holders(claims), BTreeMap::from([(1, holder)]));
        }
        let apart = [claim(1, None, &a), claim(2, None, &b), claim(2, None, &c)];
        assert_eq!(holders(apart), BTreeMap::from([(1, &a), (2, &b)]));
    }
}
