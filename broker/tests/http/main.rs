//! Keepers against a token endpoint on a real socket, which behaves as badly as
//! it is told to. Time is moved by hand.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod endpoint;
mod rig;

use credence_broker::State;
use credence_core::token::{ErrorCode, Next, Renewal, SetbackReason};

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
async fn a_token_is_used_to_its_end_however_that_is_written() {
    for (answer, end) in [
        (r#"{"access_token": "t0", "expires_in": 3600}"#, 3600),
        (r#"{"access_token": "t0", "expires_in": "3600"}"#, 3600),
        (r#"{"access_token": "t0", "expires_in": 3599.5}"#, 3599),
        (r#"{"access_token": "t0", "expires_in": 1767229200}"#, 3600),
        (
            r#"{"access_token": "t0", "expires_in": 1767229200000}"#,
            3600,
        ),
        (
            r#"{"access_token": "t0", "expires_in": "2026-01-01T02:00:00+01:00"}"#,
            3600,
        ),
        ("access_token=t0&expires_in=3600", 3600),
        // What says nothing is an hour that is not quite over.
        (r#"{"access_token": "t0"}"#, 3300),
        (r#"{"access_token": "t0", "expires_in": null}"#, 3300),
        (r#"{"access_token": "t0", "expires_in": -1}"#, 3300),
        (r#"{"access_token": "t0", "expires_in": "never"}"#, 3300),
    ] {
        let rig = Rig::new(Renewal::Anew).await;
        rig.endpoint.next(Act::Says(200, answer));
        let mut keeper = rig.keeper();
        keeper.until_token("t0").await;
        assert_eq!(keeper.end(), Some(end), "{answer}");
        rig.clock.set(end);
        keeper.look();
        keeper.until_token("t1").await;
        assert_eq!(rig.endpoint.bodies().len(), 2, "{answer}");
    }
}

/// Nor is the client introduced in another way, in the hope that it is known
/// by that: it costs a refresh token that may be sent once.
#[tokio::test]
async fn an_error_is_believed_with_any_status_and_the_same_is_not_asked_again() {
    for status in [200, 400, 401, 403] {
        for renewal in [Renewal::Anew, Renewal::ByRefreshToken] {
            let rig = Rig::new(renewal).await;
            let error = r#"{"error": "invalid_client", "access_token": "t0"}"#;
            rig.endpoint.next(Act::Says(status, error));
            let mut keeper = rig.keeper();
            keeper.until_setback().await;
            let setback = keeper.outcome().setback.clone().unwrap();
            assert_eq!(setback.next, Next::Change, "{status}");
            assert_eq!(setback.code, Some(ErrorCode::InvalidClient));
            assert_eq!((keeper.token(), keeper.next_attempt()), (None, None));
            keeper.stop().await;
            assert_eq!(rig.endpoint.bodies().len(), 1, "{status}");
        }
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
