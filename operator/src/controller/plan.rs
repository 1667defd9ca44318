//! What should be, by what is: no call, no clock.

mod findings;
mod neighbours;
mod token;
mod verified;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use credence_core::Environment;
use credence_core::collection::Collection;
use credence_core::names::PROXY_PORT;
use credence_crds::condition::{self, reason};
use credence_crds::{
    ApiCollectionStatus, CertificateStatus, EnvironmentStatus, FeedStatus, MethodName, Rejected,
    SidecarStatus,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{Status, Verdict};
use super::manifest::Manifest;
use super::rejections::Rejection;
use crate::catalogue::{Outline, Planned, Records, Surroundings};
use crate::resolution::{Gathered, Resolution};
use crate::revision::Inputs;
use crate::verification::Verified;
use findings::Findings;
use token::Tokens;
use verified::Verifications;

/// A sidecar that has not acknowledged for this long is behind; before, it is
/// only busy.
const LAG: SignedDuration = SignedDuration::from_secs(10);

/// Timers of the runtime cannot be set to the end of a certificate: they hold
/// two years at most.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Everything that a plan is made from.
pub(super) struct Observed {
    /// The object.
    pub(super) manifest: Manifest,
    /// What others have to do with it.
    pub(super) around: Surroundings,
    /// What was found, for each environment in use.
    pub(super) sights: BTreeMap<Environment, Sight>,
    /// Since when sidecars are behind, if they were when it was last planned.
    pub(super) lagging_since: Option<Timestamp>,
    /// What is kept of tokens.
    pub(super) records: Records,
    /// What sidecars say of refused credentials, by the revision of what they
    /// were sent.
    pub(super) rejections: BTreeMap<String, Rejection>,
    /// What came of calls that verify credentials.
    pub(super) verified: BTreeMap<Environment, Verified>,
}

/// What was found for one environment.
pub(super) enum Sight {
    /// The same as when it was last resolved.
    Unchanged(Arc<Resolution>),
    /// Something new.
    Read(Inputs, Gathered),
    /// Nothing was looked for: the manifest cannot be used.
    Rejected(Inputs),
}

/// What is to be done.
pub(super) struct Plan {
    /// For the catalogue.
    pub(super) planned: Planned,
    /// For the object, without what others own.
    pub(super) status: ApiCollectionStatus,
    /// Since when sidecars are behind, if they are.
    pub(super) lagging_since: Option<Timestamp>,
    /// When the plan would change by time alone.
    pub(super) look_again: Option<Duration>,
}

/// Plans a collection.
pub(super) fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let manifest = &observed.manifest;
    let resolutions = resolutions(observed, now);
    let accepted = accepted(&manifest.collection);
    let resolved = resolved(&accepted, &resolutions);
    let tokens = Tokens::of(&resolutions, &observed.records, now);
    let token_ready = tokens.ready();
    let sidecars = sidecars(&manifest.status.feeds, &resolutions);
    let lagging_since = sidecars
        .lag()
        .then(|| observed.lagging_since.unwrap_or(now));
    let late = lagging_since.is_some_and(|since| remaining(since, now).is_none());
    let programmed = programmed(&sidecars, late, &manifest.status.conditions);
    let causes = [Some(&accepted), Some(&resolved), token_ready.as_ref()];
    let ready = ready(manifest.key.name.as_str(), causes.into_iter().flatten());
    let becomes_late = lagging_since.and_then(|since| remaining(since, now));
    let changes = resolutions
        .values()
        .filter_map(|resolution| until(resolution.changes_at?, now));
    let method = manifest.collection.as_ref().ok();
    let method = method.map(|collection| MethodName::from(&collection.method));
    let findings = Findings {
        method: method.unwrap_or(MethodName::None),
        resolutions: &resolutions,
        rejections: &observed.rejections,
        tokens: &tokens,
        now,
    };
    let finding = findings.next_change();
    let finding = finding.and_then(|change| until(change, now));
    let token_ends = tokens.expires().and_then(|end| until(end, now));
    let look_again = changes.chain(becomes_late).chain(finding).chain(token_ends);
    let look_again = look_again.min();
    let before = &manifest.status.conditions;
    let condition =
        |type_: &str, verdict: Verdict| verdict.condition(type_, manifest.generation, before, now);
    let said = |type_: &str| before.iter().find(|before| before.type_ == type_).cloned();
    let verification = manifest.collection.as_ref().ok();
    let verification = verification.and_then(|collection| collection.verification.as_ref());
    let verified = verification.and_then(|verification| {
        let verifications = Verifications {
            verification,
            resolutions: &resolutions,
            tokens: &tokens,
            verified: &observed.verified,
        };
        match verifications.verdict(manifest.generation, before) {
            Some(verdict) => Some(condition(condition::VERIFIED, verdict)),
            None => said(condition::VERIFIED),
        }
    });
    let always = [
        Some(condition(condition::ACCEPTED, accepted)),
        Some(condition(condition::CREDENTIALS_RESOLVED, resolved)),
        programmed.clone().map_or_else(
            || said(condition::PROGRAMMED),
            |programmed| Some(condition(condition::PROGRAMMED, programmed)),
        ),
        Some(condition(condition::READY, ready)),
        token_ready.map(|token_ready| condition(condition::TOKEN_READY, token_ready)),
        verified,
        tokens
            .reauthorization()
            .map(|required| condition(condition::REAUTHORIZATION_REQUIRED, required)),
    ];
    let further = findings
        .conditions()
        .chain(neighbours::conditions(&observed.around))
        .map(|(type_, verdict)| condition(type_, verdict));
    let conditions = always.into_iter().flatten().chain(further).collect();
    let status = ApiCollectionStatus {
        observed_generation: Some(manifest.generation),
        environment: observed.around.environment.map(Into::into),
        method,
        environments: resolutions
            .iter()
            .map(|(environment, resolution)| EnvironmentStatus {
                name: (*environment).into(),
                secret_name: resolution.secret.clone(),
                certificate: resolution
                    .certificate_not_after
                    .map(|not_after| CertificateStatus {
                        not_after: not_after.to_string(),
                    }),
                token: tokens.status(*environment),
                ready: resolution.is_ready() && tokens.allow(*environment),
            })
            .collect(),
        expires: resolutions
            .values()
            .filter_map(|resolution| resolution.certificate_not_after)
            .chain(tokens.told_to_expire())
            .min()
            .map(|not_after| not_after.to_string()),
        feeds: Vec::new(),
        sidecars: Some(match (&programmed, &manifest.status.sidecars) {
            // A busy moment is not worth a word.
            (None, Some(before)) if before.connected == sidecars.connected => before.clone(),
            _ => SidecarStatus::new(sidecars.connected, sidecars.current),
        }),
        conditions,
    };
    Plan {
        planned: Planned {
            outline: manifest.outline.clone(),
            resolutions,
        },
        status,
        lagging_since,
        look_again,
    }
}

/// What is put into the catalogue for an object that cannot be read at all:
/// whoever asks learns that it is there and not ready.
pub(super) fn unreadable(outline: Arc<Outline>, generation: i64) -> Planned {
    let resolution = |environment| {
        let inputs = Inputs {
            uid: outline.uid.clone(),
            generation,
            environment,
            objects: BTreeMap::new(),
        };
        (environment, Arc::new(Resolution::rejected(inputs)))
    };
    let environments = [Environment::Live, Environment::Development];
    Planned {
        resolutions: environments.into_iter().map(resolution).collect(),
        outline,
    }
}

fn resolutions(observed: &Observed, now: Timestamp) -> BTreeMap<Environment, Arc<Resolution>> {
    observed
        .sights
        .iter()
        .map(|(environment, sight)| {
            let resolution = match (sight, &observed.manifest.collection) {
                (Sight::Unchanged(resolution), _) => resolution.clone(),
                (Sight::Read(inputs, gathered), Ok(collection)) => {
                    Arc::new(Resolution::of(collection, inputs.clone(), gathered, now))
                }
                (Sight::Read(inputs, _) | Sight::Rejected(inputs), _) => {
                    Arc::new(Resolution::rejected(inputs.clone()))
                }
            };
            (*environment, resolution)
        })
        .collect()
}

fn accepted(collection: &Result<Collection, Rejected>) -> Verdict {
    match collection {
        Ok(_) => Verdict::new(Status::True, reason::VALID, "The object is valid."),
        Err(rejected) => Verdict::new(Status::False, reason::INVALID, rejected.to_string()),
    }
}

fn resolved(accepted: &Verdict, resolutions: &BTreeMap<Environment, Arc<Resolution>>) -> Verdict {
    if !accepted.is_true() {
        let message = "Nothing was looked up, since the object is not valid.";
        return Verdict::new(Status::Unknown, reason::INVALID, message);
    }
    if resolutions.is_empty() {
        let message = "No namespace may use it. Name some in spec.namespaceSelector, \
                       such as those with a label kubernetes.io/metadata.name.";
        return Verdict::new(Status::Unknown, reason::NO_NAMESPACES, message);
    }
    let problem = resolutions
        .values()
        .find_map(|resolution| resolution.problem.as_ref());
    if let Some(problem) = problem {
        return Verdict::new(Status::False, problem.reason, problem.message.clone());
    }
    let mut secrets: Vec<String> = resolutions
        .values()
        .filter_map(|resolution| resolution.secret.as_ref())
        .map(|name| format!("\"{name}\""))
        .collect();
    secrets.dedup();
    let message = match secrets.as_slice() {
        [] => "No Secret is needed.".to_owned(),
        [secret] => format!("Secret {secret} is used."),
        several => format!("Secrets {} are used.", several.join(" and ")),
    };
    Verdict::new(Status::True, reason::RESOLVED, message)
}

/// The sidecars of all replicas.
struct Sidecars {
    connected: i32,
    current: i32,
    refused: i32,
}

impl Sidecars {
    /// Whether some have yet to take over the newest version.
    const fn lag(&self) -> bool {
        self.current + self.refused < self.connected
    }
}

/// What the replicas count. Where one has sent a version that is not the newest,
/// none of its sidecars can have that.
fn sidecars(
    feeds: &[FeedStatus],
    resolutions: &BTreeMap<Environment, Arc<Resolution>>,
) -> Sidecars {
    let newest = |revision: &String| {
        let mut all = resolutions.values();
        all.any(|resolution| resolution.revision == *revision)
    };
    let mut all = Sidecars {
        connected: 0,
        current: 0,
        refused: 0,
    };
    for feed in feeds {
        all.connected += feed.connected;
        if feed.revisions.iter().all(newest) {
            all.current += feed.current;
            all.refused += feed.refused;
        }
    }
    all
}

/// None while sidecars are busy and it was said before how they are.
fn programmed(sidecars: &Sidecars, late: bool, before: &[Condition]) -> Option<Verdict> {
    let Sidecars {
        connected,
        current,
        refused,
    } = *sidecars;
    if connected == 0 {
        let message = "No sidecar is connected that may use it.";
        return Some(Verdict::new(Status::True, reason::NO_SIDECARS, message));
    }
    if refused > 0 {
        let message = format!(
            "{refused} of {connected} connected sidecars cannot use it. \
             Restart their pods to give them this version of the sidecar."
        );
        return Some(Verdict::new(Status::False, reason::REFUSED, message));
    }
    if !sidecars.lag() {
        let message = format!("All connected sidecars ({connected}) use the current version.");
        return Some(Verdict::new(Status::True, reason::PROGRAMMED, message));
    }
    let behind = connected - current;
    if late {
        let message = format!(
            "{behind} of {connected} connected sidecars have not taken over the current version. \
             Look at the logs of the container \"credence\" of their pods."
        );
        return Some(Verdict::new(
            Status::False,
            reason::SIDECARS_BEHIND,
            message,
        ));
    }
    let said = before
        .iter()
        .any(|condition| condition.type_ == condition::PROGRAMMED);
    (!said).then(|| {
        let message = format!(
            "{behind} of {connected} connected sidecars are taking over the current version."
        );
        Verdict::new(Status::Unknown, reason::PENDING, message)
    })
}

fn ready<'a>(name: &str, causes: impl Iterator<Item = &'a Verdict>) -> Verdict {
    for cause in causes {
        if !cause.is_true() {
            return Verdict::new(Status::False, cause.reason, cause.message.clone());
        }
    }
    let message = format!("Call it at http://localhost:{PROXY_PORT}/{name}.");
    Verdict::new(Status::True, reason::READY, message)
}

/// Time until a lag is late; none once it is.
fn remaining(since: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = LAG - now.duration_since(since);
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

/// Time until a moment, or a part of it; none once it is over.
fn until(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(moment.duration_since(now)).ok()?;
    (!left.is_zero()).then(|| left.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests;
