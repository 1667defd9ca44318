//! When this replica may be sent work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What must be so before the operator is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A serving certificate is loaded.
    Certificates = 1,
    /// The API server trusts that certificate for the webhook.
    CaBundle = 1 << 1,
    /// Every collection of the first listing has been planned once.
    Collections = 1 << 2,
    /// The first listing of namespaces is complete.
    Namespaces = 1 << 3,
    /// The first listing of injected pods is complete.
    Pods = 1 << 4,
    /// No shutdown has begun.
    Serving = 1 << 5,
    /// The first listing of LimitRanges is complete.
    LimitRanges = 1 << 6,
    /// The first listing of ResourceQuotas is complete.
    ResourceQuotas = 1 << 7,
}

impl Check {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Certificates,
        Self::CaBundle,
        Self::Collections,
        Self::Namespaces,
        Self::Pods,
        Self::LimitRanges,
        Self::ResourceQuotas,
        Self::Serving,
    ];

    /// As `/readyz` shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::CaBundle => "ca-bundle",
            Self::Collections => "collections",
            Self::Namespaces => "namespaces",
            Self::Pods => "pods",
            Self::LimitRanges => "limit-ranges",
            Self::ResourceQuotas => "resource-quotas",
            Self::Serving => "serving",
        }
    }
}

/// The checks that hold; shared by everyone who can say something about one.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicU8>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(Check::Serving as u8)))
    }
}

impl Readiness {
    /// States whether a check holds.
    pub fn set(&self, check: Check, holds: bool) {
        if holds {
            self.0.fetch_or(check as u8, Ordering::Release);
        } else {
            self.0.fetch_and(!(check as u8), Ordering::Release);
        }
    }

    /// Whether a check holds.
    pub fn holds(&self, check: Check) -> bool {
        self.0.load(Ordering::Acquire) & check as u8 != 0
    }

    /// Whether all do.
    pub fn is_ready(&self) -> bool {
        Check::ALL.into_iter().all(|check| self.holds(check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_check_holds() {
        let readiness = Readiness::default();
        for check in Check::ALL {
            assert!(!readiness.is_ready() || check == Check::Serving);
            readiness.set(check, true);
        }
        assert!(readiness.is_ready());
        readiness.set(Check::Serving, false);
        assert!(!readiness.is_ready());
    }
}
