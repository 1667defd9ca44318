//! More than one process that believes the token to be its own.

use credence_broker::TokenStore as _;
use credence_core::token::SetbackReason;

use crate::fault::Fault;
use crate::rig::{Rig, generation, pass, rotating};

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_paused_process_brings_home_is_used() {
    let rig = Rig::new(rotating(), 3600);
    let mut old = rig.process("old");
    old.until_token("t1").await;
    // The provider acts, and the process is stopped before it reads on.
    rig.provider.exit.close();
    rig.provider.exit.reached().await;
    let mut new = rig.process("new");
    new.until_token("t1").await;
    pass(10).await;
    rig.provider.exit.open();
    old.until_token("t2").await;
    // By its watch on the store.
    new.keeper.reload();
    new.until_token("t2").await;
    pass(30).await;
    rig.assert_works(&new);
    assert_eq!((rig.provider.tokens(), rig.provider.reuses()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_another_has_replaced_is_not_sent() {
    let rig = Rig::new(rotating(), 3600);
    let (mut a, mut b) = (rig.process("a"), rig.process("b"));
    a.until_token("t1").await;
    b.until_token("t1").await;
    // Neither watches the store: only comparing and swapping keeps them apart.
    for _ in 0..12 * 60 {
        pass(60).await;
        rig.assert_works(&a);
        rig.assert_works(&b);
    }
    let requests = u64::try_from(rig.provider.requests().len()).unwrap();
    assert_eq!(
        (requests, rig.provider.reuses()),
        (rig.provider.tokens(), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_given_up_before_another_may_try_however_long_it_took_to_begin() {
    let rig = Rig::new(rotating(), 3600);
    rig.store.fault_at(1, Fault::Slow);
    rig.provider.exit.close();
    let process = rig.process("a");
    pass(32).await;
    assert_eq!(process.reason(), None);
    pass(2).await;
    assert_eq!(process.reason(), Some(SetbackReason::NoAnswer));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_another_makes_meanwhile_loses_no_answer() {
    let rig = Rig::new(rotating(), 3600);
    let mut process = rig.process("a");
    process.until_token("t1").await;
    rig.provider.exit.close();
    process.keeper.refuse(generation(1));
    rig.provider.exit.reached().await;
    let stored = rig.store.load(&rig.key()).await.unwrap().unwrap();
    let marked = stored.record.refusing(generation(1));
    rig.store
        .save(&rig.key(), &marked, Some(&stored.version))
        .await
        .unwrap();
    rig.provider.exit.open();
    process.until_token("t2").await;
    pass(7200).await;
    rig.assert_works(&process);
    assert_eq!(rig.provider.reuses(), 0);
}
