use credence_core::Secret;
use credence_core::bundle::{NoToken, OnConflict, Placed, Token, Value};

use super::*;

fn route(key: &str) -> Route {
    Route {
        headers: vec![Placed {
            name: "Authorization".to_owned(),
            value: Secret::new(key).into(),
            private: true,
            on_conflict: OnConflict::Replace,
        }],
        ..Route::to("https://api.test/v1".parse().unwrap())
    }
}

fn bundle(environment: Environment, entry: Option<Entry>) -> Bundle {
    Bundle {
        revision: String::new(),
        environment,
        collections: entry
            .into_iter()
            .map(|entry| ("api".parse().unwrap(), entry))
            .collect(),
        tokens: [].into(),
    }
}

fn live(route: Route) -> Bundle {
    bundle(Environment::Live, Some(Entry::Ready(Arc::new(route))))
}

fn compiler() -> Compiler {
    Compiler::new(Egress::default(), 2, Arc::default(), Board::default())
}

fn destination(table: &Table) -> &Arc<Destination> {
    table.find("api").unwrap()
}

#[test]
fn what_has_not_changed_is_taken_over_as_it_is() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live(route("k")), None);
    let (second, _) = compiler.compile(live(route("k")), Some(&first));
    assert!(Arc::ptr_eq(destination(&first), destination(&second)));
}

#[test]
fn a_rotated_key_keeps_lineage_and_connections() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live(route("old")), None);
    let (second, _) = compiler.compile(live(route("new")), Some(&first));
    let (old, new) = (destination(&first), destination(&second));
    assert!(!Arc::ptr_eq(old, new));
    assert_eq!(old.lineage, new.lineage);
    assert!(Arc::ptr_eq(&old.upstream, &new.upstream));
}

#[test]
fn another_server_or_another_trust_gets_its_own_connections() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live(route("k")), None);
    let mut moved = route("k");
    moved.base_url = "https://other.test/v1".parse().unwrap();
    let mut private = route("k");
    private.allow_private_networks = true;
    for changed in [moved, private] {
        let (second, _) = compiler.compile(live(changed), Some(&first));
        let (old, new) = (destination(&first), destination(&second));
        assert_eq!(old.lineage, new.lineage);
        assert!(!Arc::ptr_eq(&old.upstream, &new.upstream));
    }
}

#[test]
fn what_was_withdrawn_or_changes_its_environment_begins_anew() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live(route("k")), None);
    let (gone, _) = compiler.compile(bundle(Environment::Live, None), Some(&first));
    let (back, _) = compiler.compile(live(route("k")), Some(&gone));
    let entry = Some(Entry::Ready(Arc::new(route("k"))));
    let other = bundle(Environment::Development, entry);
    let (other, _) = compiler.compile(other, Some(&first));
    for later in [&back, &other] {
        let (old, new) = (destination(&first), destination(later));
        assert_ne!(old.lineage, new.lineage);
        assert!(!Arc::ptr_eq(&old.upstream, &new.upstream));
    }
}

#[test]
fn a_collection_that_cannot_be_served_is_refused_and_no_other() {
    let mut broken = route("a\nb");
    broken.headers[0].name = "X-Key".to_owned();
    let (table, refused) = compiler().compile(live(broken), None);
    assert_eq!(
        refused["api"],
        "the value of header X-Key holds a control character"
    );
    let problem = table.find("api").unwrap_err();
    assert_eq!(problem.slug, Slug::Unsupported);
    assert_eq!(table.states()["api"], "unsupported");
}

#[test]
fn how_a_credential_stands_is_forgotten_with_it_and_not_before() {
    let mut compiler = compiler();
    let slower = Route {
        sidecar_port: Some(9001),
        ..route("k")
    };
    let elsewhere = Route {
        base_url: "https://other.test/v1".parse().unwrap(),
        ..route("k")
    };
    let (first, _) = compiler.compile(live(route("k")), None);
    let mut same = |route| {
        let (second, _) = compiler.compile(live(route), Some(&first));
        Arc::ptr_eq(
            &destination(&first).standing,
            &destination(&second).standing,
        )
    };
    assert!(same(slower));
    assert!(!same(route("l")));
    assert!(!same(elsewhere));
}

fn on_token() -> Route {
    let value = serde_json::from_str(r#"[{"text": "Bearer "}, {"token": ""}]"#).unwrap();
    let mut route = route("");
    route.headers[0].value = Value::Varying(value);
    route
}

fn held(value: &str, generation: u64, expires_at: Option<Timestamp>) -> TokenState {
    TokenState::Held(Token {
        expires_at,
        ..Token::new(Secret::new(value), generation)
    })
}

fn withheld(why: NoToken, retry_at: Option<Timestamp>) -> TokenState {
    TokenState::Withheld(Withheld { why, retry_at })
}

fn tokens(state: TokenState) -> Tokens {
    Tokens::from([("api".parse().unwrap(), state)])
}

fn live_with(state: TokenState) -> Bundle {
    Bundle {
        tokens: tokens(state),
        ..live(on_token())
    }
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

fn authorization(table: &Table) -> Option<&str> {
    destination(table).route.headers[0].value.fixed()
}

#[test]
fn a_collection_on_a_token_is_called_with_the_one_that_it_has() {
    let mut compiler = compiler();
    let (table, refused) = compiler.compile(live_with(held("t1", 1, None)), None);
    assert_eq!(refused, BTreeMap::new());
    assert_eq!(authorization(&table), Some("Bearer t1"));
    assert_eq!(table.states()["api"], "ready");
    let (renewed, _) = compiler.renew(tokens(held("t2", 2, None)), &table);
    assert_eq!(authorization(&renewed), Some("Bearer t2"));
    let (old, new) = (destination(&table), destination(&renewed));
    assert_eq!(old.lineage, new.lineage);
    assert!(Arc::ptr_eq(&old.upstream, &new.upstream));
}

#[test]
fn an_expired_token_is_never_used() {
    let (table, _) = compiler().compile(live_with(held("t1", 1, Some(in_seconds(-1)))), None);
    let problem = table.find("api").unwrap_err();
    assert_eq!(problem.slug, Slug::TokenUnavailable);
    assert_eq!(table.states()["api"], "token-unavailable");
    let later = live_with(held("t1", 1, Some(in_seconds(60))));
    let (table, _) = compiler().compile(later, None);
    assert_eq!(authorization(&table), Some("Bearer t1"));
}

#[test]
fn without_a_token_nothing_is_called_and_the_time_of_the_next_try_is_told() {
    let find = |state| {
        let (table, _) = compiler().compile(live_with(state), None);
        let problem = table.find("api").unwrap_err();
        (problem.slug, problem.retry_after)
    };
    let unavailable = |retry_at| find(withheld(NoToken::Unavailable, retry_at));
    assert_eq!(unavailable(None), (Slug::TokenUnavailable, 5));
    let (slug, after) = unavailable(Some(in_seconds(60)));
    assert_eq!(slug, Slug::TokenUnavailable);
    assert!((58..=60).contains(&after), "{after}");
    assert_eq!(unavailable(Some(in_seconds(-60))).1, 1);
    assert_eq!(unavailable(Some(Timestamp::MAX)).1, 300);
    let (slug, _) = find(withheld(NoToken::ReauthorizationRequired, None));
    assert_eq!(slug, Slug::ReauthorizationRequired);
    let (table, _) = compiler().compile(live(on_token()), None);
    assert_eq!(table.states()["api"], "token-unavailable");
}

/// What was begun with a token goes on when that has ended.
#[test]
fn a_token_that_ends_withdraws_nothing() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live_with(held("t1", 1, None)), None);
    let gone = tokens(withheld(NoToken::Unavailable, None));
    let (without, _) = compiler.renew(gone, &first);
    let problem = without.find("api").unwrap_err();
    assert_eq!(problem.slug, Slug::TokenUnavailable);
    let lineages = |table: &Table| -> Vec<u64> {
        let all = table.destinations();
        all.map(|destination| destination.lineage).collect()
    };
    assert_eq!(lineages(&without), lineages(&first));
    // Nor does a bundle that comes meanwhile.
    let (again, _) = compiler.compile(live(on_token()), Some(&without));
    let (back, _) = compiler.renew(tokens(held("t2", 2, None)), &again);
    assert_eq!(lineages(&back), lineages(&first));
    assert_eq!(authorization(&back), Some("Bearer t2"));
}

#[test]
fn a_token_is_of_no_use_to_a_collection_that_needs_none() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live(route("k")), None);
    let mut others = tokens(held("t1", 1, None));
    others.insert("other".parse().unwrap(), held("t1", 1, None));
    let (second, refused) = compiler.renew(others, &first);
    assert_eq!(refused, BTreeMap::new());
    assert!(Arc::ptr_eq(destination(&first), destination(&second)));
    assert_eq!(second.states().len(), 1);
}

#[test]
fn a_token_that_cannot_be_written_refuses_the_collection() {
    let (_, refused) = compiler().compile(live_with(held("a\nb", 1, None)), None);
    assert_eq!(
        refused["api"],
        "the token holds a character that a header cannot hold"
    );
}

fn successor(table: &Table, before: &Table) -> &'static str {
    match table.successor(destination(before)) {
        Successor::Newer(_) => "newer",
        Successor::Same => "same",
        Successor::Hopeless => "hopeless",
    }
}

#[test]
fn only_another_credential_of_the_same_collection_is_worth_another_try() {
    let mut compiler = compiler();
    let (first, _) = compiler.compile(live_with(held("t1", 1, None)), None);
    assert_eq!(successor(&first, &first), "same");
    let ended = held("t2", 2, Some(in_seconds(-1)));
    for (state, expected) in [
        (held("t1", 1, Some(in_seconds(60))), "same"),
        (held("t2", 2, None), "newer"),
        (held("t1", 2, None), "hopeless"),
        (withheld(NoToken::Unavailable, None), "hopeless"),
        (ended, "hopeless"),
    ] {
        let (next, _) = compiler.renew(tokens(state.clone()), &first);
        assert_eq!(successor(&next, &first), expected, "{state:?}");
    }
    let (gone, _) = compiler.compile(bundle(Environment::Live, None), Some(&first));
    let (back, _) = compiler.compile(live_with(held("t2", 2, None)), Some(&gone));
    assert_eq!(successor(&gone, &first), "hopeless");
    assert_eq!(successor(&back, &first), "hopeless");
    let elsewhere = Bundle {
        environment: Environment::Development,
        ..live_with(held("t2", 2, None))
    };
    let (elsewhere, _) = compiler.compile(elsewhere, Some(&first));
    assert_eq!(successor(&elsewhere, &first), "hopeless");
    let moved = "https://other.test/v1".parse().unwrap();
    let on_another_host = Bundle {
        tokens: tokens(held("t2", 2, None)),
        ..live(Route {
            base_url: moved,
            ..on_token()
        })
    };
    let without_a_token = live(route("k"));
    let as_it_was = live_with(held("t2", 2, None));
    for (bundle, expected) in [
        (on_another_host, "hopeless"),
        (without_a_token, "hopeless"),
        (as_it_was, "newer"),
    ] {
        let (next, refused) = compiler.compile(bundle, Some(&first));
        assert_eq!(refused, BTreeMap::new());
        assert_eq!(successor(&next, &first), expected);
    }
    let mut of_its_own = Token::new(Secret::new("t2"), 2);
    of_its_own.base_url = Some("https://other.test/v1".parse().unwrap());
    let (led_away, _) = compiler.renew(tokens(TokenState::Held(of_its_own)), &first);
    assert_eq!(successor(&led_away, &first), "hopeless");
}
