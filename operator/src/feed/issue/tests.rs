//! Bundles, as tables.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use credence_core::bundle::{NoToken, Route, TokenState, Withheld};
use credence_core::collection::{AccountName, Scope};
use credence_core::label_selector::LabelSelector;
use credence_core::token::Order;
use jiff::Timestamp;

use super::*;
use crate::catalogue::{Namespace, Outline, Planned, Records};
use crate::resolution::Resolution;
use crate::revision::Inputs;
use crate::tokens;

const LIVE: &[Environment] = &[Environment::Live];

fn of_namespace(service_accounts: Option<&[&str]>) -> Scope {
    Scope::Namespace {
        service_accounts: service_accounts
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
    }
}

fn of_cluster(labels: &[(&str, &str)]) -> Scope {
    Scope::Cluster {
        namespaces: Some(selector(labels)),
        service_accounts: None,
    }
}

fn selector(labels: &[(&str, &str)]) -> LabelSelector {
    let labels = labels.iter();
    LabelSelector {
        match_labels: labels
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        expressions: vec![],
    }
}

fn outline(scope: Scope, port: Option<(u16, i64)>) -> Arc<Outline> {
    let created = port.map_or(0, |(_, second)| second);
    Arc::new(Outline {
        uid: "u".to_owned(),
        created: Some(Timestamp::from_second(created).unwrap()),
        scope,
        sidecar_port: port.map(|(port, _)| port),
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn awaited(scope: Scope) -> Slot {
    Slot::new(outline(scope, None))
}

fn planned_as(outline: Arc<Outline>, environments: &[Environment], ready: bool) -> Slot {
    let resolution = |environment: &Environment| {
        let inputs = Inputs {
            uid: "u".to_owned(),
            generation: 1,
            environment: *environment,
            objects: BTreeMap::new(),
        };
        let rejected = Resolution::rejected(inputs);
        let mut route = Route::to("https://api.test".parse().unwrap());
        route.sidecar_port = outline.sidecar_port;
        let entry = match ready {
            true => Entry::Ready(Arc::new(route)),
            false => rejected.entry.clone(),
        };
        (*environment, Arc::new(Resolution { entry, ..rejected }))
    };
    Slot {
        planned: Some(Arc::new(Planned {
            resolutions: environments.iter().map(resolution).collect(),
            outline: outline.clone(),
        })),
        ..Slot::new(outline)
    }
}

/// A collection whose calls need a token of this order, and what is kept.
fn on_token(order: &Arc<Order>, records: Records) -> Slot {
    let outline = outline(of_namespace(None), None);
    let slot = planned_as(outline.clone(), LIVE, true);
    let planned = slot.planned.as_ref().unwrap();
    let resolution = Resolution {
        entry: tokens::tests::on_token(),
        order: Some(order.clone()),
        ..(*planned.resolutions[&Environment::Live]).clone()
    };
    Slot {
        planned: Some(Arc::new(Planned {
            resolutions: BTreeMap::from([(Environment::Live, Arc::new(resolution))]),
            outline,
        })),
        records,
        ..slot
    }
}

fn token_at(slot: Slot, second: i64) -> TokenState {
    let shelf = shelf(vec![("openai", slot)]);
    let consumer = consumer(Environment::Live);
    let mut issue = issue(&shelf, &consumer, true, at(second)).unwrap();
    issue.bundle.tokens.pop_first().unwrap().1
}

fn planned(scope: Scope, environments: &[Environment]) -> Slot {
    planned_as(outline(scope, None), environments, true)
}

fn slots(slots: Vec<(&str, Slot)>) -> BTreeMap<CollectionName, Slot> {
    let named = slots.into_iter();
    named
        .map(|(name, slot)| (name.parse().unwrap(), slot))
        .collect()
}

fn shelf(own: Vec<(&str, Slot)>) -> Shelf {
    Shelf {
        namespace: Some(Namespace {
            environment: Environment::Live,
            labels: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        }),
        collections: slots(own),
        ..Shelf::default()
    }
}

fn consumer(environment: Environment) -> Consumer {
    Consumer {
        namespace: "shop".to_owned(),
        service_account: "checkout".to_owned(),
        environment,
        collections: None,
    }
}

fn names(issue: Option<Issue>) -> Option<Vec<String>> {
    issue.map(|issue| {
        let names = issue.bundle.collections.keys();
        names.map(ToString::to_string).collect()
    })
}

fn first(shelf: &Shelf) -> Option<Issue> {
    issue(shelf, &consumer(Environment::Live), true, at(0))
}

fn next(shelf: &Shelf) -> Issue {
    issue(shelf, &consumer(Environment::Live), false, at(0)).unwrap()
}

fn entry<'a>(issue: &'a Issue, name: &str) -> Option<&'a Entry> {
    issue.bundle.collections.get(name)
}

const NOT_READY: Entry = Entry::Unavailable(Unavailable::NotReady);

#[test]
fn only_what_the_service_account_may_use_is_sent() {
    let shelf = shelf(vec![
        ("for-all", planned(of_namespace(None), LIVE)),
        ("for-none", planned(of_namespace(Some(&[])), LIVE)),
        ("for-other", planned(of_namespace(Some(&["billing"])), LIVE)),
        (
            "for-us",
            planned(of_namespace(Some(&["checkout", "billing"])), LIVE),
        ),
    ]);
    assert_eq!(names(first(&shelf)).unwrap(), ["for-all", "for-us"]);
}

#[test]
fn only_what_the_annotation_names_is_sent() {
    let shelf = shelf(vec![
        ("openai", planned(of_namespace(None), LIVE)),
        ("stripe", planned(of_namespace(None), LIVE)),
    ]);
    let consumer = Consumer {
        collections: Some(BTreeSet::from([
            "stripe".parse().unwrap(),
            "absent".parse().unwrap(),
        ])),
        ..consumer(Environment::Live)
    };
    assert_eq!(
        names(issue(&shelf, &consumer, true, at(0))).unwrap(),
        ["stripe"]
    );
}

#[test]
fn a_cluster_collection_is_sent_to_the_accounts_of_the_namespaces_that_it_selects() {
    let account = |namespace: &str, name: &str| Scope::Cluster {
        namespaces: Some(LabelSelector::default()),
        service_accounts: Some(BTreeSet::from([AccountName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }])),
    };
    let nowhere = Scope::Cluster {
        namespaces: None,
        service_accounts: None,
    };
    let shelf = Shelf {
        of_cluster: slots(vec![
            ("all", planned(of_cluster(&[]), LIVE)),
            ("nowhere", planned(nowhere, LIVE)),
            ("other-account", planned(account("shop", "billing"), LIVE)),
            ("other-place", planned(account("bakery", "checkout"), LIVE)),
            ("our-account", planned(account("shop", "checkout"), LIVE)),
            (
                "our-team",
                planned(of_cluster(&[("team", "payments")]), LIVE),
            ),
            ("their-team", planned(of_cluster(&[("team", "x")]), LIVE)),
        ]),
        ..shelf(vec![])
    };
    assert_eq!(
        names(first(&shelf)).unwrap(),
        ["all", "our-account", "our-team"]
    );
}

#[test]
fn a_collection_of_the_namespace_shadows_one_of_the_cluster_for_everybody() {
    let shelf = Shelf {
        of_cluster: slots(vec![
            ("openai", planned(of_cluster(&[]), LIVE)),
            ("stripe", planned(of_cluster(&[]), LIVE)),
        ]),
        ..shelf(vec![
            ("openai", planned(of_namespace(None), LIVE)),
            ("stripe", planned(of_namespace(Some(&["billing"])), LIVE)),
        ])
    };
    let issued = first(&shelf).unwrap();
    let keys: Vec<_> = issued.revisions.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["ApiCollection \"openai\" of namespace \"shop\""]);
}

#[test]
fn nothing_is_sent_first_before_everything_is_planned() {
    let since = Trouble::Since(Instant::now());
    for trouble in [Trouble::None, since] {
        let slot = Slot {
            trouble,
            ..awaited(of_namespace(None))
        };
        let own = ("openai", planned(of_namespace(None), LIVE));
        let shelf = shelf(vec![own, ("stripe", slot)]);
        assert_eq!(first(&shelf), None, "{trouble:?}");
    }
}

#[test]
fn what_is_not_for_the_consumer_is_not_waited_for() {
    let shelf = Shelf {
        of_cluster: slots(vec![("their-team", awaited(of_cluster(&[("team", "x")])))]),
        ..shelf(vec![
            ("openai", planned(of_namespace(None), LIVE)),
            ("stripe", awaited(of_namespace(Some(&["billing"])))),
        ])
    };
    assert_eq!(names(first(&shelf)).unwrap(), ["openai"]);
}

#[test]
fn what_cannot_be_planned_for_long_does_not_hold_back_the_rest() {
    let lasting = || Slot {
        trouble: Trouble::Lasting,
        ..awaited(of_namespace(None))
    };
    let both = shelf(vec![
        ("openai", planned(of_namespace(None), LIVE)),
        ("stripe", lasting()),
    ]);
    let issued = first(&both).unwrap();
    assert!(matches!(entry(&issued, "openai"), Some(Entry::Ready(_))));
    assert_eq!(entry(&issued, "stripe"), Some(&NOT_READY));
    let nothing_can_be_read = shelf(vec![("openai", lasting()), ("stripe", lasting())]);
    assert_eq!(first(&nothing_can_be_read), None);
}

#[test]
fn trouble_takes_nothing_away_that_was_planned() {
    let slot = Slot {
        trouble: Trouble::Lasting,
        ..planned(of_namespace(None), LIVE)
    };
    let issued = first(&shelf(vec![("openai", slot)])).unwrap();
    assert!(matches!(entry(&issued, "openai"), Some(Entry::Ready(_))));
}

#[test]
fn a_stream_that_follows_is_not_held_up_by_what_is_new() {
    let shelf = shelf(vec![
        ("openai", planned(of_namespace(None), LIVE)),
        ("stripe", awaited(of_namespace(None))),
    ]);
    assert_eq!(names(Some(next(&shelf))).unwrap(), ["openai"]);
}

#[test]
fn what_was_resolved_for_live_is_not_sent_to_development() {
    let shelf = shelf(vec![("openai", planned(of_namespace(None), LIVE))]);
    let development = consumer(Environment::Development);
    assert_eq!(issue(&shelf, &development, true, at(0)), None);
    let withdrawn = issue(&shelf, &development, false, at(0)).unwrap();
    assert_eq!(withdrawn.bundle.environment, Environment::Development);
    assert_eq!(entry(&withdrawn, "openai"), Some(&NOT_READY));
}

#[test]
fn what_the_manifest_takes_away_is_gone_before_it_is_planned() {
    let narrowed = Slot {
        outline: outline(of_namespace(Some(&["billing"])), None),
        ..planned(of_namespace(None), LIVE)
    };
    let widened = Slot {
        outline: outline(of_namespace(None), None),
        ..planned(of_namespace(Some(&["billing"])), LIVE)
    };
    let shelf = shelf(vec![("narrowed", narrowed), ("widened", widened)]);
    assert_eq!(names(first(&shelf)).unwrap(), [""; 0]);
}

#[test]
fn the_oldest_collection_has_the_port_also_while_it_cannot_be_called() {
    let at = |second| outline(of_namespace(None), Some((9001, second)));
    let port = |issue: &Issue, name: &str| match entry(issue, name) {
        Some(Entry::Ready(route)) => route.sidecar_port,
        _ => None,
    };
    let both = |ready| {
        shelf(vec![
            ("a-younger", planned_as(at(8), LIVE, true)),
            ("older", planned_as(at(7), LIVE, ready)),
        ])
    };
    let called = first(&both(true)).unwrap();
    assert_eq!(port(&called, "older"), Some(9001));
    assert_eq!(port(&called, "a-younger"), None);
    let missing = first(&both(false)).unwrap();
    assert_eq!(port(&missing, "a-younger"), None);
    let alone = first(&shelf(vec![("a-younger", planned_as(at(8), LIVE, true))])).unwrap();
    assert_eq!(port(&alone, "a-younger"), Some(9001));
}

#[test]
fn a_bundle_changes_with_who_has_a_port() {
    let port = |name: &str, second| {
        let outline = outline(of_namespace(None), Some((9001, second)));
        (name.to_owned(), planned_as(outline, LIVE, true))
    };
    let revision = |first: i64, second: i64| {
        let both = [port("a", first), port("b", second)];
        let both = both
            .iter()
            .map(|(name, slot)| (name.as_str(), slot.clone()));
        issue(
            &shelf(both.collect()),
            &consumer(Environment::Live),
            true,
            at(0),
        )
        .unwrap()
    };
    let (of_a, of_b) = (revision(1, 2), revision(2, 1));
    assert_eq!(of_a.revisions, of_b.revisions);
    assert_ne!(of_a.bundle.revision, of_b.bundle.revision);
}

#[test]
fn revisions_follow_what_is_in_the_bundle() {
    let one = shelf(vec![("openai", planned(of_namespace(None), LIVE))]);
    let two = shelf(vec![
        ("openai", planned(of_namespace(None), LIVE)),
        ("other", planned(of_namespace(Some(&[])), LIVE)),
    ]);
    let revision = |shelf| first(shelf).unwrap().bundle.revision;
    assert_eq!(revision(&one), revision(&two));
    assert_ne!(revision(&one), nothing(Environment::Live).bundle.revision);
}

#[test]
fn a_token_goes_out_with_its_collection_until_it_ends() {
    let order = tokens::tests::order(1);
    let kept = tokens::tests::record(&order, "t0k", Some(at(100)));
    let records = Records::from([(Environment::Live, kept)]);
    let slot = || on_token(&order, records.clone());
    let TokenState::Held(token) = token_at(slot(), 99) else {
        panic!("withheld");
    };
    assert_eq!(token.value.expose(), "t0k");
    assert_eq!(token.expires_at, Some(at(100)));
    assert!(matches!(token_at(slot(), 100), TokenState::Withheld(_)));
    let bare = shelf(vec![("plain", planned(of_namespace(None), LIVE))]);
    assert!(first(&bare).unwrap().bundle.tokens.is_empty());
}

/// It may be another client's, or for another host.
#[test]
fn a_token_of_another_order_is_not_handed_out() {
    let before = tokens::tests::record(&tokens::tests::order(1), "t0k", None);
    let records = Records::from([(Environment::Live, before)]);
    let state = token_at(on_token(&tokens::tests::order(2), records), 0);
    let TokenState::Withheld(withheld) = state else {
        panic!("handed out");
    };
    assert_eq!(withheld.why, NoToken::Unavailable);
}

#[test]
fn what_is_kept_for_development_is_nothing_to_live() {
    let order = tokens::tests::order(1);
    let kept = tokens::tests::record(&order, "t0k", None);
    let records = Records::from([(Environment::Development, kept)]);
    let unknown = TokenState::Withheld(Withheld::UNKNOWN);
    assert_eq!(token_at(on_token(&order, records), 0), unknown);
}

#[test]
fn a_token_that_cannot_be_written_is_not_handed_out() {
    let order = tokens::tests::order(1);
    let kept = tokens::tests::record(&order, "a\r\nHost: b", None);
    let records = Records::from([(Environment::Live, kept)]);
    let unknown = TokenState::Withheld(Withheld::UNKNOWN);
    assert_eq!(token_at(on_token(&order, records), 0), unknown);
}
