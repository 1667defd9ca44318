//! Refresh tokens that were refused, and refreshes of unknown outcome.

use super::*;
use crate::token::refused::Forced;

// Rule 6: invalid_grant.

#[test]
fn a_refused_refresh_token_needs_a_person_and_is_not_sent_again() {
    let story = rotating().obtains(0, 3600, "t1", "r1");
    let story = story.fails(3540, &error(ErrorCode::InvalidGrant));
    assert_eq!(story.step(1_000_000), STOPPED);
    assert_eq!(story.reason(), Some(SetbackReason::GrantRefused));
    assert_eq!(story.token(3599), Some("t1"));
    assert_eq!(
        standing(&story.record, &story.terms, at(3600)),
        Standing::ReauthorizationRequired
    );
    let story = story.seeded_anew();
    assert_eq!(
        (story.step(4000), story.refresh_token()),
        (REFRESH, Some("seed2"))
    );
}

#[test]
fn a_method_that_waits_for_a_person_says_so() {
    let mut story = rotating();
    story.terms.seed = None;
    assert_eq!(story.step(0), STOPPED);
    assert_eq!(
        standing(&story.record, &story.terms, at(0)),
        Standing::ReauthorizationRequired
    );
}

// Rule 7 and intents: a refresh of unknown outcome.

#[test]
fn after_a_crash_the_old_refresh_token_is_tried_at_the_end_of_the_access_token() {
    let story = rotating().obtains(0, 3600, "t1", "r1").begins(3540);
    // Whoever comes: it is not asked before, and in time for the next call.
    assert_eq!(story.step_of("b", 3545), wait(3598));
    assert_eq!(story.step_of("a", 3545), wait(3598));
    assert_eq!(story.step_of("b", 3598), REFRESH);
    assert_eq!(story.token(3599), Some("t1"));
    let story = story.obtains(3598, 3600, "t2", "r2");
    assert_eq!(
        (story.token(3600), story.refresh_token()),
        (Some("t2"), Some("r2"))
    );
    assert_eq!(story.record.intent, None);
}

#[test]
fn if_the_provider_had_replaced_the_refresh_token_the_truth_is_told() {
    let story = rotating().obtains(0, 3600, "t1", "r1").begins(3540);
    let story = story.fails(3600, &error(ErrorCode::InvalidGrant));
    assert_eq!(story.reason(), Some(SetbackReason::RefreshOutcomeUnknown));
    assert_eq!(story.step(1_000_000), STOPPED);
    assert_eq!(
        standing(&story.record, &story.terms, at(3600)),
        Standing::ReauthorizationRequired
    );
}

/// The holder of the intent may only be paused.
#[test]
fn a_refresh_that_another_may_still_be_making_is_waited_for() {
    let story = rotating().obtains(0, 60, "t1", "r1").begins(30);
    assert_eq!(
        (story.step_of("b", 60), story.step_of("b", 65)),
        (wait(65), REFRESH)
    );
    assert_eq!(story.step_of("a", 60), REFRESH);
}

#[test]
fn an_ambiguous_failure_is_an_intent_without_an_end() {
    let server_error = Failure::Answer(AnswerError {
        problem: AnswerProblem::Status { status: 502 },
        retry_after: None,
    });
    for failure in [reset(), server_error] {
        let story = rotating()
            .obtains(0, 3600, "t1", "r1")
            .fails(3000 + 540, &failure);
        assert_eq!(story.step(3545), wait(3598));
        let story = story.fails(3600, &error(ErrorCode::InvalidGrant));
        assert_eq!(story.reason(), Some(SetbackReason::RefreshOutcomeUnknown));
    }
    for body in ["", "<html>", "{"] {
        let story = rotating()
            .obtains(0, 3600, "t1", "r1")
            .answered(3540, 200, body);
        assert_eq!(story.step(3545), wait(3598), "{body}");
    }
}

/// One definite answer ends the doubt; an outage is none.
#[test]
fn a_doubt_outlives_an_outage_and_nobody_is_locked_out_by_it() {
    let story = rotating()
        .obtains(0, 3600, "t1", "r1")
        .fails(3540, &reset());
    let story = story.fails(3600, &down()).fails(3660, &reset());
    assert_eq!(story.step(3660), wait(3780));
    let told = story.clone().fails(3780, &error(ErrorCode::InvalidGrant));
    assert_eq!(told.reason(), Some(SetbackReason::RefreshOutcomeUnknown));
    let story = story.obtains(3780, 3600, "t2", "r2");
    assert_eq!(story.token(3780), Some("t2"));
}

#[test]
fn a_failure_before_anything_was_sent_leaves_no_doubt() {
    let story = rotating().obtains(0, 3600, "t1", "r1").fails(3540, &down());
    assert_eq!(story.record.intent, None);
    assert_eq!(story.step(3540), wait(3570));
    let story = story.fails(3570, &error(ErrorCode::InvalidGrant));
    assert_eq!(story.reason(), Some(SetbackReason::GrantRefused));
}

/// Xero takes the old refresh token for half an hour after its use.
#[test]
fn with_grace_a_lost_answer_is_asked_for_once_more_at_once() {
    let story = rotating().with(|lifetime| lifetime.grace = Duration::from_secs(1800));
    let story = story.obtains(0, 3600, "t1", "r1").begins(3540);
    assert_eq!(story.step_of("a", 3541), REFRESH);
    let again = story.clone().obtains(3541, 3600, "t2", "r2");
    assert_eq!(again.token(3541), Some("t2"));
    // Once at once: after that at the usual pace.
    let lost = story.clone().fails(3541, &reset());
    assert_eq!(lost.step(3542), wait(3571));
    // Within the grace only.
    assert_eq!(story.step_of("b", 3540 + 1800), REFRESH);
    let late = story.with(|lifetime| lifetime.grace = Duration::from_secs(10));
    assert_eq!((late.step(3549), late.step(3550)), (REFRESH, wait(3598)));
}

/// Two that hold one token must not send it at the same time; but no call is
/// to fail for that.
#[test]
fn with_grace_another_is_waited_for_as_long_as_the_token_is_good() {
    let story = rotating().with(|lifetime| lifetime.grace = Duration::from_secs(1800));
    let story = story.obtains(0, 3600, "t1", "r1").begins(3540);
    assert_eq!(story.step_of("b", 3541), wait(3575));
    assert_eq!(story.step_of("b", 3575), REFRESH);
    let late = rotating().with(|lifetime| lifetime.grace = Duration::from_secs(1800));
    let late = late.obtains(0, 60, "t1", "r1").begins(30);
    assert_eq!(late.step_of("b", 31), wait(58));
    assert_eq!(late.step_of("b", 58), REFRESH);
}

/// A report of one pod is no reason to hurry more than for any other token.
#[test]
fn a_doubtful_refresh_is_forced_no_more_often_than_a_certain_one() {
    let story = rotating().obtains(0, 3600, "t1", "r1").begins(3540);
    let mut story = story.refused(1);
    for (times, next) in [(1, 3530 + 30), (5, 3598)] {
        let at = at(3530);
        story.record.forced = Some(Forced { at, times });
        assert_eq!(story.step(3541), wait(next), "{times}");
    }
}

#[test]
fn a_doubt_about_a_token_without_an_expiry_waits_until_it_is_refused() {
    let body = r#"{"access_token": "t1", "refresh_token": "r1"}"#;
    let story = rotating().answered(0, 200, body).refused(1);
    let story = story.begins(100);
    assert_eq!(story.step(101), REFRESH);
    let mut unrefused = story;
    unrefused.record.refused = None;
    assert_eq!(unrefused.step(101), STOPPED);
    assert_eq!(unrefused.token(1_000_000), Some("t1"));
}

#[test]
fn a_new_refresh_token_in_the_manifest_ends_every_doubt() {
    let story = rotating().obtains(0, 3600, "t1", "r1").begins(3540);
    let story = story.seeded_anew();
    assert_eq!(story.step(3541), REFRESH);
    let story = story.fails(3541, &error(ErrorCode::InvalidGrant));
    assert_eq!(story.reason(), Some(SetbackReason::GrantRefused));
}
