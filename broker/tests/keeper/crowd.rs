//! A thousand keepers of one process.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_broker::store::MemoryStore;
use credence_broker::{Clock, Keeper, State, TokenKey, Tools};
use credence_core::Environment;
use credence_core::token::Terms;
use jiff::Timestamp;

use crate::fault::FaultyStore;
use crate::provider::{Order, Provider};
use crate::rig::{anew, pass, paused_clock};

const KEEPERS: u64 = 1000;

struct Crowd {
    keepers: Vec<Keeper<Arc<Provider>>>,
}

impl Crowd {
    fn start(
        store: &Arc<MemoryStore>,
        provider: &Arc<Provider>,
        clock: &Clock,
        start: u64,
    ) -> Self {
        let tools = Arc::new(Tools::new(
            Arc::clone(store),
            Arc::clone(provider),
            clock.clone(),
            format!("process {start}"),
        ));
        let order: Arc<Order> = Arc::new(Order(Terms { ..anew() }));
        let keepers = (0..KEEPERS)
            .map(|number| {
                let key = TokenKey::new(&number.to_string(), Environment::Live);
                let seed = start * KEEPERS + number;
                Keeper::start(Arc::clone(&tools), key, Arc::clone(&order), seed)
            })
            .collect();
        Self { keepers }
    }

    fn without_a_token(&self) -> usize {
        let has = |keeper: &&Keeper<_>| !matches!(keeper.outcome().borrow().state, State::Token(_));
        self.keepers.iter().filter(has).count()
    }
}

/// The most requests of a second, and the mean, from a time on.
fn load(provider: &Provider, from: Timestamp, seconds: u32) -> (usize, f64) {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    let after = provider.requests().into_iter().filter(|at| *at >= from);
    let mut all = 0_u32;
    for at in after {
        *counts.entry(at.as_second()).or_default() += 1;
        all += 1;
    }
    let most = counts.values().copied().max().unwrap_or_default();
    (most, f64::from(all) / f64::from(seconds))
}

fn assert_spread(provider: &Provider, from: Timestamp, seconds: u32, what: &str) {
    let (most, mean) = load(provider, from, seconds);
    // A token of a minute is renewed every half minute.
    assert!((30.0..50.0).contains(&mean), "{what}: {mean} a second");
    let most = f64::from(u32::try_from(most).unwrap());
    assert!(
        most <= 5.0 * mean,
        "{what}: {most} in one second, {mean} in the mean"
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_that_cannot_be_stored_keep_no_other_waiting() {
    let clock = paused_clock();
    let store = Arc::new(FaultyStore::default());
    let tools = Arc::new(Tools::new(
        Arc::clone(&store),
        Arc::new(Provider::new(clock.clone(), 60)),
        clock,
        "process",
    ));
    let keep = |number: u64| {
        let key = TokenKey::new(&number.to_string(), Environment::Live);
        let order = Arc::new(Order(anew()));
        (
            key.clone(),
            Keeper::start(Arc::clone(&tools), key, order, number),
        )
    };
    let stuck: Vec<_> = (1..KEEPERS).map(keep).collect();
    stuck.iter().for_each(|(key, _)| store.refuse(key));
    pass(1).await;
    let (_, healthy) = keep(0);
    pass(1).await;
    let outcome = healthy.outcome().borrow().clone();
    assert!(matches!(outcome.state, State::Token(_)), "{outcome:?}");
}

/// Also after a restart, and after a pause in which everything has ended.
#[tokio::test(start_paused = true)]
async fn a_thousand_tokens_of_a_minute_stay_fresh_and_are_renewed_evenly() {
    let clock = paused_clock();
    let provider = Arc::new(Provider::new(clock.clone(), 60));
    let store = Arc::new(MemoryStore::default());

    let crowd = Crowd::start(&store, &provider, &clock, 0);
    pass(1).await;
    let from = clock.now();
    for _ in 0..200 {
        assert_eq!(crowd.without_a_token(), 0);
        pass(1).await;
    }
    assert_spread(&provider, from, 200, "from the first second");

    drop(crowd);
    pass(10).await;
    let from = clock.now();
    let crowd = Crowd::start(&store, &provider, &clock, 1);
    pass(1).await;
    for _ in 0..200 {
        assert_eq!(crowd.without_a_token(), 0);
        pass(1).await;
    }
    assert_spread(&provider, from, 201, "after a restart");

    drop(crowd);
    pass(3600).await;
    let crowd = Crowd::start(&store, &provider, &clock, 2);
    pass(1).await;
    let from = clock.now();
    for _ in 0..200 {
        assert_eq!(crowd.without_a_token(), 0);
        pass(1).await;
    }
    assert_spread(&provider, from, 200, "after an hour's pause");
}
