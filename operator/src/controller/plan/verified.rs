//! Whether the API accepts the credential, as calls have shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Environment;
use credence_core::collection::Verification;
use credence_crds::condition::{self, reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::super::conditions::{Status, Verdict};
use super::token::Tokens;
use crate::resolution::Resolution;
use crate::verification::{Outcome, Verified};

/// What is known of the calls of one collection.
pub(super) struct Verifications<'a> {
    /// Which call it is.
    pub(super) verification: &'a Verification,
    /// What is in use.
    pub(super) resolutions: &'a BTreeMap<Environment, Arc<Resolution>>,
    /// The tokens that calls need.
    pub(super) tokens: &'a Tokens<'a>,
    /// What came of the last call for each environment.
    pub(super) verified: &'a BTreeMap<Environment, Verified>,
}

/// What is known for one environment.
enum Finding {
    Good(String),
    Bad(String),
    /// This replica knows of no call.
    Unseen(String),
    Unknown(&'static str, String),
}

impl Verifications<'_> {
    /// The condition's content; none where what was said before may still be
    /// true, as who led before knew it.
    pub(super) fn verdict(&self, generation: i64, before: &[Condition]) -> Option<Verdict> {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        let mut unknown = Vec::new();
        let mut unseen = Vec::new();
        for (environment, resolution) in self.resolutions {
            match self.finding(*environment, resolution) {
                Finding::Good(message) => good.push(message),
                Finding::Bad(message) => bad.push(message),
                Finding::Unseen(message) => unseen.push(message),
                Finding::Unknown(reason, message) => unknown.push((reason, message)),
            }
        }
        if !bad.is_empty() {
            let reason = reason::VERIFICATION_FAILED;
            return Some(Verdict::new(Status::False, reason, bad.join(" ")));
        }
        if let Some(reason) = unknown.first().map(|(reason, _)| *reason) {
            let messages: Vec<_> = unknown
                .iter()
                .map(|(_, message)| message.as_str())
                .collect();
            return Some(Verdict::new(Status::Unknown, reason, messages.join(" ")));
        }
        if !unseen.is_empty() {
            let said = before.iter().any(|said| {
                said.type_ == condition::VERIFIED
                    && said.observed_generation == Some(generation)
                    && said.status != "Unknown"
            });
            let pending = || Verdict::new(Status::Unknown, reason::PENDING, unseen.join(" "));
            return (!said).then(pending);
        }
        if good.is_empty() {
            let message = "No namespace may use it, so nothing is called.";
            return Some(Verdict::new(
                Status::Unknown,
                reason::NO_NAMESPACES,
                message,
            ));
        }
        let reason = reason::VERIFICATION_SUCCEEDED;
        Some(Verdict::new(Status::True, reason, good.join(" ")))
    }

    fn finding(&self, environment: Environment, resolution: &Resolution) -> Finding {
        let call = self.call();
        if !resolution.is_ready() {
            let message = format!("{call} needs a credential ({environment}), and there is none.");
            return Finding::Unknown(reason::PENDING, message);
        }
        if !self.tokens.allow(environment) {
            let message = format!(
                "{call} needs a token ({environment}), and there is none: TokenReady says why."
            );
            return Finding::Unknown(reason::NO_TOKEN, message);
        }
        let Some(verified) = self.verified.get(&environment) else {
            return Finding::Unseen(format!("{call} has not been made yet ({environment})."));
        };
        if verified.inputs != resolution.inputs {
            let message = format!(
                "The object or its Secret has changed since {call} was made ({environment}). It is \
                 made again within a minute."
            );
            return Finding::Unknown(reason::PENDING, message);
        }
        match &verified.outcome {
            Outcome::Answered(status) if self.verification.expected.contains(status) => {
                Finding::Good(format!("{call} is answered {status} ({environment})."))
            }
            Outcome::Answered(status) => {
                Finding::Bad(self.refused(*status, environment, resolution))
            }
            Outcome::CertificateRefused => Finding::Bad(format!(
                "For {call} the API does not accept the client certificate{}, or wants one that it \
                 is not shown ({environment}). Put the one that is valid, with its key, into the \
                 Secret that tlsSecretRef names. {}",
                in_secret(resolution.certificate_secret.as_deref()),
                self.again()
            )),
            Outcome::Private => Finding::Unknown(
                reason::UNREACHABLE,
                format!(
                    "{call} is not made ({environment}): the API has a private address, and the \
                     operator calls public ones only, and those that the chart's value \
                     broker.privateNetworks names. Calls of pods are not concerned."
                ),
            ),
            Outcome::NoAnswer(why) => Finding::Unknown(
                reason::UNREACHABLE,
                format!(
                    "{call} got no answer ({environment}): {why}. {}",
                    self.again()
                ),
            ),
        }
    }

    /// The call, as the manifest has it: what a Secret adds is not here.
    fn call(&self) -> String {
        let Verification { method, target, .. } = self.verification;
        match target.to_string().as_str() {
            "" => format!("{} of the base URL", method.as_str()),
            target => format!("{} {target}", method.as_str()),
        }
    }

    fn again(&self) -> String {
        let minutes = self.verification.interval.as_secs() / 60;
        format!(
            "The call is made again when the object or its Secret changes, and otherwise every \
             {minutes} minutes."
        )
    }

    fn refused(&self, status: u16, environment: Environment, resolution: &Resolution) -> String {
        let call = self.call();
        let expected: Vec<_> = (self.verification.expected.iter())
            .map(u16::to_string)
            .collect();
        let expected = expected.join(" or ");
        let held = resolution.secret.as_deref();
        let held = in_secret(held.or(resolution.certificate_secret.as_deref()));
        let cause = match status {
            401 if resolution.order.is_some() => {
                "the API refuses the access token. Compare scopes, \
                audience and base URL of the collection with what the API wants, and see whether \
                the account may use it."
                    .to_owned()
            }
            401 => format!(
                "the API refuses the credential{held}. Put the one that is valid now into the \
                 Secret, or change spec.auth to what the API's documentation says."
            ),
            403 => format!(
                "the API refuses the credential{held}, or does not let it do this. Put one with \
                 the right to it into the Secret, or choose another call in spec.verification."
            ),
            300..=399 => "a redirect, which is not followed. Change spec.baseUrl or \
                          spec.verification.path to where it leads."
                .to_owned(),
            404 | 405 => "the API has no such call. Choose one that it documents in \
                          spec.verification."
                .to_owned(),
            429 => "the API is called too often, by whomever. Raise \
                    spec.verification.intervalMinutes if it stays so."
                .to_owned(),
            500..=599 => {
                "that is the API's own fault, and says nothing of the credential.".to_owned()
            }
            _ => "see what the API's documentation says of it. If the credential is accepted all \
                  the same, add the status to spec.verification.expectStatus."
                .to_owned(),
        };
        format!(
            "{call} is answered {status} instead of {expected} ({environment}): {cause} {}",
            self.again()
        )
    }
}

fn in_secret(secret: Option<&str>) -> String {
    secret.map_or_else(String::new, |secret| format!(" in Secret \"{secret}\""))
}
