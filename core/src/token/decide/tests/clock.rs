//! A leader whose clock was a day ahead, and was put right.

use super::*;
use crate::token::refused::Forced;

const DAY: i64 = 86_400;

#[test]
fn a_wait_that_a_wrong_clock_began_is_over_with_it() {
    let story = anew().fails(DAY, &down());
    assert_eq!(story.step(DAY), wait(DAY + 30));
    assert_eq!(story.step(60), ANEW);
}

#[test]
fn a_token_that_a_wrong_clock_dated_is_renewed_by_the_right_one() {
    let story = anew().obtains(DAY, 3600, "t1", "");
    assert_eq!(story.step(DAY), wait(DAY + 3540));
    assert_eq!((story.step(60), story.token(60)), (ANEW, Some("t1")));
    let story = story.obtains(60, 3600, "t2", "");
    assert_eq!(story.step(61), wait(3600));
}

#[test]
fn a_refresh_that_a_wrong_clock_dated_is_not_waited_for() {
    let story = rotating().begins(DAY);
    assert_eq!(story.step_of("b", DAY), wait(DAY + 35));
    assert_eq!(story.step_of("b", 60), REFRESH);
}

#[test]
fn a_refresh_of_a_leader_whose_clock_is_ahead_is_left_as_much_time_as_there_is() {
    for grace in [0, 60] {
        let story = rotating().with(|lifetime| lifetime.grace = Duration::from_secs(grace));
        let mut story = story.obtains(0, 3600, "t1", "r1");
        story.record = story.record.intending("a", &story.terms, at(200));
        assert_eq!(story.step_of("b", 110), wait(3598));
        assert_eq!(story.step_of("b", 3598), REFRESH);
    }
}

#[test]
fn renewals_that_a_wrong_clock_forced_hold_back_no_other() {
    let mut story = anew().obtains(0, 3600, "t1", "").refused(1);
    story.record.forced = Some(Forced {
        at: at(DAY),
        times: 5,
    });
    assert_eq!(story.step(60), ANEW);
}

#[test]
fn a_clock_may_be_a_minute_ahead() {
    let story = anew().fails(60, &down());
    assert_eq!(story.step(0), wait(90));
}
