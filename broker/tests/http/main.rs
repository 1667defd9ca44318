//! Keepers against a token endpoint on a real socket, which behaves as badly as
//! it is told to. Time is moved by hand.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod endpoint;
mod rig;

use credence_broker::State;
use credence_core::token::{Next, Renewal, SetbackReason};

use endpoint::Act;
use rig::Rig;

#[tokio::test]
async fn a_token_is_obtained_refreshed_and_found_again_after_a_restart() {
    let rig = Rig::new(Renewal::ByRefreshToken).await;
    let mut keeper = rig.keeper();
    keeper.until_token("t1").await;
    rig.clock.set(3550);
    keeper.look();
    keeper.until_token("t2").await;
    keeper.stop().await;

    let mut keeper = rig.keeper();
    keeper.until_token("t2").await;
    rig.clock.set(3550 + 3550);
    keeper.look();
    keeper.until_token("t3").await;
    let sent =
        ["seed", "r1", "r2"].map(|token| format!("grant_type=refresh&refresh_token={token}"));
    assert_eq!(rig.endpoint.bodies(), sent);
    assert_eq!(rig.endpoint.reuses(), 0);
}

#[tokio::test]
async fn an_answer_cut_off_after_the_provider_has_acted_is_told_when_the_token_ends() {
    for act in [Act::ResetAfter, Act::EmptyAfter, Act::HalfAfter] {
        let rig = Rig::new(Renewal::ByRefreshToken).await;
        let mut keeper = rig.keeper();
        keeper.until_token("t1").await;
        rig.endpoint.next(act);
        rig.clock.set(3550);
        keeper.look();
        keeper.until_setback().await;
        assert_eq!(keeper.token().as_deref(), Some("t1"), "{act:?}");
        assert_eq!(keeper.next_attempt(), Some(3598), "{act:?}");

        rig.clock.set(3600);
        keeper.look();
        keeper
            .until(|outcome| outcome.state == State::ReauthorizationRequired)
            .await;
        assert_eq!(
            keeper.reason(),
            Some(SetbackReason::RefreshOutcomeUnknown),
            "{act:?}"
        );
        assert_eq!(rig.endpoint.reuses(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_connection_cut_off_before_the_provider_has_acted_costs_nothing() {
    for act in [Act::ResetBefore, Act::EmptyBefore, Act::Status(502)] {
        let rig = Rig::new(Renewal::ByRefreshToken).await;
        let mut keeper = rig.keeper();
        keeper.until_token("t1").await;
        rig.endpoint.next(act);
        rig.clock.set(3550);
        keeper.look();
        keeper.until_setback().await;
        rig.clock.set(3598);
        keeper.look();
        keeper.until_token("t2").await;
        assert_eq!(rig.endpoint.reuses(), 0, "{act:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_at_is_tried_again_without_a_doubt() {
    let rig = Rig::new(Renewal::ByRefreshToken).await;
    let mut keeper = rig.keeper();
    keeper.until_token("t1").await;
    let closed = rig.endpoint.close().await;
    rig.clock.set(3550);
    keeper.look();
    keeper.until_setback().await;
    assert_eq!(keeper.reason(), Some(SetbackReason::Unreachable));
    assert_eq!(keeper.next_attempt(), Some(3580));
    rig.endpoint.open(closed);
    rig.clock.set(3580);
    keeper.look();
    keeper.until_token("t2").await;
    assert_eq!(rig.endpoint.reuses(), 0);
}

#[tokio::test]
async fn what_is_no_token_is_waited_out_as_long_as_the_endpoint_says() {
    for (act, wait) in [
        (Act::TooMany(120), 120),
        (Act::TooMany(1), 30),
        (Act::EmptyBefore, 30),
        (Act::Page, 30),
        (Act::Status(503), 30),
        (Act::ResetBefore, 30),
    ] {
        let rig = Rig::new(Renewal::Anew).await;
        rig.endpoint.next(act);
        let mut keeper = rig.keeper();
        keeper.until_setback().await;
        assert_eq!(keeper.next_attempt(), Some(wait), "{act:?}");
        rig.clock.set(wait);
        keeper.look();
        keeper.until_token("t1").await;
        assert_eq!(rig.endpoint.bodies().len(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_what_to_write() {
    let rig = Rig::new(Renewal::Anew).await;
    rig.endpoint.next(Act::Redirect);
    let mut keeper = rig.keeper();
    keeper.until_setback().await;
    let setback = keeper.outcome().setback.clone().unwrap();
    assert!(setback.message.contains("token.url"), "{}", setback.message);
    assert!(matches!(setback.next, Next::At(_)));
    assert_eq!(rig.endpoint.bodies().len(), 1);
}
