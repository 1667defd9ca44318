use credence_core::CollectionName;
use credence_core::bundle::{TokenState, Withheld};
use credence_core::collection::Scope;

use super::*;
use crate::catalogue::{Outline, Planned};
use crate::queue::Queue;
use crate::resolution::Resolution;
use crate::revision::Inputs;
use crate::tokens;

const LIVE: Environment = Environment::Live;
const DEVELOPMENT: Environment = Environment::Development;

fn key() -> CollectionKey {
    CollectionKey::in_namespace("shop", name())
}

fn name() -> CollectionName {
    "openai".parse().unwrap()
}

fn outline(uid: &str) -> Outline {
    Outline {
        uid: uid.to_owned(),
        created: None,
        scope: Scope::Namespace {
            service_accounts: None,
        },
        sidecar_port: None,
    }
}

fn planned(uid: &str, order: &Arc<Order>) -> Planned {
    let inputs = Inputs {
        uid: uid.to_owned(),
        generation: 1,
        environment: LIVE,
        objects: BTreeMap::new(),
    };
    let resolution = Resolution {
        entry: tokens::tests::on_token(),
        order: Some(order.clone()),
        ..Resolution::rejected(inputs)
    };
    Planned {
        outline: Arc::new(outline(uid)),
        resolutions: BTreeMap::from([(LIVE, Arc::new(resolution))]),
    }
}

/// Of a namespace with pods of both environments, where development has
/// what is live.
fn planned_for_both(uid: &str, order: &Arc<Order>) -> Planned {
    let mut planned = planned(uid, order);
    let live = (*planned.resolutions[&LIVE]).clone();
    let development = Resolution {
        inputs: Inputs {
            environment: DEVELOPMENT,
            ..live.inputs.clone()
        },
        uses_live_fallback: true,
        ..live
    };
    planned
        .resolutions
        .insert(DEVELOPMENT, Arc::new(development));
    planned
}

fn catalogue() -> Catalogue {
    let catalogue = Catalogue::new(Queue::default(), "credence-credentials");
    catalogue.namespaces_listed();
    catalogue.retain(false, &BTreeSet::new());
    catalogue.retain(true, &BTreeSet::new());
    catalogue
}

fn state(uid: &str) -> String {
    state_secret::name(&TokenKey::new(uid, LIVE))
}

fn kept(record: &Arc<Record>) -> Option<Kept> {
    Some(Kept {
        of: key(),
        record: record.clone(),
    })
}

fn records(catalogue: &Catalogue) -> Vec<Arc<Record>> {
    let shelf = catalogue.subscribe("shop");
    let shelf = shelf.borrow();
    let slot = shelf.collections.get(&name());
    slot.map(|slot| slot.records.values().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn the_end_of_a_token_is_observed_while_its_order_is_in_force() {
    let order = tokens::tests::order(1);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    catalogue.put(&key(), planned("u", &order));
    let end = Timestamp::from_second(60).unwrap();
    let record = tokens::tests::record(&order, "t0k", Some(end));
    catalogue.set_record(&state("u"), kept(&record));
    assert_eq!(catalogue.observed()[0].token_expires_at, Some(end));
    catalogue.put(&key(), planned("u", &tokens::tests::order(2)));
    assert_eq!(catalogue.observed()[0].token_expires_at, None);
}

#[test]
fn what_is_kept_finds_its_collection_whichever_comes_first() {
    let record = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    let after = catalogue();
    after.announce(&key(), outline("u"));
    let mut woken = after.subscribe("shop");
    woken.mark_unchanged();
    after.set_record(&state("u"), kept(&record));
    assert!(woken.has_changed().unwrap());
    let before = catalogue();
    before.set_record(&state("u"), kept(&record));
    before.announce(&key(), outline("u"));
    for catalogue in [&after, &before] {
        assert_eq!(records(catalogue), std::slice::from_ref(&record));
        catalogue.set_record(&state("u"), None);
        assert!(records(catalogue).is_empty());
    }
}

/// Nor has one that was made again with the same name.
#[test]
fn another_collection_has_nothing_of_it() {
    let record = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    let catalogue = catalogue();
    catalogue.set_record(&state("u"), kept(&record));
    catalogue.announce(&key(), outline("v"));
    assert!(records(&catalogue).is_empty());
    assert_eq!(catalogue.orphans(), [state("u")]);
}

#[test]
fn what_is_kept_is_an_orphan_when_its_collection_is_gone_and_not_while_it_cannot_be_resolved() {
    let order = tokens::tests::order(1);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    catalogue.put(&key(), planned("u", &order));
    let record = tokens::tests::record(&order, "t0k", None);
    catalogue.set_record(&state("u"), kept(&record));
    let wanted = catalogue.wanted();
    let tokens: Vec<_> = wanted.iter().map(|wanted| &wanted.token).collect();
    assert_eq!(tokens, [&TokenKey::new("u", LIVE)]);
    let inputs = planned("u", &order).resolutions[&LIVE].inputs.clone();
    let unresolved = Planned {
        resolutions: BTreeMap::from([(LIVE, Arc::new(Resolution::rejected(inputs)))]),
        ..planned("u", &order)
    };
    catalogue.put(&key(), unresolved);
    assert!(catalogue.wanted().is_empty());
    assert!(catalogue.orphans().is_empty());
    catalogue.remove(&key());
    assert_eq!(catalogue.orphans(), [state("u")]);
}

#[test]
fn only_what_is_new_about_the_newest_token_is_worth_a_note() {
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    let refused = |environment, generation| RefusedToken {
        of: key(),
        environment,
        generation,
    };
    let unknown = catalogue.worth(&refused(LIVE, 1));
    assert_eq!(unknown, Worth::Nothing, "nothing is kept");
    let record = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    let record = Record {
        generation: 7,
        ..(*record).clone()
    };
    catalogue.set_record(&state("u"), kept(&Arc::new(record.clone())));
    let worth = |generation| catalogue.worth(&refused(LIVE, generation));
    let note = Worth::Note(TokenKey::new("u", LIVE));
    assert_eq!(worth(6), Worth::Nothing, "it was renewed");
    assert_eq!(worth(7), note);
    for generation in [8, u64::MAX] {
        assert_eq!(
            worth(generation),
            Worth::Unseen,
            "we are behind, or it lies"
        );
    }
    let other = refused(Environment::Development, 7);
    assert_eq!(catalogue.worth(&other), Worth::Nothing);
    let noted = record.refusing(7);
    catalogue.set_record(&state("u"), kept(&Arc::new(noted)));
    assert_eq!(worth(7), Worth::Nothing, "it is noted");
}

/// Two keepers would use up each other's refresh token.
#[test]
fn live_settings_in_development_have_the_token_of_live() {
    let order = tokens::tests::order(1);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    catalogue.put(&key(), planned_for_both("u", &order));
    let live = TokenKey::new("u", LIVE);
    let end = Timestamp::from_second(60).unwrap();
    let record = tokens::tests::record(&order, "t0k", Some(end));
    let noted = Arc::new(record.refusing(1));
    catalogue.set_record(&state("u"), kept(&noted));
    let wanted = catalogue.wanted();
    let tokens: Vec<_> = (wanted.iter())
        .map(|wanted| (&wanted.token, wanted.refused))
        .collect();
    assert_eq!(tokens, [(&live, Some(1))]);
    let shelf = catalogue.subscribe("shop").borrow().clone();
    let token = |environment| {
        let token = shelf.collections[&name()].token(environment, Timestamp::UNIX_EPOCH);
        match token {
            Some(TokenState::Held(token)) => token.value.expose().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([token(LIVE), token(DEVELOPMENT)], ["t0k", "t0k"]);
    assert_eq!(catalogue.observed()[0].token_expires_at, Some(end));
    catalogue.set_record(&state("u"), kept(&record));
    let refused = RefusedToken {
        of: key(),
        environment: DEVELOPMENT,
        generation: 1,
    };
    assert_eq!(catalogue.worth(&refused), Worth::Note(live.clone()));
    // Nor is there another token once no pod is of the live environment.
    let mut lowered = planned_for_both("u", &order);
    lowered.resolutions.remove(&LIVE);
    catalogue.put(&key(), lowered);
    assert_eq!(catalogue.wanted()[0].token, live);
    assert_eq!(catalogue.worth(&refused), Worth::Note(live));
}

#[test]
fn settings_for_development_have_a_token_of_their_own() {
    let order = tokens::tests::order(1);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    let mut both = planned_for_both("u", &order);
    let own = Resolution {
        uses_live_fallback: false,
        ..(*both.resolutions[&DEVELOPMENT]).clone()
    };
    both.resolutions.insert(DEVELOPMENT, Arc::new(own));
    catalogue.put(&key(), both);
    let wanted = catalogue.wanted().into_iter().map(|wanted| wanted.token);
    let expected = [LIVE, DEVELOPMENT].map(|environment| TokenKey::new("u", environment));
    assert_eq!(wanted.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    let record = tokens::tests::record(&order, "t0k", None);
    catalogue.set_record(&state("u"), kept(&record));
    let shelf = catalogue.subscribe("shop").borrow().clone();
    let token = shelf.collections[&name()].token(DEVELOPMENT, Timestamp::UNIX_EPOCH);
    assert_eq!(token, Some(TokenState::Withheld(Withheld::UNKNOWN)));
}

#[test]
fn nothing_is_an_orphan_before_every_collection_is_known() {
    let catalogue = Catalogue::new(Queue::default(), "credence-credentials");
    let record = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    catalogue.set_record(&state("u"), kept(&record));
    assert!(catalogue.orphans().is_empty());
}

#[test]
fn what_a_listing_does_not_show_is_forgotten() {
    let record = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    catalogue.set_record(&state("u"), kept(&record));
    catalogue.retain_records(&BTreeSet::from([state("u")]));
    assert_eq!(records(&catalogue).len(), 1);
    catalogue.retain_records(&BTreeSet::new());
    assert!(records(&catalogue).is_empty());
}

#[test]
fn who_keeps_tokens_hears_of_plans_and_records() {
    let order = tokens::tests::order(1);
    let catalogue = catalogue();
    catalogue.announce(&key(), outline("u"));
    let mut changes = catalogue.changes();
    changes.mark_unchanged();
    catalogue.put(&key(), planned("u", &order));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    catalogue.set_record(&state("u"), None);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    catalogue.remove(&key());
    assert!(changes.has_changed().unwrap());
}
