use super::*;

use credence_core::names::feed_server_name;
use k8s_openapi::api::core::v1::Secret;

fn services() -> Vec<String> {
    vec!["credence-feed".to_owned(), "credence-webhook".to_owned()]
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

/// One authority, made at the start.
fn one() -> Authorities {
    advance(&Authorities::default(), &Step::Create, &services(), start()).unwrap()
}

fn root(held: Option<&Held>) -> &str {
    &held.unwrap().root
}

/// What is asked when nothing is going on.
fn quiet(authorities: &Authorities) -> Observed<'_> {
    Observed {
        authorities,
        services: &[],
        requested: false,
        announced: None,
        in_use: None,
    }
}

fn decided(authorities: &Authorities, now: Timestamp) -> Step {
    let services = services();
    let observed = Observed {
        services: &services,
        ..quiet(authorities)
    };
    decide(observed, now)
}

#[test]
fn nothing_held_means_a_new_authority() {
    assert_eq!(decided(&Authorities::default(), start()), Step::Create);
}

#[test]
fn an_authority_that_is_lost_does_not_take_the_retired_with_it() {
    let mut authorities = two();
    authorities.current = None;
    let after = advance(&authorities, &Step::Create, &services(), start()).unwrap();
    assert_eq!(after.retired.len(), 1);
    assert!(after.current.is_some());
}

/// One current, one retired.
fn two() -> Authorities {
    let one = one();
    let begun = advance(&one, &Step::Begin("test"), &services(), start()).unwrap();
    advance(&begun, &Step::Promote, &services(), start()).unwrap()
}

#[test]
fn leaves_are_renewed_when_thirty_days_are_left_those_of_retired_authorities_too() {
    let authorities = two();
    let until = at("2026-03-02T00:00:00Z");
    let just_before = at("2026-03-01T23:59:59Z");
    assert_eq!(decided(&authorities, just_before), Step::Keep { until });
    let all: BTreeSet<String> = authorities.all().map(|held| held.root.clone()).collect();
    let step = decided(&authorities, until);
    assert_eq!(step, Step::Renew(all));
    let renewed = advance(&authorities, &step, &services(), until).unwrap();
    assert!(
        renewed
            .all()
            .map(|held| held.root.clone())
            .eq(all_in_order(&authorities))
    );
    for held in renewed.all() {
        assert_eq!(
            held.leaf.as_ref().unwrap().expires,
            at("2026-05-31T00:00:00Z")
        );
    }
}

fn all_in_order(authorities: &Authorities) -> impl Iterator<Item = String> {
    authorities.all().map(|held| held.root.clone())
}

#[test]
fn a_leaf_that_is_lost_or_has_other_names_is_signed_anew() {
    let mut authorities = one();
    let due = BTreeSet::from([root(authorities.current.as_ref()).to_owned()]);
    let other = ["other".to_owned()];
    let observed = Observed {
        services: &other,
        ..quiet(&authorities)
    };
    assert_eq!(decide(observed, start()), Step::Renew(due.clone()));
    authorities.current.as_mut().unwrap().leaf = None;
    assert_eq!(decided(&authorities, start()), Step::Renew(due));
}

#[test]
fn a_rotation_begins_when_it_is_asked_for_or_a_year_before_the_end() {
    let services = services();
    let authorities = one();
    let requested = Observed {
        requested: true,
        services: &services,
        ..quiet(&authorities)
    };
    assert!(matches!(decide(requested, start()), Step::Begin(_)));
    // Ten years of 365 days; the leaf of that time is another.
    let mut old = authorities.clone();
    let held = old.current.as_mut().unwrap();
    held.leaf.as_mut().unwrap().expires = at("2040-01-01T00:00:00Z");
    assert!(matches!(
        decided(&old, at("2034-12-29T23:59:59Z")),
        Step::Keep { .. }
    ));
    assert!(matches!(
        decided(&old, at("2034-12-30T00:00:00Z")),
        Step::Begin(_)
    ));
}

#[test]
fn an_authority_is_used_only_when_every_api_server_trusts_it() {
    let services = services();
    let begun = advance(&one(), &Step::Begin("test"), &services, start()).unwrap();
    let asked = |announced| {
        let observed = Observed {
            announced,
            // A second request waits for the first.
            requested: true,
            services: &services,
            ..quiet(&begun)
        };
        decide(observed, start() + SPREAD)
    };
    assert!(matches!(asked(None), Step::Keep { .. }));
    let late = start() + SignedDuration::from_secs(1);
    assert_eq!(
        asked(Some(late)),
        Step::Keep {
            until: late + SPREAD
        }
    );
    assert_eq!(asked(Some(start())), Step::Promote);
}

#[test]
fn an_authority_is_dropped_only_when_no_pod_is_known_to_trust_it() {
    let services = services();
    let authorities = two();
    let old = authorities.retired[0].held.root.clone();
    let asked = |in_use: Option<&BTreeSet<String>>, now| {
        let observed = Observed {
            in_use,
            services: &services,
            ..quiet(&authorities)
        };
        decide(observed, now)
    };
    let trusting = BTreeSet::from([old.clone()]);
    let nobody = BTreeSet::new();
    let over = start() + ECHO;
    assert!(matches!(asked(None, over), Step::Keep { .. }), "not known");
    assert!(matches!(asked(Some(&trusting), over), Step::Keep { .. }));
    let early = over - SignedDuration::from_secs(1);
    assert_eq!(asked(Some(&nobody), early), Step::Keep { until: over });
    let step = asked(Some(&nobody), over);
    assert_eq!(step, Step::Drop(BTreeSet::from([old])));
    let after = advance(&authorities, &step, &services, over).unwrap();
    assert_eq!(after.retired.len(), 0);
    assert_eq!(
        root(after.current.as_ref()),
        root(authorities.current.as_ref())
    );
}

/// A whole rotation, of which every step is made by another replica that knows
/// nothing but the Secret, while the others are one step behind.
#[test]
fn a_rotation_survives_a_restart_at_every_step_and_cuts_off_nobody() {
    let services = services();
    let mut held = one();
    let before = root(held.current.as_ref()).to_owned();
    // Pods that run, by the root that they trust.
    let mut pods = BTreeSet::from([before.clone()]);
    let mut trusted = held.trust(start()).unwrap();
    let mut requested = true;
    let mut announced = None;
    let mut now = start();
    let mut steps = Vec::new();
    while steps.len() < 8 {
        let secret = Secret {
            data: Some(held.to_data()),
            ..Secret::default()
        };
        let (read, faults) = Authorities::of_secret(&secret);
        assert_eq!(faults, []);
        let observed = Observed {
            authorities: &read,
            services: &services,
            requested,
            announced,
            in_use: Some(&pods),
        };
        let step = decide(observed, now);
        let behind = read;
        held = advance(&behind, &step, &services, now).unwrap();
        // Both the replica that made the step and one that has not seen it are
        // asked by API servers, which know the bundle of the step before …
        for replica in [&behind, &held] {
            let serving = &replica.trust(now).unwrap().serving;
            assert!(trusted.bundle.contains(serving.as_str()), "{step:?}");
            // … and by every pod, also those that the other one injects.
            let given = [&behind, &held].map(|r| root(r.current.as_ref()).to_owned());
            for trusted in pods.iter().chain(&given) {
                let name = feed_server_name(trusted);
                let leaf = replica.serving(Some(&name)).unwrap();
                assert!(leaf.names.contains(&name), "{step:?}: {trusted} is cut off");
            }
        }
        trusted = held.trust(now).unwrap();
        match &step {
            // Whoever leads sees the bundle only now.
            Step::Begin(_) => (requested, announced) = (false, Some(now)),
            // The pods are replaced, one by one.
            Step::Promote => {
                pods.insert(root(held.current.as_ref()).to_owned());
            }
            Step::Keep { until } if *until < now + ECHO + ECHO => now = *until,
            Step::Keep { .. } => {
                if !pods.remove(&before) {
                    break;
                }
            }
            Step::Create | Step::Renew(_) | Step::Drop(_) => {}
        }
        steps.push(step);
    }
    let kinds: Vec<String> = steps
        .iter()
        .map(|step| format!("{step:?}"))
        .map(|step| step.split([' ', '(']).next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        kinds,
        ["Begin", "Keep", "Promote", "Keep", "Keep", "Drop"],
        "{steps:?}"
    );
    assert_ne!(root(held.current.as_ref()), before);
    assert_eq!(held.all().count(), 1);
}
