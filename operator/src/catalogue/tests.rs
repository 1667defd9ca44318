//! Who sees what, and what is planned again when something changes.

use credence_core::Environment::{self, Development, Live};
use credence_core::collection::{AccountName, Scope};
use credence_core::label_selector::LabelSelector;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;

use super::*;

const CREDENTIALS: &str = "credence-credentials";

struct Case {
    catalogue: Catalogue,
    queue: Queue,
}

fn name(text: &str) -> CollectionName {
    text.parse().unwrap()
}

fn own(namespace: &str, text: &str) -> CollectionKey {
    CollectionKey::in_namespace(namespace, name(text))
}

fn of_cluster(text: &str) -> CollectionKey {
    CollectionKey::of_cluster(name(text))
}

fn everybody() -> Scope {
    Scope::Namespace {
        service_accounts: None,
    }
}

fn team(value: &str) -> Scope {
    Scope::Cluster {
        namespaces: Some(LabelSelector {
            match_labels: labels(value),
            expressions: vec![],
        }),
        service_accounts: None,
    }
}

fn labels(team: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), team.to_owned())])
}

fn outline(uid: &str, scope: Scope) -> Outline {
    Outline {
        uid: uid.to_owned(),
        created: None,
        scope,
        sidecar_port: None,
    }
}

fn asks_for_port(uid: &str, scope: Scope, created: i64) -> Outline {
    Outline {
        created: Some(Timestamp::from_second(created).unwrap()),
        sidecar_port: Some(9001),
        ..outline(uid, scope)
    }
}

fn planned(outline: Outline) -> Planned {
    Planned {
        outline: Arc::new(outline),
        resolutions: BTreeMap::new(),
    }
}

impl Case {
    fn new() -> Self {
        let queue = Queue::default();
        let catalogue = Catalogue::new(queue.clone(), CREDENTIALS);
        catalogue.namespaces_listed();
        catalogue.retain(false, &BTreeSet::new());
        catalogue.retain(true, &BTreeSet::new());
        Self { catalogue, queue }
    }

    fn label(&self, namespace: &str, environment: Environment, team: &str) {
        let seen = Namespace {
            environment,
            labels: labels(team),
        };
        self.catalogue.set_namespace(namespace, Some(seen));
    }

    /// Announces a collection, and plans it.
    fn apply(&self, key: &CollectionKey, outline: Outline) {
        self.catalogue.announce(key, outline.clone());
        self.catalogue.put(key, planned(outline));
    }

    fn queued(&self) -> Vec<String> {
        let all = [false, true].map(|of_cluster| {
            let stream = self.queue.stream(of_cluster);
            let mut stream = std::pin::pin!(stream);
            let mut keys = Vec::new();
            while let Some(Some(key)) = stream.next().now_or_never() {
                keys.push(key.to_string());
            }
            keys
        });
        all.concat()
    }

    /// What a namespace's shelf holds of the cluster.
    fn seen_in(&self, namespace: &str) -> Vec<String> {
        let shelf = self.catalogue.subscribe(namespace);
        let shelf = shelf.borrow();
        shelf.of_cluster.keys().map(ToString::to_string).collect()
    }

    fn around(&self, key: &CollectionKey, outline: &Outline) -> Surroundings {
        self.catalogue.surroundings(key, outline).unwrap()
    }
}

#[test]
fn a_cluster_collection_is_on_the_shelves_that_it_reaches_and_no_others() {
    let case = Case::new();
    case.label("shop", Live, "a");
    case.label("bakery", Live, "b");
    case.apply(&of_cluster("openai"), outline("u", team("a")));
    assert_eq!(case.seen_in("shop"), ["openai"]);
    assert_eq!(case.seen_in("bakery"), [""; 0]);
    case.label("new", Development, "a");
    assert_eq!(case.seen_in("new"), ["openai"]);
    assert_eq!(case.seen_in("not-shown-yet"), [""; 0]);
}

#[test]
fn a_namespace_that_is_relabelled_loses_and_gets_cluster_collections_at_once() {
    let case = Case::new();
    case.label("shop", Live, "a");
    case.apply(&of_cluster("openai"), outline("u", team("a")));
    case.apply(&of_cluster("stripe"), outline("v", team("b")));
    case.apply(&of_cluster("other"), outline("w", team("c")));
    case.queued();
    case.label("shop", Live, "b");
    assert_eq!(case.seen_in("shop"), ["stripe"]);
    let queued = [
        "ClusterApiCollection \"openai\"",
        "ClusterApiCollection \"stripe\"",
    ];
    assert_eq!(case.queued(), queued);
    case.catalogue.set_namespace("shop", None);
    assert_eq!(case.seen_in("shop"), [""; 0]);
}

#[test]
fn a_selector_that_is_narrowed_counts_before_it_is_planned_and_a_widened_one_after() {
    let case = Case::new();
    case.label("shop", Live, "a");
    let key = of_cluster("openai");
    case.apply(&key, outline("u", team("a")));
    case.catalogue.announce(&key, outline("u", team("b")));
    assert_eq!(case.seen_in("shop"), [""; 0]);
    case.catalogue.put(&key, planned(outline("u", team("b"))));
    case.catalogue.announce(&key, outline("u", team("a")));
    assert_eq!(case.seen_in("shop"), [""; 0]);
    case.catalogue.put(&key, planned(outline("u", team("a"))));
    assert_eq!(case.seen_in("shop"), ["openai"]);
}

#[test]
fn a_plan_for_an_object_that_was_deleted_is_not_taken_for_its_successor() {
    let case = Case::new();
    case.label("shop", Live, "a");
    for key in [own("shop", "openai"), of_cluster("openai")] {
        let scope = match key.namespace {
            Some(_) => everybody(),
            None => team("a"),
        };
        let old = outline("old", scope);
        let new = Outline {
            uid: "new".to_owned(),
            ..old.clone()
        };
        case.apply(&key, old.clone());
        assert!(case.catalogue.planned(&key).is_some());
        case.catalogue.announce(&key, new.clone());
        assert_eq!(case.catalogue.planned(&key), None, "{key}");
        case.catalogue.put(&key, planned(old));
        assert_eq!(case.catalogue.planned(&key), None, "{key}");
        case.catalogue.put(&key, planned(new));
        assert!(case.catalogue.planned(&key).is_some());
    }
}

#[test]
fn a_failure_keeps_what_was_planned_and_counts_as_tried() {
    let case = Case::new();
    case.label("shop", Live, "a");
    let (good, new) = (own("shop", "good"), own("shop", "new"));
    case.apply(&good, outline("u", everybody()));
    case.catalogue.announce(&new, outline("v", everybody()));
    assert!(!case.catalogue.is_complete());
    let now = Instant::now();
    case.catalogue.failed(&good, now);
    case.catalogue.failed(&new, now);
    assert!(case.catalogue.is_complete());
    assert!(case.catalogue.planned(&good).is_some());
}

#[test]
fn where_there_are_no_collections_the_listings_of_both_kinds_are_all_there_is() {
    let catalogue = Catalogue::new(Queue::default(), CREDENTIALS);
    catalogue.retain(true, &BTreeSet::new());
    assert!(!catalogue.is_complete());
    catalogue.retain(false, &BTreeSet::new());
    assert!(catalogue.is_complete());
}

#[test]
fn nothing_is_said_of_the_surroundings_before_everything_is_listed() {
    let catalogue = Catalogue::new(Queue::default(), CREDENTIALS);
    let (key, outline) = (of_cluster("openai"), outline("u", team("a")));
    let known = || catalogue.surroundings(&key, &outline).is_some();
    catalogue.announce(&key, outline.clone());
    assert!(!known());
    catalogue.retain(true, &BTreeSet::from([key.clone()]));
    assert!(!known());
    catalogue.namespaces_listed();
    assert!(!known());
    catalogue.retain(false, &BTreeSet::new());
    assert!(known());
}

#[test]
fn the_environments_in_use_are_those_of_the_namespaces_that_are_reached() {
    let case = Case::new();
    case.label("shop-dev", Development, "a");
    case.label("shop-live", Live, "b");
    let key = of_cluster("openai");
    let environments = |scope: Scope| {
        let around = case.around(&key, &outline("u", scope));
        assert_eq!(around.environment, None);
        around.environments.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(environments(team("a")), [Development]);
    assert_eq!(environments(team("b")), [Live]);
    assert_eq!(environments(team("c")), []);
    let account = |namespace: &str| Scope::Cluster {
        namespaces: Some(LabelSelector::default()),
        service_accounts: Some(BTreeSet::from([AccountName {
            namespace: namespace.to_owned(),
            name: "checkout".to_owned(),
        }])),
    };
    assert_eq!(environments(account("shop-dev")), [Development]);
    case.catalogue.set_lowered("shop-live", true);
    assert_eq!(environments(team("b")), [Development, Live]);
    // Where another collection is used, its Secret is not read either.
    case.apply(&own("shop-live", "openai"), outline("v", everybody()));
    assert_eq!(environments(account("shop-live")), []);
}

#[test]
fn both_of_one_name_learn_of_each_other() {
    let case = Case::new();
    case.label("shop", Live, "a");
    case.label("bakery", Live, "b");
    let (cluster, local) = (of_cluster("openai"), own("shop", "openai"));
    case.apply(&cluster, outline("u", team("a")));
    case.queued();
    case.apply(&local, outline("v", everybody()));
    assert_eq!(case.queued(), [cluster.to_string()]);
    let around = case.around(&local, &outline("v", everybody()));
    assert_eq!(around.shadow, Some(Shadow::OfCluster));
    let around = case.around(&cluster, &outline("u", team("a")));
    let shop = BTreeSet::from(["shop".to_owned()]);
    assert_eq!(around.shadow, Some(Shadow::ByNamespaces(shop)));
    let elsewhere = case.around(&own("bakery", "openai"), &outline("w", everybody()));
    assert_eq!(elsewhere.shadow, None);

    case.catalogue.announce(&cluster, outline("u", team("b")));
    assert_eq!(case.queued(), [local.to_string()]);
    assert_eq!(case.around(&local, &outline("v", everybody())).shadow, None);
    case.catalogue.announce(&cluster, outline("u", team("a")));
    case.queued();
    case.catalogue.remove(&local);
    assert_eq!(case.queued(), [cluster.to_string()]);
    assert_eq!(case.around(&cluster, &outline("u", team("a"))).shadow, None);
}

#[test]
fn the_younger_of_two_that_ask_for_a_port_learns_who_has_it() {
    let case = Case::new();
    case.label("shop", Live, "a");
    let (old, young) = (of_cluster("stripe"), own("shop", "openai"));
    let older = asks_for_port("u", team("a"), 1);
    let younger = asks_for_port("v", everybody(), 2);
    case.apply(&young, younger.clone());
    case.queued();
    case.apply(&old, older.clone());
    assert_eq!(case.queued(), [young.to_string()]);
    assert_eq!(case.around(&old, &older).rival, None);
    let rival = Rival {
        port: 9001,
        holder: old.clone(),
    };
    assert_eq!(case.around(&young, &younger).rival, Some(rival));
    let only = |name: &str| Scope::Cluster {
        namespaces: Some(LabelSelector::default()),
        service_accounts: Some(BTreeSet::from([AccountName {
            namespace: name.to_owned(),
            name: "checkout".to_owned(),
        }])),
    };
    let of_others = asks_for_port("u", only("bakery"), 1);
    case.apply(&old, of_others);
    assert_eq!(case.queued(), [young.to_string()]);
    assert_eq!(case.around(&young, &younger).rival, None);
}

#[test]
fn another_environment_has_everything_planned_again_that_the_namespace_uses() {
    let case = Case::new();
    case.label("shop", Development, "a");
    case.apply(&own("shop", "stripe"), outline("u", everybody()));
    case.apply(&of_cluster("openai"), outline("v", team("a")));
    case.apply(&of_cluster("other"), outline("w", team("b")));
    case.queued();
    let concerned = [
        "ApiCollection \"stripe\" of namespace \"shop\"",
        "ClusterApiCollection \"openai\"",
    ];
    case.label("shop", Live, "a");
    assert_eq!(case.queued(), concerned);
    case.catalogue.set_lowered("shop", true);
    assert_eq!(case.queued(), concerned);
    case.catalogue.set_lowered("shop", true);
    case.label("shop", Live, "a");
    assert_eq!(case.queued(), [""; 0]);
}

#[test]
fn secrets_of_the_cluster_are_watched_while_one_collection_takes_any() {
    let case = Case::new();
    case.apply(&own("shop", "stripe"), outline("u", everybody()));
    case.apply(&own(CREDENTIALS, "local"), outline("v", everybody()));
    case.apply(&of_cluster("openai"), outline("w", team("a")));
    case.queued();
    case.catalogue.plan_again(CREDENTIALS);
    assert_eq!(
        case.queued(),
        [
            "ApiCollection \"local\" of namespace \"credence-credentials\"",
            "ClusterApiCollection \"openai\"",
        ]
    );
    let remove = |key| case.catalogue.remove(&key);
    assert_eq!(remove(own("shop", "stripe")).as_deref(), Some("shop"));
    assert_eq!(remove(own(CREDENTIALS, "local")), None);
    assert_eq!(remove(of_cluster("openai")).as_deref(), Some(CREDENTIALS));
}

#[test]
fn what_a_listing_does_not_show_is_gone() {
    let case = Case::new();
    case.label("shop", Live, "a");
    for key in [own("shop", "stripe"), of_cluster("openai")] {
        let scope = match key.namespace {
            Some(_) => everybody(),
            None => team("a"),
        };
        case.apply(&key, outline("u", scope));
    }
    case.catalogue.retain(false, &BTreeSet::new());
    assert_eq!(case.catalogue.planned(&own("shop", "stripe")), None);
    assert_eq!(case.seen_in("shop"), ["openai"]);
    case.catalogue.retain(true, &BTreeSet::new());
    assert_eq!(case.seen_in("shop"), [""; 0]);
}
