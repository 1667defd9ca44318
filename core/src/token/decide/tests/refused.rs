//! Tokens that were refused.

use super::*;

// Rule 11.

#[test]
fn a_refused_token_is_renewed_once_and_stays_in_use_until_then() {
    let story = anew().obtains(0, 3600, "t1", "").refused(1);
    assert_eq!((story.step(10), story.token(10)), (ANEW, Some("t1")));
    let story = story.obtains(10, 3600, "t2", "");
    assert_eq!(story.step(11), wait(3550));
}

#[test]
fn only_the_token_that_is_in_use_can_be_refused() {
    let story = anew().obtains(0, 60, "t1", "").obtains(30, 3600, "t2", "");
    assert_eq!(story.clone().refused(1).step(31), wait(3570));
    assert_eq!(story.clone().refused(3).step(31), wait(3570));
    assert_eq!(story.refused(2).step(31), ANEW);
}

#[test]
fn a_renewal_is_forced_at_most_once_in_thirty_seconds_and_ever_more_rarely() {
    let story = anew().obtains(0, 3600, "t1", "").refused(1);
    let story = story.obtains(10, 3600, "t2", "").refused(2);
    assert_eq!(story.step(11), wait(40));
    assert_eq!(story.step(40), ANEW);
    let story = story.obtains(40, 3600, "t3", "").refused(3);
    assert_eq!((story.step(41), story.step(100)), (wait(100), ANEW));
    let story = story.obtains(100, 3600, "t4", "").refused(4);
    assert_eq!(story.step(101), wait(220));
    // What comes long after is another matter.
    assert_eq!(
        story.obtains(700, 3600, "t5", "").refused(5).step(701),
        wait(730)
    );
}

#[test]
fn a_refusal_is_the_credentials_once_a_fresh_token_is_refused_too() {
    let rejected = |story: &Story, second| {
        let until = story.record.rejected_until(&story.terms, at(second));
        until.map(|until| until.duration_since(at(0)).as_secs())
    };
    let story = anew().obtains(0, 3600, "t1", "").refused(1);
    assert_eq!(rejected(&story, 9), None, "it may only have been revoked");
    let story = story.obtains(10, 3600, "t2", "");
    assert_eq!(rejected(&story, 11), None);
    let story = story.refused(2);
    assert_eq!(rejected(&story, 12), Some(610));
    assert_eq!(rejected(&story.clone().ordered_anew(), 12), None);
    // It does not come and go with each renewal.
    let story = story.obtains(40, 3600, "t3", "");
    assert_eq!(
        (rejected(&story, 41), rejected(&story, 639)),
        (Some(640), Some(640))
    );
    assert_eq!(rejected(&story, 640), None);
}

#[test]
fn a_forced_renewal_keeps_the_cool_down() {
    let story = anew()
        .obtains(0, 3600, "t1", "")
        .refused(1)
        .fails(10, &down());
    assert_eq!((story.step(11), story.step(40)), (wait(40), ANEW));
    let stopped = anew().obtains(0, 3600, "t1", "").refused(1);
    let stopped = stopped
        .fails(10, &error(ErrorCode::InvalidClient))
        .refused(1);
    assert_eq!(stopped.step(1_000), STOPPED);
}
