//! The call that shows whether a credential works.

use std::collections::BTreeSet;
use std::time::Duration;

use credence_core::call::{CallTarget, SafeMethod};
use credence_core::collection::{self, Collection, Method, Placement};

use super::Reader;
use crate::verification::{Verification, VerificationMethod};

/// More often, somebody else's API would notice.
const LEAST_MINUTES: u64 = 5;

impl Reader {
    pub(super) fn verification(
        &mut self,
        verification: Option<&Verification>,
    ) -> Option<collection::Verification> {
        let verification = verification?;
        let path = verification.path.as_deref().unwrap_or_default();
        let target = self.keep("spec.verification.path", path.parse::<CallTarget>());
        let expected: BTreeSet<u16> = verification
            .expect_status
            .iter()
            .filter_map(|status| u16::try_from(*status).ok())
            .filter(|status| (200..=599).contains(status))
            .collect();
        if expected.is_empty() || expected.len() < verification.expect_status.len() {
            self.problem(
                "spec.verification.expectStatus",
                "must hold statuses from 200 to 599, each once",
            );
        }
        let minutes = u64::try_from(verification.interval_minutes).ok();
        let minutes = minutes.filter(|minutes| *minutes >= LEAST_MINUTES);
        if minutes.is_none() {
            self.problem("spec.verification.intervalMinutes", "must be at least 5");
        }
        Some(collection::Verification {
            method: match verification.method {
                VerificationMethod::Get => SafeMethod::Get,
                VerificationMethod::Head => SafeMethod::Head,
            },
            target: target?,
            expected,
            interval: Duration::from_mins(minutes?),
        })
    }

    /// A call without a body cannot have a key in it.
    pub(super) fn verification_without_body(&mut self, collection: &Collection) {
        let in_body = matches!(
            collection.method,
            Method::ApiKey {
                placement: Placement::Body(_),
                ..
            }
        );
        if in_body && collection.verification.is_some() {
            self.problem(
                "spec.verification",
                "is a call without a body, which a key of spec.auth.apiKey in: Body has no place in: \
                 remove it",
            );
        }
    }
}
