//! Which order and which grant a token belongs to.

use super::*;

/// Otherwise a token could be led to another host.
#[test]
fn a_token_of_another_order_is_never_used() {
    let story = anew().obtains(0, 3600, "t1", "").ordered_anew();
    assert_eq!(story.token(1), None);
    assert_eq!(story.step(1), ANEW);
}

#[test]
fn the_refresh_token_outlives_a_change_of_the_order_but_not_one_of_the_grant() {
    let story = rotating().obtains(0, 3600, "t1", "r1").ordered_anew();
    assert_eq!(
        (story.step(1), story.refresh_token()),
        (REFRESH, Some("r1"))
    );
    assert_eq!(story.seeded_anew().refresh_token(), Some("seed2"));
}

// Rule 5: rotation.

#[test]
fn a_refresh_token_is_replaced_by_the_answer_and_kept_where_there_is_none() {
    let story = rotating().obtains(0, 3600, "t1", "r1");
    assert_eq!(story.refresh_token(), Some("r1"));
    let story = story.answered(3540, 200, r#"{"access_token": "t2", "expires_in": 3600}"#);
    assert_eq!(story.refresh_token(), Some("r1"));
    let story = story.obtains(7080, 3600, "t3", "r3");
    assert_eq!(
        (story.refresh_token(), story.token(7080)),
        (Some("r3"), Some("t3"))
    );
    assert_eq!(story.record.generation, FIRST + 2);
}

#[test]
fn a_refresh_token_of_the_client_credentials_grant_is_not_used() {
    let story = anew().obtains(0, 3600, "t1", "r1");
    assert_eq!(story.refresh_token(), None);
    assert_eq!(story.step(3540), ANEW);
}

#[test]
fn a_refresh_token_is_preferred_to_sending_the_password_again_and_replaced_by_it() {
    let mut story = anew();
    story.terms.refreshes = true;
    let story = story.obtains(0, 3600, "t1", "r1");
    assert_eq!(story.step(3540), REFRESH);
    let refused = story.clone().fails(3540, &error(ErrorCode::InvalidGrant));
    assert_eq!(refused.step(3540), ANEW);
    assert_eq!(refused.record.setback, None);
    let lost = story.clone().fails(3540, &reset());
    assert_eq!(lost.step(3540), ANEW);
    let unreachable = story.fails(3540, &down());
    assert_eq!(unreachable.step(3570), REFRESH);
}

/// Who may write a collection, and not read its Secret, could otherwise name a
/// Secret of his own with the same user and a wrong password, and be given the
/// token of that user.
#[test]
fn a_refresh_token_does_not_stand_in_for_a_password_that_nobody_has_shown() {
    let mut story = anew();
    story.terms.refreshes = true;
    let story = story.obtains(0, 3600, "t1", "r1").ordered_anew();
    assert_eq!((story.step(1), story.token(1)), (ANEW, None));
    let story = story.fails(1, &error(ErrorCode::InvalidGrant));
    assert_eq!((story.step(3601), story.token(2)), (ANEW, None));
}

/// Otherwise a report about the token before could be taken for one about this.
#[test]
fn generations_go_on_growing_where_a_record_was_lost() {
    let story = anew().obtains(0, 60, "t1", "").obtains(30, 60, "t2", "");
    let before = story.record.generation;
    let mut lost = story;
    lost.record = Record::default();
    let again = lost.obtains(60, 60, "t3", "");
    assert!(again.record.generation > before);
}
