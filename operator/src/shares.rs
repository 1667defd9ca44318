//! Something of which there is only so much, and which anyone who reaches a
//! port may use: places, memory. Who they are cannot be known, so addresses are
//! compared: when all of it is used, it is taken from the one that has the most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All of it.
#[derive(Clone, Debug)]
pub struct Shares {
    ledger: Arc<Mutex<Ledger>>,
    freed: Arc<Notify>,
}

/// A part of it, which is given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    source: IpAddr,
    id: u64,
    lost: Arc<Notify>,
}

#[derive(Debug)]
struct Ledger {
    most: usize,
    used: usize,
    opened: u64,
    holders: HashMap<IpAddr, Holder>,
}

/// An address, and what its shares are, the oldest first.
#[derive(Debug, Default)]
struct Holder {
    used: usize,
    shares: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    amount: usize,
    lost: Arc<Notify>,
}

impl Shares {
    /// So much of it.
    pub fn new(most: usize) -> Self {
        let ledger = Ledger {
            most,
            used: 0,
            opened: 0,
            holders: HashMap::new(),
        };
        Self {
            ledger: Arc::new(Mutex::new(ledger)),
            freed: Arc::default(),
        }
    }

    /// A share of this address in which there is nothing yet.
    pub fn open(&self, source: IpAddr) -> Share {
        let source = source.to_canonical();
        let lost = Arc::new(Notify::new());
        let mut ledger = self.lock();
        ledger.opened += 1;
        let id = ledger.opened;
        let held = Held {
            amount: 0,
            lost: lost.clone(),
        };
        let holder = ledger.holders.entry(source).or_default();
        holder.shares.insert(id, held);
        drop(ledger);
        Share {
            shares: self.clone(),
            source,
            id,
            lost,
        }
    }

    /// What the shares of this address have together.
    pub fn used_by(&self, source: IpAddr) -> usize {
        let ledger = self.lock();
        let holder = ledger.holders.get(&source.to_canonical());
        holder.map_or(0, |holder| holder.used)
    }

    /// Waits until somebody new can have one of it. For one task.
    pub async fn room(&self) {
        while !self.lock().has_room() {
            self.freed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes more; false if there is none, or if this share is lost. Others lose
    /// theirs only to an address that will still have less than they had.
    pub fn take(&self, amount: usize) -> bool {
        self.shares.lock().take(self.source, self.id, amount)
    }

    /// Ends when this share was taken away; never after it was given back.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let lost = self.lost.clone();
        async move { lost.notified().await }
    }

    /// Whose it is.
    pub const fn source(&self) -> IpAddr {
        self.source
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.lock().remove(self.source, self.id);
        self.shares.freed.notify_one();
    }
}

impl Ledger {
    /// Whether there is some left, or somebody has more than one.
    fn has_room(&self) -> bool {
        self.used < self.most || self.holders.values().any(|holder| holder.used > 1)
    }

    fn take(&mut self, source: IpAddr, id: u64, amount: usize) -> bool {
        while self.used + amount > self.most {
            let own = self.holders.get(&source).map_or(0, |holder| holder.used);
            let richest = self.holders.iter().max_by_key(|(_, holder)| holder.used);
            match richest.filter(|(_, holder)| holder.used > own + amount) {
                Some((&richest, _)) => self.deprive(richest),
                None => return false,
            }
        }
        let Some(holder) = self.holders.get_mut(&source) else {
            return false;
        };
        let Some(held) = holder.shares.get_mut(&id) else {
            return false;
        };
        held.amount += amount;
        holder.used += amount;
        self.used += amount;
        true
    }

    /// Takes the largest of his shares away from somebody, of equals the oldest.
    fn deprive(&mut self, source: IpAddr) {
        let shares = self.holders.get(&source).map(|holder| &holder.shares);
        let largest = shares
            .into_iter()
            .flatten()
            .max_by_key(|(id, held)| (held.amount, Reverse(**id)));
        if let Some((&id, _)) = largest
            && let Some(held) = self.remove(source, id)
        {
            held.lost.notify_one();
        }
    }

    fn remove(&mut self, source: IpAddr, id: u64) -> Option<Held> {
        let holder = self.holders.get_mut(&source)?;
        let held = holder.shares.remove(&id)?;
        holder.used -= held.amount;
        self.used -= held.amount;
        if holder.shares.is_empty() {
            self.holders.remove(&source);
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn share(shares: &Shares, number: u32, amount: usize) -> Option<Share> {
        let share = shares.open(address(number));
        share.take(amount).then_some(share)
    }

    fn is_lost(share: &Share) -> bool {
        !share.take(0)
    }

    #[test]
    fn the_oldest_of_the_largest_shares_of_who_has_the_most_is_taken_away() {
        let shares = Shares::new(10);
        let small = share(&shares, 1, 1).unwrap();
        let large = [4, 4, 1].map(|amount| share(&shares, 2, amount).unwrap());
        let other = share(&shares, 3, 2).unwrap();
        assert_eq!(large.each_ref().map(is_lost), [true, false, false]);
        assert!(!is_lost(&small) && !is_lost(&other));
        assert_eq!([1, 2, 3].map(|it| shares.used_by(address(it))), [1, 5, 2]);
    }

    #[test]
    fn nobody_loses_anything_to_one_who_would_have_as_much() {
        let shares = Shares::new(4);
        let held = [1, 1, 2, 2].map(|it| share(&shares, it, 1).unwrap());
        assert!(share(&shares, 1, 1).is_none());
        assert!(share(&shares, 3, 2).is_none());
        assert!(held.iter().all(|held| !is_lost(held)));
        assert!(share(&shares, 3, 1).is_some());
        assert!(is_lost(&held[0]) || is_lost(&held[2]));
    }

    #[test]
    fn more_than_there_is_is_given_to_nobody_and_taken_from_nobody() {
        let shares = Shares::new(4);
        let held = [1, 2].map(|it| share(&shares, it, 2).unwrap());
        assert!(share(&shares, 3, 5).is_none());
        assert!(held.iter().all(|held| !is_lost(held)));
    }

    #[tokio::test]
    async fn what_is_given_back_is_there_for_others_and_nothing_is_left_of_it() {
        let shares = Shares::new(2);
        let first = share(&shares, 1, 1).unwrap();
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0, 2]);
        let second = shares.open(mapped);
        assert!(second.take(1));
        assert_eq!(shares.used_by(address(2)), 1);
        let mut room = Box::pin(shares.room());
        assert!(futures::poll!(&mut room).is_pending(), "each has one");
        drop(first);
        room.await;
        drop(second);
        let ledger = shares.lock();
        assert_eq!((ledger.used, ledger.holders.len()), (0, 0));
    }

    #[tokio::test]
    async fn who_loses_a_share_hears_of_it_and_may_give_it_back_once_more() {
        let shares = Shares::new(4);
        let large = share(&shares, 1, 4).unwrap();
        let lost = large.lost();
        let small = share(&shares, 2, 1).unwrap();
        lost.await;
        assert!(!large.take(1));
        drop(large);
        assert_eq!(shares.used_by(address(1)), 0);
        assert_eq!(shares.lock().used, 1);
        drop(small);
    }
}
