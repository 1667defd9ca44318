//! Tokens of an order that was replaced.

use credence_core::Environment;

use super::{Orders, Planned, Slot};
use crate::resolution::Resolution;

impl Slot {
    /// How what is kept was obtained, where calls may go on with it under a new
    /// plan: whoever gives a client another secret must not cut off the calls
    /// until the provider has answered. It is so only where nothing else is
    /// different that decides which token is meant, or where it goes.
    pub(super) fn earlier_than(&self, planned: &Planned) -> Orders {
        let replaced = |environment: &Environment, resolution: &Resolution| {
            let order = resolution.order.as_ref()?;
            let before = self.planned.as_ref();
            let before = before.and_then(|planned| planned.resolutions.get(environment));
            let before = before.and_then(|resolution| resolution.order.as_ref());
            let record = self.records.get(&resolution.token_environment())?;
            before
                .into_iter()
                .chain(self.earlier.get(environment))
                .find(|before| {
                    record.held_for(&before.terms).is_some()
                        && before.terms.order != order.terms.order
                        && before.terms.identity == order.terms.identity
                })
                .cloned()
        };
        let orders = planned.resolutions.iter();
        orders
            .filter_map(|(environment, resolution)| {
                Some((*environment, replaced(environment, resolution)?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use credence_core::bundle::TokenState;
    use credence_core::token::{Next, Order, Record, Setback, SetbackReason};
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::catalogue::Outline;
    use crate::revision::Inputs;
    use crate::tokens;

    const LIVE: Environment = Environment::Live;
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn order(number: u8, change: impl FnOnce(&mut Order)) -> Arc<Order> {
        let mut order = (*tokens::tests::order(number)).clone();
        order.terms.identity = [0; 32];
        change(&mut order);
        Arc::new(order)
    }

    fn planned(order: Option<&Arc<Order>>) -> Planned {
        let inputs = Inputs {
            uid: "u".to_owned(),
            generation: 1,
            environment: LIVE,
            objects: BTreeMap::new(),
        };
        let resolution = Resolution {
            entry: tokens::tests::on_token(),
            order: order.cloned(),
            ..Resolution::rejected(inputs)
        };
        Planned {
            outline: Arc::new(Outline {
                uid: "u".to_owned(),
                created: None,
                scope: credence_core::collection::Scope::Namespace {
                    service_accounts: None,
                },
                sidecar_port: None,
            }),
            resolutions: BTreeMap::from([(LIVE, Arc::new(resolution))]),
        }
    }

    /// Of a collection that was planned so, one plan after the other, with a
    /// token of the first.
    fn slot(plans: &[Option<&Arc<Order>>]) -> Slot {
        let first = plans[0].unwrap();
        let record = tokens::tests::record(first, "t0k", Some(NOW + SignedDuration::from_secs(9)));
        let mut slot = Slot::new(planned(None).outline);
        slot.records.insert(LIVE, record);
        for order in plans {
            let plan = planned(*order);
            slot.earlier = slot.earlier_than(&plan);
            slot.planned = Some(Arc::new(plan));
        }
        slot
    }

    fn setback(order: &Order, next: Next) -> Setback {
        Setback {
            order: order.terms.order,
            failures: 1,
            at: NOW,
            next,
            reason: SetbackReason::Refused,
            code: None,
            message: String::new(),
        }
    }

    fn is_used(slot: &Slot, now: Timestamp) -> bool {
        matches!(slot.token(LIVE, now), Some(TokenState::Held(token)) if token.value.expose() == "t0k")
    }

    #[test]
    fn calls_go_on_with_the_earlier_token_to_its_last_second_until_the_new_order_has_one() {
        let [first, second, third] = [1, 2, 3].map(|number| order(number, |_| ()));
        let slot = slot(&[Some(&first), Some(&second), Some(&third)]);
        assert!(is_used(&slot, NOW));
        assert!(!is_used(&slot, NOW + SignedDuration::from_secs(9)));
        let newer = tokens::tests::record(&third, "t1k", None);
        let records = BTreeMap::from([(LIVE, newer)]);
        let renewed = Slot { records, ..slot };
        let token = renewed.token(LIVE, NOW);
        assert!(matches!(token, Some(TokenState::Held(token)) if token.value.expose() == "t1k"));
    }

    #[test]
    fn a_token_is_not_used_for_an_order_of_another_identity() {
        let first = order(1, |_| ());
        let other = order(2, |order| order.terms.identity = [2; 32]);
        assert!(!is_used(&slot(&[Some(&first), Some(&other)]), NOW));
    }

    #[test]
    fn a_token_is_not_used_after_the_collection_could_not_be_resolved() {
        let [first, second] = [1, 2].map(|number| order(number, |_| ()));
        assert!(!is_used(&slot(&[Some(&first), None, Some(&second)]), NOW));
    }

    #[test]
    fn the_earlier_token_is_used_during_an_outage_and_not_when_the_new_order_is_refused() {
        let [first, second] = [1, 2].map(|number| order(number, |_| ()));
        let soon = Next::At(NOW + SignedDuration::from_secs(30));
        for (next, used) in [(soon, true), (Next::Change, false), (Next::Person, false)] {
            let mut slot = slot(&[Some(&first), Some(&second)]);
            let record = Record {
                setback: Some(setback(&second, next)),
                ..(*slot.records[&LIVE]).clone()
            };
            slot.records.insert(LIVE, Arc::new(record));
            assert_eq!(is_used(&slot, NOW), used, "{next:?}");
        }
    }
}
