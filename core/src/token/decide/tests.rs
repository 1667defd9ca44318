//! Every rule of renewal, with its times. The incidents behind them are many:
//! most are of the kind "everybody was logged out".

mod clock;
mod doubt;
mod order;
mod refused;
mod stored_answer;

use super::*;
use crate::Secret;
use crate::token::{
    AnswerError, AnswerProblem, Capture, ErrorCode, Failure, Lifetime, RawAnswer, RefusedBaseUrl,
    RoundTrip, SetbackReason, Spread,
};

/// Seconds after the beginning of the story.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

/// The generation of a token that came at once.
const FIRST: u64 = 1_767_225_600;

fn wait(second: i64) -> Step {
    Step::Wait(Some(at(second)))
}

const ANEW: Step = Step::Ask(Ask::Anew);
const REFRESH: Step = Step::Ask(Ask::Refresh);
const STOPPED: Step = Step::Wait(None);

/// A token's life: what was stored so far, and the terms.
#[derive(Clone)]
struct Story {
    record: Record,
    terms: Terms,
    jitter: Jitter,
}

/// Of a method that can always ask again, like the client credentials grant.
fn anew() -> Story {
    Story {
        record: Record::default(),
        terms: Terms::new([1; 32], [2; 32], [2; 32], Renewal::Anew),
        jitter: Jitter::default(),
    }
}

/// Of a method that has a refresh token only.
fn rotating() -> Story {
    let mut story = anew();
    story.terms.renewal = Renewal::ByRefreshToken;
    story.terms.seed = Some(Secret::new("seed"));
    story
}

impl Story {
    fn with(mut self, change: impl FnOnce(&mut Lifetime)) -> Self {
        change(&mut self.terms.lifetime);
        self
    }

    /// What leader `a` would do.
    fn step(&self, second: i64) -> Step {
        self.step_of("a", second)
    }

    fn step_of(&self, holder: &str, second: i64) -> Step {
        decide(&self.record, &self.terms, holder, at(second), self.jitter)
    }

    fn ask(&self, second: i64) -> Ask {
        match self.step(second) {
            Step::Ask(ask) => ask,
            other => panic!("{other:?} at {second}"),
        }
    }

    /// The intent is stored, and nothing after it.
    fn begins(mut self, second: i64) -> Self {
        if self.ask(second) == Ask::Refresh {
            self.record = self.record.intending("a", &self.terms, at(second));
        }
        self
    }

    /// Asked and answered in the same second.
    fn answered(self, second: i64, status: u16, body: &str) -> Self {
        let ask = self.ask(second);
        let mut next = self.begins(second);
        next.arrives(ask, second, status, body);
        next.record = next.record.reading(&next.terms, at(second));
        next
    }

    fn arrives(&mut self, ask: Ask, second: i64, status: u16, body: &str) {
        let raw = RawAnswer {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec().into(),
        };
        let round_trip = RoundTrip {
            sent: at(second),
            received: at(second),
        };
        self.record = self.record.answered(ask, raw, round_trip, &self.terms);
    }

    /// A token that lives so many seconds, and a refresh token.
    fn obtains(self, second: i64, lives: i64, token: &str, refresh_token: &str) -> Self {
        let body = format!(
            r#"{{"access_token": "{token}", "expires_in": {lives}, "refresh_token": "{refresh_token}"}}"#
        );
        self.answered(second, 200, &body)
    }

    fn fails(self, second: i64, failure: &Failure) -> Self {
        let ask = self.ask(second);
        let mut next = self.begins(second);
        next.record = next.record.failing(ask, failure, &next.terms, at(second));
        next
    }

    /// The token of this number was refused, where the first one came at once.
    fn refused(mut self, number: u64) -> Self {
        self.record = self.record.refusing(FIRST + number - 1);
        self
    }

    fn ordered_anew(mut self) -> Self {
        self.terms.order = [9; 32];
        self
    }

    /// Another client, user or token endpoint.
    fn of_another_grant(mut self) -> Self {
        (self.terms.order, self.terms.lineage) = ([8; 32], [8; 32]);
        self
    }

    /// Somebody has put a new refresh token into the Secret.
    fn seeded_anew(mut self) -> Self {
        self.terms.seed = Some(Secret::new("seed2"));
        self.of_another_grant()
    }

    fn token(&self, second: i64) -> Option<&str> {
        match standing(&self.record, &self.terms, at(second)) {
            Standing::Usable(held) => Some(held.access_token.expose()),
            Standing::Unavailable { .. } | Standing::ReauthorizationRequired => None,
        }
    }

    fn refresh_token(&self) -> Option<&str> {
        self.record
            .refresh_token_for(&self.terms)
            .map(Secret::expose)
    }

    fn reason(&self) -> Option<SetbackReason> {
        self.record.setback_for(&self.terms).map(|it| it.reason)
    }
}

fn down() -> Failure {
    Failure::NotSent("connection refused".to_owned())
}

fn reset() -> Failure {
    Failure::Unknown("connection reset".to_owned())
}

fn error(code: ErrorCode) -> Failure {
    Failure::Answer(AnswerError {
        problem: AnswerProblem::Refused { status: 400, code },
        retry_after: None,
    })
}

// Rule 1: refresh before expiry.

#[test]
fn a_token_is_asked_for_at_once_where_there_is_none() {
    assert_eq!(anew().step(0), ANEW);
    assert_eq!(rotating().step(0), REFRESH);
    assert_eq!(anew().token(0), None);
}

#[test]
fn a_token_is_renewed_a_minute_before_its_end() {
    let story = anew().obtains(0, 3600, "t1", "");
    assert_eq!(story.step(0), wait(3540));
    assert_eq!(story.step(3539), wait(3540));
    assert_eq!(story.step(3540), ANEW);
}

#[test]
fn a_short_token_is_renewed_after_half_its_life() {
    let story = anew().obtains(0, 60, "t1", "");
    assert_eq!((story.step(29), story.step(30)), (wait(30), ANEW));
    // Of ten minutes with half an hour stated: five, not at once.
    let story = anew()
        .with(|lifetime| lifetime.refresh_before = Duration::from_secs(1800))
        .obtains(0, 600, "t1", "");
    assert_eq!(story.step(0), wait(300));
}

#[test]
fn however_short_its_life_a_token_is_not_renewed_for_a_second() {
    let story = anew().obtains(0, 1, "t1", "");
    assert_eq!((story.step(0), story.step(1)), (wait(1), ANEW));
    let story = anew().obtains(0, 4, "t1", "");
    assert_eq!((story.step(1), story.step(2)), (wait(2), ANEW));
}

/// Exact Online allows a refresh in the last thirty seconds of ten minutes.
#[test]
fn a_margin_can_be_as_short_as_a_provider_wants() {
    let story = rotating()
        .with(|lifetime| lifetime.refresh_before = Duration::from_secs(30))
        .obtains(0, 600, "t1", "r1");
    assert_eq!(story.step(0), wait(570));
}

#[test]
fn jitter_makes_a_refresh_earlier_by_a_tenth_of_the_margin_at_most() {
    let mut story = anew().obtains(0, 3600, "t1", "");
    for (earlier, expected) in [(0.0, 3540), (0.5, 3537), (1.0, 3534)] {
        story.jitter.earlier = earlier;
        assert_eq!(story.step(0), wait(expected), "{earlier}");
    }
}

#[test]
fn the_first_refresh_after_a_start_is_anywhere_in_the_remaining_life() {
    let mut story = anew().obtains(0, 3600, "t1", "");
    for (fraction, expected) in [(0.0, 1540), (0.25, 2540), (1.0, 3540)] {
        let from = at(1540);
        story.jitter.start = Some(Spread { from, fraction });
        assert_eq!(story.step(1500), wait(expected), "{fraction}");
    }
    // What is overdue has half of what is left.
    for (fraction, expected) in [(0.0, ANEW), (1.0, wait(3575))] {
        let from = at(3550);
        story.jitter.start = Some(Spread { from, fraction });
        assert_eq!(story.step(3550), expected, "{fraction}");
    }
}

// Missing, wrong and odd expiries.

#[test]
fn a_token_without_an_expiry_is_renewed_after_55_minutes_where_that_needs_nobody() {
    let story = anew().answered(0, 200, r#"{"access_token": "t1"}"#);
    assert_eq!(story.step(0), wait(3240));
    assert_eq!((story.token(3299), story.token(3300)), (Some("t1"), None));
}

#[test]
fn a_token_without_an_expiry_is_used_until_it_is_refused_where_it_needs_a_refresh_token() {
    let story = rotating().answered(0, 200, r#"{"access_token": "t1"}"#);
    assert_eq!(story.step(0), STOPPED);
    assert_eq!(story.token(1_000_000_000), Some("t1"));
    assert_eq!(story.refused(1).step(1_000_000_000), REFRESH);
}

#[test]
fn a_token_that_has_ended_on_arrival_is_a_failure_that_is_not_hammered() {
    let body = r#"{"access_token": "t1", "expires_in": 1767225599, "refresh_token": "r1"}"#;
    let story = rotating().answered(0, 200, body);
    assert_eq!(story.token(0), None);
    assert_eq!(story.reason(), Some(SetbackReason::InvalidAnswer));
    assert_eq!((story.step(0), story.step(30)), (wait(30), REFRESH));
    assert_eq!(story.refresh_token(), Some("r1"));
}

// Rule 9: an outage.

#[test]
fn an_outage_costs_nothing_until_the_token_ends_and_then_only_until_it_is_over() {
    let story = anew().obtains(0, 3600, "t1", "");
    let story = story.fails(3540, &down());
    assert_eq!(story.step(3540), wait(3570));
    let story = story.fails(3570, &down());
    assert_eq!(story.step(3570), wait(3630));
    assert_eq!((story.token(3599), story.token(3600)), (Some("t1"), None));
    assert_eq!(
        standing(&story.record, &story.terms, at(3600)),
        Standing::Unavailable {
            retry_at: Some(at(3630))
        }
    );
    let story = story.obtains(3630, 3600, "t2", "");
    assert_eq!(story.token(3630), Some("t2"));
    assert_eq!(story.record.setback, None);
}

#[test]
fn an_expired_token_is_never_usable() {
    let story = anew().obtains(0, 60, "t1", "");
    for (second, expected) in [
        (0, Some("t1")),
        (59, Some("t1")),
        (60, None),
        (10_000, None),
    ] {
        assert_eq!(story.token(second), expected, "{second}");
    }
}

/// envoy issue 42009.
#[test]
fn an_empty_200_passes_with_time() {
    let mut story = anew();
    for (second, next) in [
        (0, 30),
        (30, 90),
        (90, 210),
        (210, 450),
        (450, 750),
        (750, 1050),
    ] {
        story = story.answered(second, 200, "");
        assert_eq!(story.step(second), wait(next));
    }
    let story = story.obtains(1050, 3600, "t1", "");
    assert_eq!(story.token(1050), Some("t1"));
}

// Rule 8: cool-down and configuration.

#[test]
fn what_the_server_asks_for_is_waited_for() {
    let failure = Failure::Answer(AnswerError {
        problem: AnswerProblem::Status { status: 429 },
        retry_after: Some(Duration::from_secs(120)),
    });
    let story = anew().fails(0, &failure);
    assert_eq!((story.step(119), story.step(120)), (wait(120), ANEW));
}

#[test]
fn what_the_server_asks_for_outweighs_what_was_planned() {
    let mut story = rotating()
        .with(|lifetime| lifetime.refresh_before = Duration::from_secs(30))
        .obtains(0, 600, "t1", "r1");
    let (from, fraction) = (at(0), 0.0);
    story.jitter.start = Some(Spread { from, fraction });
    let failure = Failure::Answer(AnswerError {
        problem: AnswerProblem::Status { status: 429 },
        retry_after: Some(Duration::from_secs(590)),
    });
    let story = story.fails(0, &failure);
    assert_eq!((story.step(570), story.step(590)), (wait(590), REFRESH));
}

#[test]
fn an_error_of_configuration_waits_for_a_change() {
    for code in [
        ErrorCode::InvalidClient,
        ErrorCode::UnauthorizedClient,
        ErrorCode::InvalidScope,
    ] {
        for story in [anew(), rotating()] {
            let story = story.fails(0, &error(code));
            assert_eq!(story.step(1_000_000), STOPPED, "{code}");
            assert_eq!(
                story.record.setback_for(&story.terms).unwrap().code,
                Some(code)
            );
            assert!(
                matches!(story.ordered_anew().step(10), Step::Ask(_)),
                "{code}"
            );
        }
    }
}

#[test]
fn a_token_stays_in_use_while_configuration_is_wrong() {
    let story = anew().obtains(0, 3600, "t1", "");
    let story = story.fails(3540, &error(ErrorCode::InvalidClient));
    assert_eq!((story.token(3599), story.token(3600)), (Some("t1"), None));
}

/// A wrong password must not lock the account that it belongs to.
#[test]
fn a_refused_password_is_tried_once_an_hour() {
    let story = anew().fails(0, &error(ErrorCode::InvalidGrant));
    assert_eq!((story.step(3599), story.step(3600)), (wait(3600), ANEW));
    assert_eq!(story.reason(), Some(SetbackReason::GrantRefused));
    assert_eq!(story.ordered_anew().step(1), ANEW);
}

#[test]
fn an_early_attempt_that_fails_does_not_cost_the_one_that_was_planned() {
    let mut story = rotating()
        .with(|lifetime| lifetime.refresh_before = Duration::from_secs(30))
        .obtains(0, 600, "t1", "r1");
    let (from, fraction) = (at(0), 0.0);
    story.jitter.start = Some(Spread { from, fraction });
    for second in [0, 30, 90, 210, 450] {
        story = story.fails(second, &error(ErrorCode::Other));
    }
    // Five minutes would be after the end.
    assert_eq!(story.step(450), wait(570));
    assert_eq!(story.step(570), REFRESH);
}

// Rule 10: refresh tokens that die unused.

#[test]
fn keep_alive_refreshes_what_would_otherwise_rest() {
    let day = |lifetime: &mut Lifetime| lifetime.keep_alive = Some(Duration::from_secs(86_400));
    let story = rotating()
        .with(day)
        .answered(0, 200, r#"{"access_token": "t1"}"#);
    assert_eq!((story.step(0), story.step(86_400)), (wait(86_400), REFRESH));
    let long = rotating().with(day).obtains(0, 30 * 86_400, "t1", "r1");
    assert_eq!(long.step(0), wait(86_400));
    let short = rotating().with(day).obtains(0, 3600, "t1", "r1");
    assert_eq!(short.step(0), wait(3540));
}
