use credence_core::Environment;
use credence_core::bundle::Bundle;

use super::*;

fn streams() -> Streams {
    Streams::new(Arc::default())
}

fn key(name: &str) -> CollectionKey {
    CollectionKey::in_namespace("shop", name.parse().unwrap())
}

fn bundle(revision: &str, entries: &[(&str, &str)]) -> Issue {
    Issue {
        bundle: Bundle {
            revision: revision.to_owned(),
            environment: Environment::Live,
            collections: BTreeMap::new(),
            tokens: BTreeMap::new(),
        },
        revisions: entries
            .iter()
            .map(|(name, revision)| (key(name), (*revision).to_owned()))
            .collect(),
    }
}

fn acknowledge(streams: &Streams, id: &str, revision: &str, refused: &[&str]) -> bool {
    let ack = Ack {
        stream: id.to_owned(),
        revision: revision.to_owned(),
        refused: refused
            .iter()
            .map(|name| ((*name).to_owned(), "feature x".to_owned()))
            .collect(),
    };
    streams.acknowledge(id, &ack, Instant::now())
}

fn count(streams: &Streams, name: &str) -> (i32, i32, i32) {
    let count = streams.counts().remove(&key(name)).unwrap_or_default();
    (count.connected, count.current, count.refused)
}

#[test]
fn a_sidecar_is_current_when_it_acknowledged_the_last_version() {
    let streams = streams();
    let stream = streams.register("s".into(), "u").unwrap();
    stream.sent(&bundle("1", &[("a", "1"), ("b", "1")]), Instant::now());
    assert_eq!(count(&streams, "a"), (1, 0, 0));
    assert!(acknowledge(&streams, "s", "1", &["b"]));
    assert_eq!(count(&streams, "a"), (1, 1, 0));
    assert_eq!(count(&streams, "b"), (1, 0, 1));
    stream.sent(&bundle("2", &[("a", "2"), ("b", "1")]), Instant::now());
    assert_eq!(count(&streams, "a"), (1, 0, 0));
    assert_eq!(count(&streams, "b"), (1, 0, 1));
    assert!(
        acknowledge(&streams, "s", "1", &[]),
        "late, but from a stream of ours"
    );
    assert_eq!(count(&streams, "a"), (1, 0, 0));
    assert!(acknowledge(&streams, "s", "2", &[]));
    assert_eq!(count(&streams, "a"), (1, 1, 0));
}

fn report(
    streams: &Streams,
    revision: &str,
    collection: &str,
) -> Result<Option<RefusedToken>, Refusal> {
    report_of(streams, revision, collection, None)
}

fn report_of(
    streams: &Streams,
    revision: &str,
    collection: &str,
    generation: Option<u64>,
) -> Result<Option<RefusedToken>, Refusal> {
    let report = Report {
        stream: "s".to_owned(),
        revision: revision.to_owned(),
        collection: collection.to_owned(),
        said: Said {
            status: Some(401),
            worked: false,
            generation,
            named: false,
        },
    };
    streams.report("s", &report, Instant::now())
}

fn rejected(streams: &Streams) -> Vec<(CollectionKey, String)> {
    let counts = streams.counts().into_iter();
    counts
        .flat_map(|(key, count)| {
            let revisions = count.rejected.into_keys();
            revisions.map(move |revision| (key.clone(), revision))
        })
        .collect()
}

#[test]
fn the_versions_that_are_counted_are_those_that_were_sent_last() {
    let streams = streams();
    let first = streams.register("s".into(), "u").unwrap();
    let second = streams.register("t".into(), "v").unwrap();
    first.sent(&bundle("1", &[("a", "1")]), Instant::now());
    second.sent(&bundle("1", &[("a", "1")]), Instant::now());
    let revisions = || streams.counts().remove(&key("a")).unwrap().revisions;
    assert_eq!(revisions(), BTreeSet::from(["1".to_owned()]));
    first.sent(&bundle("2", &[("a", "2")]), Instant::now());
    let both = ["1", "2"].map(str::to_owned);
    assert_eq!(revisions(), BTreeSet::from(both));
    drop(second);
    assert_eq!(revisions(), BTreeSet::from(["2".to_owned()]));
}

#[test]
fn a_report_is_about_what_its_stream_was_sent_last() {
    let streams = streams();
    let stream = streams.register("s".into(), "u").unwrap();
    stream.sent(&bundle("1", &[("a", "1"), ("b", "1")]), Instant::now());
    assert_eq!(report(&streams, "1", "c"), Err(Refusal::NotInBundle));
    assert_eq!(report(&streams, "0", "a"), Ok(None), "late, but honest");
    assert!(rejected(&streams).is_empty());
    assert_eq!(report(&streams, "1", "a"), Ok(None));
    let refused = [(key("a"), "1".to_owned())];
    assert_eq!(rejected(&streams), refused);
    stream.sent(&bundle("2", &[("a", "1"), ("b", "2")]), Instant::now());
    assert_eq!(rejected(&streams), refused);
    stream.sent(&bundle("3", &[("a", "2"), ("b", "2")]), Instant::now());
    assert!(rejected(&streams).is_empty());
    drop(stream);
    assert_eq!(report(&streams, "3", "a"), Err(Refusal::NoStream));
}

#[test]
fn a_refused_token_is_of_the_environment_that_its_stream_was_sent() {
    let streams = streams();
    let stream = streams.register("s".into(), "u").unwrap();
    stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
    let told = report_of(&streams, "1", "a", Some(7));
    let expected = RefusedToken {
        of: key("a"),
        environment: Environment::Live,
        generation: 7,
    };
    assert_eq!(told, Ok(Some(expected)));
    // Whether it is the credential's fault, a fresh token will show.
    assert!(rejected(&streams).is_empty());
    let late = report_of(&streams, "0", "a", Some(7));
    assert_eq!(late, Ok(None));
    let not_sent = report_of(&streams, "1", "b", Some(7));
    assert_eq!(not_sent, Err(Refusal::NotInBundle));
}

#[test]
fn who_connects_again_may_not_tell_of_a_token_again_at_once() {
    let streams = streams();
    let connect = || {
        let stream = streams.register("s".into(), "u").unwrap();
        stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
        stream
    };
    let first = connect();
    assert!(matches!(
        report_of(&streams, "1", "a", Some(7)),
        Ok(Some(_))
    ));
    drop(first);
    let _second = connect();
    let again = report_of(&streams, "1", "a", Some(7));
    assert_eq!(again, Err(Refusal::TooSoon));
}

#[test]
fn a_pod_has_a_few_streams_at_the_most() {
    let streams = streams();
    let open = |number: usize, pod| streams.register(number.to_string().into(), pod);
    let mut held: Vec<_> = (0..roll::PER_POD)
        .map(|number| open(number, "u").unwrap())
        .collect();
    assert!(open(100, "u").is_none());
    let _other = open(101, "v").unwrap();
    held.pop();
    assert!(open(102, "u").is_some());
}

#[test]
fn a_stream_that_ends_is_not_counted() {
    let streams = streams();
    let stream = streams.register("s".into(), "u").unwrap();
    stream.sent(&bundle("1", &[("a", "1")]), Instant::now());
    drop(stream);
    assert!(streams.counts().is_empty());
    assert!(!acknowledge(&streams, "s", "1", &[]));
}

/// The number that is kept is the one that counting gives.
fn recount(streams: &Streams) -> (usize, usize) {
    let roll = streams.lock();
    let current = roll.all().filter(|live| {
        let sent = live.sent.as_ref().map(|sent| &sent.revisions);
        let acknowledged = live.acknowledged.as_ref().map(|ack| &ack.revisions);
        sent.is_some() && sent == acknowledged
    });
    let current = current.count();
    (current, roll.all().count() - current)
}

#[test]
fn a_change_of_one_stream_looks_at_no_other() {
    const STREAMS: usize = 2000;
    let streams = streams();
    let entries: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let issue = |revision: &str| {
        let entries: Vec<_> = entries
            .iter()
            .map(|name| (name.as_str(), revision))
            .collect();
        bundle(revision, &entries)
    };
    let held: Vec<_> = (0..STREAMS)
        .map(|number| {
            streams
                .register(number.to_string().into(), &format!("u{number}"))
                .unwrap()
        })
        .collect();
    for revision in ["1", "2"] {
        let issue = issue(revision);
        for (number, stream) in held.iter().enumerate() {
            stream.sent(&issue, Instant::now());
            acknowledge(&streams, &number.to_string(), revision, &[]);
        }
    }
    let (compared, totals) = {
        let roll = streams.lock();
        (roll.compared, roll.totals())
    };
    assert_eq!(totals, (STREAMS, 0));
    assert_eq!(
        compared,
        4 * STREAMS,
        "two bundles, and two acknowledgements"
    );
    drop(held);
    assert_eq!(streams.lock().totals(), (0, 0));
}

#[test]
fn the_number_of_current_streams_is_right_after_every_change() {
    let streams = streams();
    let mut held = BTreeMap::new();
    let mut state = 1_u64;
    for _ in 0..5000 {
        // Numerical Recipes' generator: any sequence will do, but the same.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let [what, number, revision] = [32, 40, 48].map(|bits| (state >> bits) % 7);
        let (id, revision) = (number.to_string(), (revision % 3).to_string());
        match what {
            0 => drop(held.remove(&id)),
            1 if !held.contains_key(&id) => {
                let stream = streams.register(id.as_str().into(), "u");
                held.insert(id, stream.unwrap());
            }
            2..=4 => {
                if let Some(stream) = held.get(&id) {
                    stream.sent(
                        &bundle(&revision, &[("a", &revision), ("b", "1")]),
                        Instant::now(),
                    );
                }
            }
            _ => {
                acknowledge(&streams, &id, &revision, &[]);
            }
        }
        let totals = streams.lock().totals();
        assert_eq!(totals, recount(&streams));
    }
}
