//! What the process allows for one purpose: bytes, or places.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

/// What was taken from a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    taken: usize,
}

impl Budget {
    pub(crate) fn of(all: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(all)))
    }

    /// Nothing, to be grown.
    pub(crate) fn reserve(self: &Arc<Self>) -> Reserved {
        Reserved {
            budget: Arc::clone(self),
            taken: 0,
        }
    }
}

impl Reserved {
    /// Takes so much more; `false`, and nothing taken, if it is not there.
    #[must_use]
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        let left = &self.budget.0;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(more)
        });
        if taken.is_ok() {
            self.taken += more;
        }
        taken.is_ok()
    }

    /// Takes what is missing to have so much altogether.
    #[must_use]
    pub(crate) fn grow_to(&mut self, all: usize) -> bool {
        all <= self.taken || self.grow(all - self.taken)
    }

    /// Gives back what is more than so much altogether.
    pub(crate) fn shrink_to(&mut self, all: usize) {
        let less = self.taken.saturating_sub(all);
        self.taken -= less;
        self.budget.0.fetch_add(less, Ordering::Relaxed);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_left(budget: &Arc<Budget>, bytes: usize) -> bool {
        budget.reserve().grow(bytes)
    }

    #[test]
    fn no_more_is_lent_than_there_is_and_all_of_it_comes_back() {
        let budget = Budget::of(10);
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        assert!(first.grow(4) && second.grow(4));
        assert!(!first.grow(3));
        assert!(first.grow(2));
        drop(first);
        assert!(second.grow_to(3) && second.grow_to(10));
        assert!(!second.grow_to(11));
        second.shrink_to(20);
        second.shrink_to(9);
        assert!(is_left(&budget, 1) && !is_left(&budget, 2));
        drop(second);
        assert!(budget.reserve().grow(10));
    }
}
