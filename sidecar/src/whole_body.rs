//! A request's body that must be known whole before it is sent.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::budget::{Budget, Reserved};
use crate::problem::Problem;
use crate::slug::Slug;

/// The largest body that is kept.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// What all bodies that are kept at one time may have together.
pub(crate) const ALL_TOGETHER: usize = 16 * LARGEST;

/// The first piece of memory.
const FIRST: usize = 4 * 1024;

/// The part of a body that has arrived. Its `Debug` shows only how much.
pub(crate) struct WholeBody {
    bytes: Zeroizing<Vec<u8>>,
    reserved: Reserved,
}

impl WholeBody {
    /// For a body that says it will have so many bytes, or does not say. Takes
    /// nothing of the budget yet: a caller who says much and sends nothing
    /// keeps no other from it.
    ///
    /// # Errors
    /// `body-too-large`, as [`WholeBody::push`] would say in the end.
    pub(crate) fn expecting(length: Option<u64>, budget: &Arc<Budget>) -> Result<Self, Problem> {
        if length.is_some_and(|length| length > LARGEST as u64) {
            return Err(too_large());
        }
        Ok(Self {
            bytes: Zeroizing::new(Vec::new()),
            reserved: budget.reserve(),
        })
    }

    /// How much has arrived.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends what has arrived.
    ///
    /// # Errors
    /// `body-too-large`, or `overloaded` when other bodies have taken what the
    /// process allows.
    pub(crate) fn push(&mut self, data: &[u8]) -> Result<(), Problem> {
        self.make_room(self.bytes.len().saturating_add(data.len()))?;
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// All of it, and the memory that is to be counted for as long as a copy
    /// of it is kept.
    pub(crate) fn into_parts(self) -> (Zeroizing<Vec<u8>>, Reserved) {
        (self.bytes, self.reserved)
    }

    fn make_room(&mut self, length: usize) -> Result<(), Problem> {
        let before = self.bytes.capacity();
        if length <= before {
            return Ok(());
        }
        if length > LARGEST {
            return Err(too_large());
        }
        let after = length.max(2 * before).clamp(FIRST, LARGEST);
        if !self.reserved.grow(after - before) {
            return Err(Problem::new(
                Slug::Overloaded,
                "The collection sets a part of the body or signs it, so Credence must keep it, and keeps as many as it can: try again.",
            ));
        }
        // A copy, and not a reallocation: that would leave the old bytes behind.
        let mut larger = Zeroizing::new(Vec::with_capacity(after));
        larger.extend_from_slice(&self.bytes);
        self.bytes = larger;
        Ok(())
    }
}

fn too_large() -> Problem {
    Problem::new(
        Slug::BodyTooLarge,
        "The collection sets a part of the body or signs it, so Credence must keep it, and keeps no more than 1 MiB.",
    )
}

impl fmt::Debug for WholeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WholeBody({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug<T>(result: Result<T, Problem>) -> Option<Slug> {
        result.err().map(|problem| problem.slug)
    }

    #[test]
    fn a_body_is_kept_up_to_a_mebibyte() {
        let budget = Budget::of(ALL_TOGETHER);
        let mut body = WholeBody::expecting(None, &budget).unwrap();
        for _ in 0..1024 {
            body.push(&[b'x'; 1024]).unwrap();
        }
        assert_eq!(slug(body.push(b"y")), Some(Slug::BodyTooLarge));
        assert_eq!(body.into_parts().0.len(), LARGEST);
    }

    #[test]
    fn a_length_that_is_too_large_is_refused_before_a_byte_has_come() {
        let budget = Budget::of(ALL_TOGETHER);
        for (length, expected) in [
            (LARGEST as u64, None),
            (LARGEST as u64 + 1, Some(Slug::BodyTooLarge)),
            (u64::MAX, Some(Slug::BodyTooLarge)),
        ] {
            assert_eq!(slug(WholeBody::expecting(Some(length), &budget)), expected);
        }
    }

    #[test]
    fn all_bodies_together_have_a_limit_and_give_back_what_they_had() {
        let budget = Budget::of(ALL_TOGETHER);
        let largest = || {
            let mut body = WholeBody::expecting(Some(LARGEST as u64), &budget).unwrap();
            body.push(&vec![b'x'; LARGEST]).map(|()| body)
        };
        let bodies: Vec<_> = (0..16).map(|_| largest().unwrap()).collect();
        assert_eq!(slug(largest()), Some(Slug::Overloaded));
        let mut small = WholeBody::expecting(None, &budget).unwrap();
        assert_eq!(slug(small.push(b"x")), Some(Slug::Overloaded));
        drop(bodies);
        small.push(b"x").unwrap();
    }

    #[test]
    fn what_is_only_announced_keeps_no_other_body_out() {
        let budget = Budget::of(ALL_TOGETHER);
        let mut announced: Vec<_> = (0..1000)
            .map(|_| WholeBody::expecting(Some(LARGEST as u64), &budget).unwrap())
            .collect();
        for body in &mut announced {
            body.push(b"x").unwrap();
        }
        let mut whole = WholeBody::expecting(None, &budget).unwrap();
        whole.push(&vec![b'x'; LARGEST]).unwrap();
    }
}
