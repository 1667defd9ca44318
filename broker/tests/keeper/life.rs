//! One keeper, and what it is told and meets with.

use std::sync::Arc;
use std::time::Duration;

use credence_broker::store::note_refusal;
use credence_broker::{State, TokenStore as _};
use credence_core::token::decide::LAST_MOMENT;
use credence_core::token::{ErrorCode, RefreshResult, SetbackReason};

use crate::fault::Fault;
use crate::provider::Mood;
use crate::rig::{OTHER_ORDER, Rig, anew, generation, pass, rotating};

#[tokio::test(start_paused = true)]
async fn a_rotating_token_works_at_every_moment_of_a_day_with_one_request_each() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    for _ in 0..24 * 60 {
        pass(60).await;
        rig.assert_works(&process);
    }
    let requests = rig.provider.requests().len();
    assert_eq!(rig.provider.tokens(), u64::try_from(requests).unwrap());
    assert_eq!(rig.provider.reuses(), 0);
    assert!((24..=26).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_handed_out_before_it_was_stored() {
    let rig = Rig::new(rotating(), 3600);
    // Intent, raw answer, record: the last one never comes.
    rig.store.fault_at(3, Fault::CrashBefore);
    let process = rig.process("a");
    rig.store.crashed().await;
    assert_eq!(process.token(), None);
    let stored = rig.store.inner.load(&rig.key()).await.unwrap().unwrap();
    assert!(stored.record.unread.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_noticed_only_when_the_token_ends_and_is_over_within_a_cool_down() {
    let rig = Rig::new(anew(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.provider.be(Mood::Down);
    pass(3599).await;
    rig.assert_works(&process);
    process
        .until(|outcome| !matches!(outcome.state, State::Token(_)))
        .await;
    assert_eq!(Some(rig.clock.now()), process.outcome().expires_at);
    assert_eq!(process.reason(), Some(SetbackReason::Unreachable));
    let State::Unavailable {
        retry_at: Some(retry_at),
    } = process.outcome().state
    else {
        panic!("{:?}", process.outcome());
    };
    rig.provider.be(Mood::Healthy);
    let wait = Duration::try_from(retry_at.duration_since(rig.clock.now())).unwrap();
    assert!(wait <= Duration::from_secs(300), "{wait:?}");
    tokio::time::sleep(wait + Duration::from_millis(1)).await;
    rig.assert_works(&process);
    assert_eq!(process.outcome().setback, None);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_for_a_day_is_asked_every_five_minutes_and_not_more() {
    let rig = Rig::new(anew(), 3600);
    rig.provider.be(Mood::Status(503));
    let mut process = rig.process("a");
    pass(86_400).await;
    let requests = rig.provider.requests().len();
    assert!((288..=292).contains(&requests), "{requests}");
    rig.provider.be(Mood::Healthy);
    process.until_token("t1").await;
}

#[tokio::test(start_paused = true)]
async fn wrong_configuration_is_tried_once_and_again_when_it_changes() {
    let rig = Rig::new(anew(), 3600);
    rig.provider.be(Mood::InvalidClient);
    let mut process = rig.process("a");
    process.until_setback().await;
    pass(86_400).await;
    assert_eq!(rig.provider.requests().len(), 1);
    let setback = process.outcome().setback.clone().unwrap();
    assert_eq!(setback.code, Some(ErrorCode::InvalidClient));

    // Nor does a restart make it better.
    drop(process);
    let mut process = rig.process("b");
    process.until_setback().await;
    pass(86_400).await;
    assert_eq!(rig.provider.requests().len(), 1);

    rig.provider.be(Mood::Healthy);
    let mut mended = rig.terms.clone();
    mended.order = OTHER_ORDER;
    process.assign(mended);
    process.until_token("t1").await;
}

#[tokio::test(start_paused = true)]
async fn the_issuer_is_told_what_came_of_its_answers() {
    let mut terms = anew();
    terms.refreshes = true;
    let rig = Rig::new(terms, 3600);
    rig.provider.be(Mood::Down);
    let mut process = rig.process("a");
    process.until_setback().await;
    rig.provider.be(Mood::Healthy);
    process.until_token("t1").await;
    rig.provider.be(Mood::InvalidClient);
    process.until_setback().await;
    // The last time with the refresh token first, and then without.
    assert_eq!(rig.provider.requests().len(), 4);
    let told = [
        RefreshResult::Failed(SetbackReason::Unreachable),
        RefreshResult::Obtained,
        RefreshResult::Failed(SetbackReason::Refused),
    ];
    assert_eq!(rig.provider.results(), told);
}

#[tokio::test(start_paused = true)]
async fn a_new_order_takes_over_without_a_gap_and_never_with_the_old_token() {
    let rig = Rig::new(anew(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    let mut other = rig.terms.clone();
    other.order = OTHER_ORDER;
    rig.provider.exit.close();
    process.assign(other.clone());
    pass(10).await;
    let outcome = process.outcome();
    assert_eq!(
        (outcome.order, process.token()),
        (rig.terms.order, Some("t1".to_owned()))
    );
    rig.provider.exit.open();
    process.until_token("t2").await;
    assert_eq!(process.outcome().order, OTHER_ORDER);

    // One that cannot be filled takes over too: with nothing.
    rig.provider.be(Mood::InvalidClient);
    other.order = [7; 32];
    process.assign(other);
    process.until_setback().await;
    assert_eq!((process.outcome().order, process.token()), ([7; 32], None));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_however_many_complain() {
    let rig = Rig::new(anew(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    for _ in 0..100 {
        process.keeper.refuse(generation(1));
    }
    process.until_token("t2").await;
    for _ in 0..100 {
        process.keeper.refuse(generation(1));
    }
    pass(60).await;
    assert_eq!(rig.provider.tokens(), 2);

    // Through another replica, which marks what is stored.
    note_refusal(&rig.store, &rig.key(), generation(2))
        .await
        .unwrap();
    process.keeper.reload();
    process.until_token("t3").await;
    assert_eq!(rig.provider.tokens(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_every_token_makes_no_storm() {
    let rig = Rig::new(anew(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    // Everything is refused, as by an API that means something else with it.
    for _ in 0..300 {
        process.keeper.refuse(generation(rig.provider.tokens()));
        pass(1).await;
    }
    let tokens = rig.provider.tokens();
    // Obtained at 0, renewed at 0, 30, 90 and 210 s.
    assert!((4..=6).contains(&tokens), "{tokens}");
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_an_answer_that_is_under_way() {
    let rig = Rig::new(rotating(), 3600);
    rig.provider.exit.close();
    let process = rig.process("a");
    rig.provider.exit.reached().await;
    let stopping = tokio::spawn(process.keeper.stop());
    pass(5).await;
    assert!(!stopping.is_finished());
    rig.provider.exit.open();
    stopping.await.unwrap();

    let mut next = rig.process("b");
    next.until_token("t1").await;
    assert_eq!((rig.provider.tokens(), rig.provider.reuses()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn without_its_store_a_token_stays_in_use_and_no_refresh_token_is_sent() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.store.be_down(true);
    pass(3590).await;
    rig.assert_works(&process);
    assert!(process.outcome().store.is_some());
    assert_eq!(rig.provider.requests().len(), 1);
    rig.store.be_down(false);
    process.until_token("t2").await;
    assert_eq!(
        (process.outcome().store.as_ref(), rig.provider.reuses()),
        (None, 0)
    );
    pass(60).await;
    rig.assert_works(&process);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_can_be_read_and_not_written_is_tried_with_patience() {
    for terms in [rotating(), anew()] {
        let rig = Rig::new(terms, 3600);
        let mut process = rig.process("a");
        process.until_token("t1").await;
        rig.store.be_read_only(true);
        pass(7200).await;
        let (tries, requests) = (rig.store.refused(), rig.provider.requests().len());
        assert!((50..300).contains(&tries), "{tries}");
        assert!(requests <= 2, "{requests}");
        assert!(process.outcome().store.is_some());
        rig.store.be_read_only(false);
        process
            .until(|outcome| matches!(outcome.state, State::Token(_)))
            .await;
        rig.assert_works(&process);
        assert_eq!(rig.provider.reuses(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_stored_as_soon_as_the_store_is_back() {
    let rig = Rig::new(rotating(), 3600);
    rig.provider.exit.close();
    let mut process = rig.process("a");
    rig.provider.exit.reached().await;
    rig.store.be_down(true);
    rig.provider.exit.open();
    pass(600).await;
    assert_eq!(process.token(), None);
    rig.store.be_down(false);
    process.until_token("t1").await;
    assert_eq!((rig.provider.tokens(), rig.provider.reuses()), (1, 0));
}

/// The write was done and its answer lost, at each write of a rotation.
#[tokio::test(start_paused = true)]
async fn a_write_of_unknown_outcome_is_looked_up_and_nothing_is_asked_twice() {
    for number in 1..=6 {
        let rig = Rig::new(rotating(), 3600);
        rig.store.fault_at(number, Fault::FailAfter);
        let mut process = rig.process("a");
        process.until_token("t2").await;
        pass(3700).await;
        rig.assert_works(&process);
        let requests = u64::try_from(rig.provider.requests().len()).unwrap();
        assert_eq!(
            (requests, rig.provider.reuses()),
            (rig.provider.tokens(), 0),
            "{number}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_store_would_hold_does_not_hold_up_the_next_one() {
    let rig = Rig::new(rotating(), 3600);
    rig.provider.be(Mood::Lengthy);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.provider.be(Mood::LengthyPage);
    process.until_setback().await;
    assert_eq!(process.reason(), Some(SetbackReason::InvalidAnswer));
    assert_eq!(process.outcome().store, None);
    rig.assert_works(&process);
    rig.provider.be(Mood::Healthy);
    process.until_token("t2").await;
    assert_eq!(rig.provider.reuses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_holds_up_nobody_who_has_a_token() {
    for terms in [rotating(), anew()] {
        let rig = Rig::new(terms, 3600);
        let mut process = rig.process("a");
        process.until_token("t1").await;
        rig.provider.entrance.close();
        rig.provider.entrance.reached().await;
        let end = process.outcome().expires_at.unwrap();
        while rig.clock.now() < end - LAST_MOMENT {
            rig.assert_works(&process);
            pass(1).await;
        }
        assert_eq!(process.reason(), Some(SetbackReason::NoAnswer));
        rig.provider.entrance.open();
        process.until_token("t2").await;
        assert_eq!((rig.provider.tokens(), rig.provider.reuses()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn no_outcome_shows_its_token() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    let shown = format!("{:?} {:?}", process.outcome(), process.keeper);
    assert!(
        !shown.contains("\"t1\"") && !shown.contains("\"r1\""),
        "{shown}"
    );
    assert_eq!(Arc::strong_count(&rig.store), 2);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deletes_from_the_store_is_put_back() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    let kept = rig.store.load(&rig.key()).await.unwrap().unwrap().record;
    rig.store.remove(&rig.key()).await.unwrap();
    process.keeper.reload();
    pass(1).await;
    let back = rig.store.load(&rig.key()).await.unwrap().unwrap().record;
    assert_eq!((back, rig.provider.requests().len()), (kept, 1));

    // While an answer is under way, and nobody says anything of it.
    rig.provider.exit.close();
    rig.provider.exit.reached().await;
    rig.store.remove(&rig.key()).await.unwrap();
    rig.provider.exit.open();
    process.until_token("t2").await;
    pass(7200).await;
    rig.assert_works(&process);
    assert_eq!(rig.provider.reuses(), 0);
}
