//! Connections that have not shown yet that they are of use. Each costs memory
//! for TLS, and anyone who reaches the port can open some: their number is
//! bounded, and so is each address's share of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At about 40 KiB each, 20 MiB at the most.
const PENDING: usize = 512;
/// A pod has one. Where a node hides its pods behind its own address, more of
/// them may come at once: the sidecars of the rest try again.
const PER_SOURCE: usize = 64;

/// Who has just come.
#[derive(Clone, Debug)]
pub struct Arrivals {
    places: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_source: usize,
}

/// A place; somebody else may have it when this is dropped.
#[derive(Debug)]
pub struct Arrival {
    source: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new(PENDING, PER_SOURCE)
    }
}

impl Arrivals {
    fn new(places: usize, per_source: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            taken: Arc::default(),
            per_source,
        }
    }

    /// Waits for a place, whoever will get it.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so a permit is always given.
        self.places.clone().acquire_owned().await.ok()
    }

    /// Gives the place to who has come; none if he has too many.
    pub fn admit(&self, source: IpAddr, place: Option<OwnedSemaphorePermit>) -> Option<Arrival> {
        let source = source.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(source).or_default();
        if *count >= self.per_source {
            return None;
        }
        *count += 1;
        Some(Arrival {
            source,
            taken: self.taken.clone(),
            _place: place,
        })
    }
}

impl Arrival {
    /// Where the connection comes from.
    pub const fn source(&self) -> IpAddr {
        self.source
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_can_not_take_every_place() {
        let arrivals = Arrivals::new(4, 2);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]);
        let first = arrivals.admit(one, arrivals.place().await).unwrap();
        let _second = arrivals.admit(mapped, arrivals.place().await).unwrap();
        assert!(arrivals.admit(one, arrivals.place().await).is_none());
        assert_eq!(first.source(), one);
        let _other = arrivals.admit(other, arrivals.place().await).unwrap();
        assert_eq!(arrivals.places.available_permits(), 1);
        drop(first);
        assert_eq!(arrivals.places.available_permits(), 2);
        assert!(arrivals.admit(one, arrivals.place().await).is_some());
        assert_eq!(arrivals.taken.lock().unwrap().len(), 2);
    }
}
