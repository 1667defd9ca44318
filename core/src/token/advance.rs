//! How a record changes: one function for each thing that happens.

use jiff::{SignedDuration, Timestamp};

use super::answer::{self, Answer, Reading, missing_scopes};
use super::answer_error::{AnswerError, AnswerProblem, Remedy};
use super::decide::{Ask, due};
use super::raw_answer::{RawAnswer, RoundTrip};
use super::record::{Held, Intent, Record, RefreshToken, Unread};
use super::refused::Forced;
use super::setback::{Failure, Next, REFUSED_GRANT, Setback, SetbackReason};
use super::shape::{CaptureFrom, Renewal};
use super::terms::{Jitter, Terms, digest_of};

/// What is kept of one access token at most, with its captured fields, in
/// bytes. A store must be able to hold twice that, for quotes are escaped, and
/// an answer that is not read yet, in base64 (a Kubernetes Secret has 1 MiB).
const LONGEST_HELD: usize = 256 * 1024;

impl Record {
    /// A refresh token is about to be sent.
    #[must_use]
    pub fn intending(&self, holder: &str, terms: &Terms, now: Timestamp) -> Self {
        let Some(token) = self.refresh_token_for(terms).map(digest_of) else {
            return self.clone();
        };
        let unfinished = self.doubt(terms);
        Self {
            intent: Some(Intent {
                holder: holder.to_owned(),
                generation: self.generation,
                token,
                since: unfinished.map_or(now, |intent| intent.since),
                at: now,
                doubts: unfinished.map_or(0, |intent| intent.doubts.saturating_add(1)),
            }),
            ..self.clone()
        }
    }

    /// An answer came. Of its head only what reading it needs is kept.
    #[must_use]
    pub fn answered(
        &self,
        ask: Ask,
        mut raw: RawAnswer,
        round_trip: RoundTrip,
        terms: &Terms,
    ) -> Self {
        raw.headers.retain(|(name, _)| {
            matches!(name.as_str(), "date" | "retry-after" | "set-cookie")
                || terms
                    .shape_of(ask == Ask::Refresh)
                    .capture
                    .iter()
                    .any(|capture| matches!(&capture.from, CaptureFrom::Header(it) if it == name))
        });
        Self {
            clock_skew: raw.clock_skew(round_trip),
            unread: Some(Unread {
                order: terms.order,
                lineage: terms.lineage,
                raw,
                round_trip,
                refreshed: ask == Ask::Refresh,
                tried: false,
            }),
            ..self.clone()
        }
    }

    /// The answer that was stored is read.
    #[must_use]
    pub fn reading(&self, terms: &Terms, now: Timestamp) -> Self {
        let Some(unread) = &self.unread else {
            return self.clone();
        };
        let mut next = Self {
            unread: None,
            ..self.clone()
        };
        if unread.order != terms.order {
            // Its access token is another order's. Its refresh token is the
            // only one that the provider still knows.
            let saved = next.save_refresh_token(unread, terms);
            return match next.hidden_refresh_token(unread, terms) {
                Some(failure) if !saved => Self {
                    unread: Some(Unread {
                        order: terms.order,
                        tried: true,
                        ..unread.clone()
                    }),
                    ..next.failing(Ask::Refresh, &failure, terms, now)
                },
                _ => next,
            };
        }
        match next.accept(unread, terms) {
            Ok(()) => next,
            Err(failure) => {
                let saved = next.save_refresh_token(unread, terms);
                let ask = if unread.refreshed {
                    Ask::Refresh
                } else {
                    Ask::Anew
                };
                let mut failed = next.failing(ask, &failure, terms, now);
                let keep = unread.raw.is_success() && unread.raw.is_storable();
                if unread.refreshed && keep && !saved {
                    failed.unread = Some(Unread {
                        tried: true,
                        ..unread.clone()
                    });
                }
                failed
            }
        }
    }

    /// An attempt gave no token.
    #[must_use]
    pub fn failing(&self, ask: Ask, failure: &Failure, terms: &Terms, now: Timestamp) -> Self {
        let mut next = self.clone();
        let lasting = failure.leaves_doubt() || failure.remedy() != Remedy::Wait;
        if ask == Ask::Refresh && terms.renewal == Renewal::Anew && lasting {
            // There is another way, which is gone at once.
            next.refresh_token = None;
            next.intent = None;
            return next;
        }
        let doubted = self.doubt(terms).is_some_and(|intent| intent.doubts > 0);
        if ask == Ask::Refresh && !failure.leaves_doubt() {
            next.intent = next.intent.and_then(Intent::undone);
        }
        let failures = self
            .setback_for(terms)
            .map_or(1, |setback| setback.failures.saturating_add(1));
        let by_refresh_token = terms.renewal == Renewal::ByRefreshToken;
        let (when, reason) = match failure.remedy() {
            Remedy::Grant if by_refresh_token => {
                next.intent = None;
                let reason = if doubted {
                    SetbackReason::RefreshOutcomeUnknown
                } else {
                    SetbackReason::GrantRefused
                };
                (Next::Person, reason)
            }
            Remedy::Grant => (after(now, seconds(REFUSED_GRANT)), failure.reason()),
            Remedy::Change => (Next::Change, failure.reason()),
            Remedy::Wait if by_refresh_token && self.is_shape_wrong(failure, terms) => {
                (Next::Change, failure.reason())
            }
            Remedy::Wait => {
                let mut wait = failure.cool_down(failures);
                if let Some(due) = self.last_chance(terms, now) {
                    wait = wait.min(due.max(failure.cool_down(1)));
                }
                (after(now, wait), failure.reason())
            }
        };
        next.setback = Some(Setback {
            order: terms.order,
            failures,
            at: now,
            next: when,
            reason,
            code: failure.code(),
            message: message(failure, reason),
        });
        next
    }

    /// Takes what an answer gives.
    fn accept(&mut self, unread: &Unread, terms: &Terms) -> Result<(), Failure> {
        let answer = read(unread, terms)?;
        let held = self.held_of(&answer, unread, terms)?;
        if !held.is_usable(unread.round_trip.received) {
            return Err(Failure::Ended);
        }
        if held.length() > LONGEST_HELD {
            return Err(Failure::Answer(AnswerError {
                problem: AnswerProblem::TooMuch {
                    limit: LONGEST_HELD,
                },
                retry_after: None,
            }));
        }
        held.base_url(terms)?;
        let lineage = terms.lineage;
        self.refresh_token = if terms.renewal == Renewal::ByRefreshToken || terms.refreshes {
            let before = self.refresh_token.take();
            answer
                .refresh_token
                .map(|value| RefreshToken { value, lineage })
                // RFC 6749 §6: none in the answer leaves the old one in force,
                // if it was the old one that was sent.
                .or_else(|| before.filter(|before| unread.refreshed && before.lineage == lineage))
        } else {
            None
        };
        if self.is_refused() {
            self.forced = Some(Forced::after(self.forced, unread.round_trip.received));
        }
        self.generation = match self.generation {
            // So that it goes on growing where a record was lost: no token is
            // renewed more than once a second.
            0 => u64::try_from(unread.round_trip.received.as_second()).unwrap_or(1),
            before => before.saturating_add(1),
        };
        self.held = Some(held);
        (self.intent, self.setback, self.refused) = (None, None, None);
        Ok(())
    }

    /// The access token of an answer. What this answer does not repeat, an
    /// earlier one of the same order has said.
    fn held_of(&self, answer: &Answer, unread: &Unread, terms: &Terms) -> Result<Held, Failure> {
        let before = self.held_for(terms);
        let missing = |path: String| {
            Failure::Answer(AnswerError {
                problem: AnswerProblem::Missing { path },
                retry_after: None,
            })
        };
        let mut captured = answer.captured.clone();
        for capture in &terms.shape.capture {
            if !captured.contains_key(&capture.name) {
                let value = before
                    .and_then(|before| before.captured.get(&capture.name))
                    .ok_or_else(|| missing(capture.from.to_string()))?;
                captured.insert(capture.name.clone(), value.clone());
            }
        }
        let mut base_url = answer.base_url.clone();
        if let (None, Some(path)) = (&base_url, &terms.shape.base_url) {
            let known = before.and_then(|before| before.base_url.clone());
            base_url = Some(known.ok_or_else(|| missing(path.to_string()))?);
        }
        let granted = answer.scope.as_deref();
        Ok(Held {
            order: terms.order,
            access_token: answer.access_token.clone(),
            obtained_at: unread.round_trip.sent,
            expires_at: answer.expires_at,
            captured,
            base_url,
            missing_scopes: granted
                .map(|granted| missing_scopes(&terms.scopes, granted))
                .unwrap_or_default()
                .into_iter()
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Saves the refresh token of an answer that is of no other use.
    fn save_refresh_token(&mut self, unread: &Unread, terms: &Terms) -> bool {
        if !unread.refreshed || terms.renewal != Renewal::ByRefreshToken {
            return false;
        }
        let Some(value) = answer::salvaged_refresh_token(&unread.raw, terms.shape_of(true)) else {
            return false;
        };
        let lineage = unread.lineage;
        self.refresh_token = Some(RefreshToken { value, lineage });
        self.intent = None;
        true
    }

    /// Why the answer to another order of the same grant may still hold the
    /// refresh token that the provider knows: it is read as little by this
    /// order.
    fn hidden_refresh_token(&self, unread: &Unread, terms: &Terms) -> Option<Failure> {
        let by_refresh_token = terms.renewal == Renewal::ByRefreshToken;
        if !by_refresh_token || !unread.refreshed || unread.lineage != terms.lineage {
            return None;
        }
        let error = read(unread, terms).err()?;
        let hidden = match error.problem {
            AnswerProblem::Elsewhere { .. } => true,
            // A provider that stumbles says something else than a token.
            AnswerProblem::Missing { .. } => answer::names_refresh_token(&unread.raw),
            _ => false,
        };
        hidden.then_some(Failure::Answer(error))
    }

    /// Whether an answer of success lacks what it must hold, and no answer to
    /// this order ever held it: then it is the manifest that is wrong, and the
    /// refresh token that came under another name must not be played out.
    fn is_shape_wrong(&self, failure: &Failure, terms: &Terms) -> bool {
        let missing = matches!(
            failure,
            Failure::Answer(AnswerError {
                problem: AnswerProblem::Missing { .. },
                ..
            })
        );
        missing && self.held_for(terms).is_none()
    }

    /// How long it is until the last moment that was planned for a refresh, if
    /// the token can be used until then: an early attempt that fails must not
    /// cost that one.
    fn last_chance(&self, terms: &Terms, now: Timestamp) -> Option<SignedDuration> {
        let held = self.held_for(terms).filter(|held| held.is_usable(now))?;
        let rest = due(held, terms, Jitter::default())?.duration_since(now);
        rest.is_positive().then_some(rest)
    }
}

impl Intent {
    /// What is left when the last try is known to have done nothing: the doubt
    /// about the tries before it.
    pub fn undone(self) -> Option<Self> {
        let doubts = self.doubts.checked_sub(1)?;
        Some(Self { doubts, ..self })
    }
}

fn read(unread: &Unread, terms: &Terms) -> Result<Answer, AnswerError> {
    let reading = Reading {
        shape: terms.shape_of(unread.refreshed),
        lifetime: &terms.lifetime,
        renewal: terms.renewal,
        round_trip: unread.round_trip,
    };
    Answer::read(&unread.raw, &reading)
}

fn after(now: Timestamp, wait: SignedDuration) -> Next {
    Next::At(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

fn seconds(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn message(failure: &Failure, reason: SetbackReason) -> String {
    match reason {
        SetbackReason::RefreshOutcomeUnknown => "a refresh was interrupted before its answer was \
            stored, and the provider no longer takes the refresh token that was sent: grant \
            access again, or put a new refresh token into the Secret"
            .to_owned(),
        SetbackReason::GrantRefused => format!(
            "{failure}: the refresh token, assertion or password has ended, was withdrawn or \
             belongs to another client. Put a new one into the Secret"
        ),
        SetbackReason::Unreachable
        | SetbackReason::SubjectMissing
        | SetbackReason::NoAnswer
        | SetbackReason::Refused
        | SetbackReason::InvalidAnswer => failure.to_string(),
    }
}
