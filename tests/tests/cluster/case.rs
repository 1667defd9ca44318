//! A case: its name, what it does, and beside which others it can be done.

use anyhow::Result;
use credence_tests::shop::Shop;

/// It fails by an error or a panic.
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) act: fn(&Shop) -> Result<()>,
    /// When its turn is.
    pub(crate) turn: Turn,
    /// Why it needs a cluster whose programs run on this machine, if it does.
    pub(crate) here: Option<&'static str>,
    /// Whether it takes minutes, and so is left to `make soak`.
    pub(crate) long: bool,
}

/// In this order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Beside others, in namespaces of its own, or only looking.
    Parallel,
    /// One after another: what changes the shop, disturbs others or is
    /// measured.
    Alone,
    /// After all others, in either kind of run: what looks at all that was
    /// said and used.
    Last,
}

impl Case {
    const fn new(name: &'static str, turn: Turn, act: fn(&Shop) -> Result<()>) -> Self {
        Self {
            name,
            act,
            turn,
            here: None,
            long: false,
        }
    }

    /// See [`Turn::Parallel`].
    pub(crate) const fn parallel(name: &'static str, act: fn(&Shop) -> Result<()>) -> Self {
        Self::new(name, Turn::Parallel, act)
    }

    /// See [`Turn::Alone`].
    pub(crate) const fn alone(name: &'static str, act: fn(&Shop) -> Result<()>) -> Self {
        Self::new(name, Turn::Alone, act)
    }

    /// See [`Turn::Last`].
    pub(crate) const fn last(name: &'static str, act: fn(&Shop) -> Result<()>) -> Self {
        Self::new(name, Turn::Last, act)
    }

    /// Elsewhere it is skipped, for the reason `why`.
    pub(crate) const fn here(mut self, why: &'static str) -> Self {
        self.here = Some(why);
        self
    }

    /// For `make soak`.
    pub(crate) const fn soak(mut self) -> Self {
        self.long = true;
        self
    }
}
