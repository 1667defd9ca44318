use super::*;

const HOUR: Duration = Duration::from_hours(1);
const DEVELOPMENT: Environment = Environment::Development;
const LIVE: Environment = Environment::Live;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn subject(name: &str, environment: Environment) -> Subject {
    Subject {
        of: CollectionKey::in_namespace("shop", name.parse().unwrap()),
        environment,
    }
}

fn openai() -> Subject {
    subject("openai", DEVELOPMENT)
}

fn inputs(generation: i64) -> Inputs {
    Inputs {
        uid: "u".to_owned(),
        generation,
        environment: DEVELOPMENT,
        objects: BTreeMap::new(),
    }
}

/// A schedule and its time; nothing is spread but what a test wants to be.
struct Rig {
    schedule: Schedule,
    now: i64,
}

impl Rig {
    /// Of a replica that has led for long.
    fn settled() -> Self {
        Self {
            schedule: Schedule::new(at(0)),
            now: 1_000,
        }
    }

    fn follow(&mut self, wanted: &[(Subject, i64)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(subject, generation)| (subject.clone(), inputs(*generation)))
            .collect();
        let wanted = wanted.iter();
        let wanted = wanted.map(|(subject, inputs)| (subject.clone(), inputs, HOUR));
        self.schedule
            .follow(wanted, at(self.now), |longest| longest);
    }

    /// What begins at this second, and ends at once.
    fn begun_at(&mut self, second: i64) -> Vec<Subject> {
        self.now = second;
        let begun = self.begin(|_| true);
        begun.iter().for_each(|subject| self.schedule.end(subject));
        begun
    }

    fn begin(&mut self, can: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let none = |_| Duration::ZERO;
        self.schedule.begin(2, can, at(self.now), none)
    }

    fn next(&self) -> Option<i64> {
        self.schedule.next(at(self.now)).map(Timestamp::as_second)
    }
}

#[test]
fn a_new_collection_is_verified_at_once_and_then_once_an_interval() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_000), [openai()]);
    assert_eq!(rig.next(), Some(4_600));
    for second in [1_001, 1_060, 4_599] {
        rig.follow(&[(openai(), 1)]);
        assert_eq!(rig.begun_at(second), [], "{second}");
    }
    assert_eq!(rig.begun_at(4_600), [openai()]);
    assert_eq!(rig.begun_at(4_601), []);
}

#[test]
fn a_change_is_verified_at_once_but_not_more_than_once_a_minute() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_000), [openai()]);
    rig.now = 1_010;
    rig.follow(&[(openai(), 2)]);
    assert_eq!(rig.begun_at(1_010), []);
    rig.follow(&[(openai(), 3)]);
    assert_eq!(rig.next(), Some(1_060));
    assert_eq!(rig.begun_at(1_060), [openai()]);
    rig.now = 3_000;
    rig.follow(&[(openai(), 4)]);
    assert_eq!(rig.begun_at(3_000), [openai()]);
    assert_eq!(rig.next(), Some(6_600), "the interval begins anew");
}

#[test]
fn what_changes_during_a_call_is_called_for_again() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begin(|_| true), [openai()]);
    rig.now = 1_100;
    rig.follow(&[(openai(), 2)]);
    assert_eq!(rig.begin(|_| true), [], "one is under way");
    rig.schedule.end(&openai());
    assert_eq!(rig.begin(|_| true), [openai()]);
}

#[test]
fn after_a_start_the_first_calls_are_spread() {
    let mut rig = Rig {
        schedule: Schedule::new(at(990)),
        now: 1_000,
    };
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_299), []);
    assert_eq!(rig.next(), Some(1_300), "five minutes at the most");
    rig.follow(&[(openai(), 2)]);
    assert_eq!(rig.begun_at(1_299), [openai()], "a change is not put off");
}

#[test]
fn calls_are_late_by_a_tenth_at_the_most_and_never_early() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    let latest = |longest: Duration| longest;
    rig.schedule.begin(1, |_| true, at(1_000), latest);
    rig.schedule.end(&openai());
    assert_eq!(rig.next(), Some(1_000 + 3_960));
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.next(), Some(1_000 + 3_960));
}

#[test]
fn environments_have_calls_of_their_own_and_a_few_are_made_at_once() {
    let all = [
        (subject("a", DEVELOPMENT), 1),
        (subject("a", LIVE), 1),
        (subject("b", LIVE), 1),
    ];
    let mut rig = Rig::settled();
    rig.follow(&all);
    let first = rig.begun_at(1_000);
    assert_eq!(first, [all[0].0.clone(), all[1].0.clone()]);
    assert_eq!(rig.begun_at(1_000), [all[2].0.clone()]);
    assert_eq!(rig.begun_at(1_000), []);
}

/// And does not keep anybody busy meanwhile.
#[test]
fn what_has_no_token_is_called_as_soon_as_it_has_one() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begin(|_| false), []);
    assert_eq!(rig.next(), None);
    rig.now = 1_500;
    assert_eq!(rig.begin(|_| true), [openai()]);
}

/// Such as when its Secret is deleted and written again and again.
#[test]
fn what_goes_and_comes_back_is_not_called_more_than_once_a_minute() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_000), [openai()]);
    for second in [1_010, 1_030, 1_059] {
        rig.now = second;
        rig.follow(&[]);
        assert_eq!(rig.begun_at(second), []);
        assert_eq!(rig.next(), None);
        rig.follow(&[(openai(), second)]);
        assert_eq!(rig.begun_at(second), []);
        assert_eq!(rig.next(), Some(1_060));
    }
    assert_eq!(rig.begun_at(1_060), [openai()]);
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_000), [openai()]);
    rig.now = 1_060;
    rig.follow(&[]);
    assert!(rig.schedule.tracks.is_empty());
    assert_eq!(rig.begun_at(9_000), []);
    rig.schedule.end(&openai());
}

#[test]
fn a_clock_that_is_set_back_does_not_put_a_call_off_for_longer_than_an_interval() {
    let mut rig = Rig::settled();
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.begun_at(1_000_000), [openai()]);
    rig.now = 1_000;
    rig.follow(&[(openai(), 1)]);
    assert_eq!(rig.next(), Some(1_000 + 3_960));
}
