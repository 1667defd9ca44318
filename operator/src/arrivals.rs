//! Connections that have not shown yet that they are of use. Each costs memory
//! for TLS, and anyone who reaches the port can open some: their number is
//! bounded, and so is each address's share of it.

use std::net::IpAddr;

use crate::shares::{Share, Shares};

/// At about 40 KiB each, 20 MiB at the most.
const PENDING: usize = 512;
/// A pod has one, and an API server a few. Where a node hides its pods behind
/// its own address, more of them may come at once: the sidecars of the rest try
/// again.
const PER_SOURCE: usize = 64;

/// Who has come.
#[derive(Clone, Debug)]
pub struct Arrivals {
    places: Shares,
    per_source: usize,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new(PENDING, PER_SOURCE)
    }
}

impl Arrivals {
    fn new(places: usize, per_source: usize) -> Self {
        Self {
            places: Shares::new(places),
            per_source,
        }
    }

    /// Waits until there can be a place for somebody. For one task.
    pub async fn room(&self) {
        self.places.room().await;
    }

    /// Gives a place to who has come; none if he has too many. When all are
    /// taken, it is that of the oldest connection of who has the most.
    pub fn admit(&self, source: IpAddr) -> Option<Share> {
        if self.places.used_by(source) >= self.per_source {
            return None;
        }
        let place = self.places.open(source);
        place.take(1).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn one_address_can_not_take_every_place() {
        let arrivals = Arrivals::new(4, 2);
        let first = arrivals.admit(address(1)).unwrap();
        let _second = arrivals.admit(address(1)).unwrap();
        assert!(arrivals.admit(address(1)).is_none());
        let _other = arrivals.admit(address(2)).unwrap();
        drop(first);
        assert!(arrivals.admit(address(1)).is_some());
    }

    #[tokio::test]
    async fn several_addresses_can_not_take_every_place_either() {
        let arrivals = Arrivals::new(4, 2);
        let strangers = [1, 1, 2, 2].map(|it| arrivals.admit(address(it)).unwrap());
        arrivals.room().await;
        let place = arrivals.admit(address(3)).unwrap();
        let lost = strangers.iter().filter(|stranger| !stranger.take(0));
        assert_eq!(lost.count(), 1);
        assert!(place.take(0));
        assert_eq!(place.source(), address(3));
    }
}
