//! The process ends between any two things that it does.

use std::time::Duration;

use credence_broker::{State, TokenStore as _};
use credence_core::token::SetbackReason;
use credence_core::token::decide::LAST_MOMENT;
use tokio::time::timeout;

use crate::fault::Fault;
use crate::provider::Mood;
use crate::rig::{Process, Rig, pass, rotating};

/// Two rotations, of three writes each: intent, raw answer, record.
const WRITES: usize = 6;

/// Where the provider has acted and nothing is written of it: the only moment
/// in which a crash can cost anything.
const LOST: [(usize, Fault); 2] = [(2, Fault::CrashBefore), (5, Fault::CrashBefore)];

fn moments() -> impl Iterator<Item = (usize, Fault)> {
    (1..=WRITES).flat_map(|number| {
        [Fault::CrashBefore, Fault::CrashAfter].map(move |fault| (number, fault))
    })
}

/// The successor comes five seconds after the crash, and its token is looked at
/// every second for two hours.
async fn seconds_without_a_token(rig: &Rig, number: usize, fault: Fault) -> usize {
    rig.store.fault_at(number, fault);
    let process = rig.process("a");
    rig.store.crashed().await;
    drop(process);
    pass(5).await;
    let successor = rig.process("b");
    let mut without = 0;
    for _ in 0..7200 {
        pass(1).await;
        match successor.token() {
            Some(token) if rig.provider.accepts(&token) => {}
            _ => without += 1,
        }
    }
    without
}

#[tokio::test(start_paused = true)]
async fn a_crash_outside_the_one_moment_costs_nothing() {
    for (number, fault) in moments().filter(|moment| !LOST.contains(moment)) {
        let rig = Rig::new(rotating(), 3600);
        let without = seconds_without_a_token(&rig, number, fault).await;
        // Where there is no token yet a refresh that another may still be
        // making is waited for; at the end of a token a second passes until
        // the next look.
        let allowed = if (number, fault) == (1, Fault::CrashAfter) {
            35
        } else {
            1
        };
        assert!(without <= allowed, "{number} {fault:?}: {without} seconds");
        assert_eq!(rig.provider.reuses(), 0, "{number} {fault:?}");
        let requests = u64::try_from(rig.provider.requests().len()).unwrap();
        assert_eq!(requests, rig.provider.tokens(), "{number} {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_inside_it_is_reported_truthfully_once_the_token_has_ended() {
    for (number, fault) in LOST {
        let rig = Rig::new(rotating(), 3600);
        rig.store.fault_at(number, fault);
        let process = rig.process("a");
        rig.store.crashed().await;
        drop(process);
        let mut successor = rig.process("b");
        if number > 3 {
            // The token before is used until its last moment, untouched.
            successor.until_token("t1").await;
            let end = successor.outcome().expires_at.unwrap() - LAST_MOMENT;
            while rig.clock.now() < end {
                rig.assert_works(&successor);
                pass(1).await;
            }
        }
        successor
            .until(|outcome| outcome.state == State::ReauthorizationRequired)
            .await;
        assert_eq!(
            successor.reason(),
            Some(SetbackReason::RefreshOutcomeUnknown)
        );
        let requests = rig.provider.requests().len();
        pass(86_400).await;
        assert_eq!(rig.provider.requests().len(), requests);
        assert_eq!(rig.provider.reuses(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_grace_period_no_crash_costs_anything() {
    for (number, fault) in moments() {
        let rig = Rig::new(rotating(), 3600).with_grace(Duration::from_secs(1800));
        let without = seconds_without_a_token(&rig, number, fault).await;
        assert!(without <= 1, "{number} {fault:?}: {without} seconds");
        assert_eq!(rig.provider.reuses(), 0, "{number} {fault:?}");
    }
}

/// The successor ends, too, at each write of its first rotation.
async fn after_two_crashes(rig: &Rig, first: (usize, Fault), second: (usize, Fault)) -> Process {
    for ((number, fault), holder) in [(first, "a"), (second, "b")] {
        rig.store.fault_at(number, fault);
        let process = rig.process(holder);
        // Where a person must help, nothing is written any more.
        let _ = timeout(Duration::from_secs(7200), rig.store.crashed()).await;
        drop(process);
        rig.store.be_sound();
        pass(5).await;
    }
    rig.process("c")
}

fn pairs() -> impl Iterator<Item = ((usize, Fault), (usize, Fault))> {
    moments().flat_map(|first| {
        let seconds = moments().filter(|(number, _)| *number <= WRITES / 2);
        seconds.map(move |second| (first, second))
    })
}

#[tokio::test(start_paused = true)]
async fn after_two_crashes_the_truth_is_told_and_only_a_lost_answer_costs_anything() {
    for (first, second) in pairs() {
        let rig = Rig::new(rotating(), 3600);
        let mut last = after_two_crashes(&rig, first, second).await;
        let lost = rig.store.has_lost_an_answer();
        if lost {
            last.until(|outcome| outcome.state == State::ReauthorizationRequired)
                .await;
            let reason = Some(SetbackReason::RefreshOutcomeUnknown);
            assert_eq!(last.reason(), reason, "{first:?} {second:?}");
        } else {
            last.until(|outcome| matches!(outcome.state, State::Token(_)))
                .await;
            for _ in 0..72 {
                pass(100).await;
                rig.assert_works(&last);
            }
        }
        let reuses = u64::from(lost);
        assert_eq!(rig.provider.reuses(), reuses, "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_grace_period_two_crashes_cost_nothing_either() {
    for (first, second) in pairs() {
        let rig = Rig::new(rotating(), 3600).with_grace(Duration::from_secs(1800));
        let last = after_two_crashes(&rig, first, second).await;
        for _ in 0..72 {
            pass(100).await;
            rig.assert_works(&last);
        }
        assert_eq!(rig.provider.reuses(), 0, "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_on_its_way_is_like_a_crash() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.provider.be(Mood::Lost);
    process.until_setback().await;
    rig.provider.be(Mood::Healthy);
    rig.assert_works(&process);
    process
        .until(|outcome| outcome.state == State::ReauthorizationRequired)
        .await;
    assert_eq!(process.reason(), Some(SetbackReason::RefreshOutcomeUnknown));

    let rig = Rig::new(rotating(), 3600).with_grace(Duration::from_secs(1800));
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.provider.be(Mood::Lost);
    process.until_setback().await;
    rig.provider.be(Mood::Healthy);
    pass(7200).await;
    rig.assert_works(&process);
    assert_eq!(rig.provider.reuses(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up_before_others_take_it_for_lost() {
    let rig = Rig::new(rotating(), 3600);
    rig.provider.exit.close();
    let mut process = rig.process("a");
    let begun = rig.clock.now();
    process.until_setback().await;
    assert_eq!(rig.clock.now().duration_since(begun).as_secs(), 33);
    assert_eq!(process.reason(), Some(SetbackReason::NoAnswer));
    let stored = rig.store.load(&rig.key()).await.unwrap().unwrap();
    assert!(stored.record.intent.is_some());
}
