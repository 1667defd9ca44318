//! What is said about tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Environment;
use credence_core::resolve::WarningKind;
use credence_core::token::decide::{standing, wanted};
use credence_core::token::{Held, Jitter, Order, Record, Standing, told};
use credence_crds::TokenStatus;
use credence_crds::condition::reason;
use jiff::{SignedDuration, Timestamp};

use super::super::conditions::{Status, Verdict};
use crate::catalogue::Records;
use crate::resolution::Resolution;

/// The tokens that calls of a collection need.
pub(super) struct Tokens<'a> {
    needed: BTreeMap<Environment, Needed<'a>>,
    now: Timestamp,
}

struct Needed<'a> {
    order: &'a Order,
    /// What should be looked at, though it works.
    advice: Option<&'a str>,
    /// What is kept of it; none until the token endpoint was asked.
    record: Option<&'a Record>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(
        resolutions: &'a BTreeMap<Environment, Arc<Resolution>>,
        records: &'a Records,
        now: Timestamp,
    ) -> Self {
        let needed = resolutions.iter().filter_map(|(environment, resolution)| {
            let order = resolution.order.as_deref()?;
            let record = records.get(&resolution.token_environment());
            let mut warnings = resolution.warnings.iter();
            let warning = warnings.find(|warning| warning.kind == WarningKind::PasswordGrant);
            let needed = Needed {
                order,
                advice: warning.map(|warning| warning.message.as_str()),
                record: record.map(AsRef::as_ref),
            };
            Some((*environment, needed))
        });
        Self {
            needed: needed.collect(),
            now,
        }
    }

    /// Whether all of them are there; none where no call needs one.
    pub(super) fn ready(&self) -> Option<Verdict> {
        let verdicts = self.needed.values().map(|needed| needed.verdict(self.now));
        // What keeps calls from being made comes first.
        verdicts.min_by_key(Verdict::is_true)
    }

    /// What a person must do, if one must do something.
    pub(super) fn reauthorization(&self) -> Option<Verdict> {
        let mut required = (self.needed.values())
            .filter(|needed| {
                matches!(
                    needed.standing(self.now),
                    Some(Standing::ReauthorizationRequired)
                )
            })
            .map(|needed| needed.verdict(self.now));
        let Verdict {
            reason, message, ..
        } = required.next()?;
        Some(Verdict::new(Status::True, reason, message))
    }

    /// Until when a token counts as one that the API refuses though it was just
    /// obtained.
    pub(super) fn rejected_until(&self, environment: Environment) -> Option<Timestamp> {
        let Needed { order, record, .. } = self.needed.get(&environment)?;
        (*record)?.rejected_until(&order.terms, self.now)
    }

    /// Whether calls of an environment can be made, as far as tokens go.
    pub(super) fn allow(&self, environment: Environment) -> bool {
        self.needed
            .get(&environment)
            .is_none_or(|needed| matches!(needed.standing(self.now), Some(Standing::Usable(_))))
    }

    /// What the status tells of the token of an environment.
    pub(super) fn status(&self, environment: Environment) -> Option<TokenStatus> {
        let Needed { order, record, .. } = self.needed.get(&environment)?;
        let terms = &order.terms;
        let held = record.and_then(|record| record.held.as_ref());
        let held = held.filter(|held| held.order == terms.order);
        let setback = record.and_then(|record| record.setback_for(terms));
        let next = record.and_then(|record| wanted(record, terms, "", self.now, Jitter::default()));
        let grain = held.map_or(Grain::Second, Grain::of);
        Some(TokenStatus {
            obtained_at: held.map(|held| grain.floor(held.obtained_at)),
            expires_at: held
                .and_then(|held| held.expires_at)
                .map(|end| grain.ceiling(end)),
            scope: held.and_then(|held| held.scope(terms)),
            next_refresh_at: next.map(|next| grain.ceiling(next)),
            last_attempt_at: setback.map(|setback| told::in_seconds(setback.at)),
            failures: setback.map_or(0, |setback| setback.failures.try_into().unwrap_or(i32::MAX)),
            error: setback.and_then(|setback| Some(setback.code?.to_string())),
        })
    }

    /// The first end of one of them.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.held().filter_map(|held| held.expires_at).min()
    }

    /// The same as the status tells it.
    pub(super) fn told_to_expire(&self) -> Option<Timestamp> {
        let ends = (self.held()).filter_map(|held| Some(Grain::of(held).up(held.expires_at?)));
        ends.min()
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        (self.needed.values()).filter_map(|needed| match needed.standing(self.now)? {
            Standing::Usable(held) => Some(held),
            Standing::Unavailable { .. } | Standing::ReauthorizationRequired => None,
        })
    }
}

/// How exactly times are told: what is renewed every minute must not write a
/// status each time. The metric of the end is exact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Second,
    TenMinutes,
}

impl Grain {
    fn of(held: &Held) -> Self {
        let short = SignedDuration::from_mins(20);
        match held.expires_at {
            Some(end) if end.duration_since(held.obtained_at) < short => Self::TenMinutes,
            Some(_) | None => Self::Second,
        }
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::TenMinutes => 600,
        }
    }

    fn floor(self, time: Timestamp) -> String {
        let seconds = time.as_second().div_euclid(self.seconds()) * self.seconds();
        Timestamp::from_second(seconds).unwrap_or(time).to_string()
    }

    fn ceiling(self, time: Timestamp) -> String {
        self.up(time).to_string()
    }

    fn up(self, time: Timestamp) -> Timestamp {
        let steps = (time.as_second() + self.seconds() - 1).div_euclid(self.seconds());
        Timestamp::from_second(steps * self.seconds()).unwrap_or(time)
    }
}

impl<'a> Needed<'a> {
    fn standing(&self, now: Timestamp) -> Option<Standing<'a>> {
        Some(standing(self.record?, &self.order.terms, now))
    }

    fn verdict(&self, now: Timestamp) -> Verdict {
        let setback = self
            .record
            .and_then(|record| record.setback_for(&self.order.terms));
        match (self.standing(now), setback) {
            (Some(Standing::Usable(held)), setback) => {
                let until = match held.expires_at {
                    Some(_) if Grain::of(held) != Grain::Second && setback.is_none() => {
                        "The token is renewed every few minutes.".to_owned()
                    }
                    end => told::until(end),
                };
                let scopes = match held.missing_scopes.as_slice() {
                    [] => String::new(),
                    missing => format!(
                        " The provider did not grant all scopes: {} missing. Have them granted, \
                         or take them out of token.scopes.",
                        missing.join(" ")
                    ),
                };
                let (reason, trouble) = match setback {
                    None => (reason::OBTAINED, String::new()),
                    Some(setback) => (
                        setback.reason.as_str(),
                        format!(" {}", told::setback(setback)),
                    ),
                };
                let skew = self.skew();
                let advice = self.advice.map(|advice| format!(" {advice}"));
                let advice = advice.unwrap_or_default();
                Verdict::new(
                    Status::True,
                    reason,
                    format!("{until}{scopes}{skew}{trouble}{advice}"),
                )
            }
            (Some(Standing::ReauthorizationRequired), setback) => {
                let reason =
                    setback.map_or(reason::NO_REFRESH_TOKEN, |setback| setback.reason.as_str());
                Verdict::new(Status::False, reason, told::reauthorization(setback))
            }
            (Some(Standing::Unavailable { .. }), Some(setback)) => {
                let message = format!("{}{}", told::setback(setback), self.skew());
                Verdict::new(Status::False, setback.reason.as_str(), message)
            }
            (Some(Standing::Unavailable { .. }) | None, _) => Verdict::new(
                Status::Unknown,
                reason::PENDING,
                "The token endpoint has not answered yet.",
            ),
        }
    }
}

impl Needed<'_> {
    /// That the clocks differ, if they do so much that what is signed with one
    /// is refused by the other. In whole minutes: it changes a little each time.
    fn skew(&self) -> String {
        let skew = self
            .record
            .map_or(SignedDuration::ZERO, |record| record.clock_skew);
        if skew.abs() <= SKEWED {
            return String::new();
        }
        let minutes = skew.abs().as_secs().div_euclid(60).max(1);
        let direction = if skew.is_positive() {
            "ahead of"
        } else {
            "behind"
        };
        format!(
            " The token endpoint's clock is about {minutes} min {direction} this one: check the \
             time of the cluster's nodes."
        )
    }
}

/// From here on a difference of two clocks is told.
const SKEWED: SignedDuration = SignedDuration::from_secs(30);
