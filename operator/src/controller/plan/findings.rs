//! What should be looked at, beside whether calls can be made: conditions that
//! are there while they are true, and gone afterwards.

mod expiring;
mod rejected;

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Environment;
use credence_core::resolve::WarningKind;
use credence_crds::MethodName;
use credence_crds::condition::{self, reason};
use jiff::Timestamp;

use super::super::conditions::{Status, Verdict};
use super::super::rejections::Rejection;
use super::token::Tokens;
use crate::resolution::Resolution;

/// What the findings are made from.
pub(super) struct Findings<'a> {
    /// How calls are authenticated.
    pub(super) method: MethodName,
    /// What is in use.
    pub(super) resolutions: &'a BTreeMap<Environment, Arc<Resolution>>,
    /// What sidecars say of credentials, by the revision of what is in use.
    pub(super) rejections: &'a BTreeMap<String, Rejection>,
    /// The tokens that calls need.
    pub(super) tokens: &'a Tokens<'a>,
    /// The time.
    pub(super) now: Timestamp,
}

impl Findings<'_> {
    /// Types and content of the conditions, each type once.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (&'static str, Verdict)> {
        [
            (
                condition::CREDENTIAL_REJECTED,
                self.each(|environment, resolution| self.rejected(environment, resolution)),
            ),
            (
                condition::CERTIFICATE_EXPIRING,
                self.each(|_, resolution| {
                    let secret = resolution.certificate_secret.as_deref()?;
                    expiring::expiring(secret, resolution.certificate_not_after?, self.now)
                }),
            ),
            (
                condition::KEY_OF_OTHER_ENVIRONMENT,
                self.each(|_, resolution| key_of_other_environment(resolution)),
            ),
            (
                condition::DEVELOPMENT_USES_LIVE_CREDENTIALS,
                self.each(|_, resolution| live_in_development(resolution)),
            ),
            (
                condition::ACCESS_FORBIDDEN,
                self.each(|_, resolution| forbidden(resolution)),
            ),
        ]
        .into_iter()
        .filter_map(|(type_, verdict)| Some((type_, verdict?)))
    }

    /// When something of it will be different by time alone.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let resolutions = self.resolutions.iter();
        let changes = resolutions.flat_map(|(environment, resolution)| {
            let stage = resolution
                .certificate_not_after
                .and_then(|end| expiring::next_stage(end, self.now));
            let rejected = self.rejections.get(&resolution.revision);
            [
                stage,
                rejected.and_then(|rejected| rejected.until),
                self.tokens.rejected_until(*environment),
            ]
        });
        changes.flatten().min()
    }

    /// What there is to say about both environments, the live one last.
    fn each(
        &self,
        finding: impl Fn(Environment, &Resolution) -> Option<Verdict>,
    ) -> Option<Verdict> {
        let resolutions = self.resolutions.iter();
        let found = resolutions.filter_map(|(of, resolution)| finding(*of, resolution));
        found.reduce(|first, second| {
            let message = format!("{} {}", first.message, second.message);
            Verdict::new(Status::True, second.reason, message)
        })
    }

    fn rejected(&self, environment: Environment, resolution: &Resolution) -> Option<Verdict> {
        if self.tokens.rejected_until(environment).is_some() {
            return Some(rejected::fresh_token(environment));
        }
        let Rejection { said, .. } = self.rejections.get(&resolution.revision)?;
        Some(rejected::rejected(&rejected::Refused {
            method: self.method,
            environment,
            secret: resolution.secret.as_deref(),
            certificate: resolution.certificate_secret.as_deref(),
            said: *said,
        }))
    }
}

fn key_of_other_environment(resolution: &Resolution) -> Option<Verdict> {
    let keys: Vec<&str> = resolution
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::KeyOfOtherEnvironment)
        .map(|warning| warning.message.as_str())
        .collect();
    let reason = reason::WELL_KNOWN_PREFIX;
    (!keys.is_empty()).then(|| Verdict::new(Status::True, reason, keys.join(" ")))
}

fn live_in_development(resolution: &Resolution) -> Option<Verdict> {
    let message = "Development uses the live settings, as spec.developmentFallback says: calls \
                   have real effects. Add spec.development to use others.";
    let reason = reason::DEVELOPMENT_FALLBACK;
    resolution
        .uses_live_fallback
        .then(|| Verdict::new(Status::True, reason, message))
}

fn forbidden(resolution: &Resolution) -> Option<Verdict> {
    let problem = resolution.problem.as_ref()?;
    (problem.reason == reason::ACCESS_FORBIDDEN)
        .then(|| Verdict::new(Status::True, problem.reason, problem.message.clone()))
}
