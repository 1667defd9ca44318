//! Memory that the process allows for one purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are left.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

/// Bytes taken from a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn of(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }

    /// Nothing, to be grown.
    pub(crate) fn reserve(self: &Arc<Self>) -> Reserved {
        Reserved {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Reserved {
    /// Takes so many bytes more; `false`, and nothing taken, if they are not
    /// there.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let taken = self
            .budget
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_lent_than_there_is_and_all_of_it_comes_back() {
        let budget = Budget::of(10);
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        assert!(first.grow(4) && second.grow(4));
        assert!(!first.grow(3));
        assert!(first.grow(2));
        drop(first);
        assert!(second.grow(6));
        drop(second);
        assert!(budget.reserve().grow(10));
    }
}
