use credence_core::Secret;
use credence_core::bundle::{OnConflict, Placed, Value};

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

#[test]
fn without_its_token_a_collection_is_refused_rather_than_called() {
    let mut waiting = route("");
    let pieces = r#"[{"text": "Bearer "}, {"token": ""}]"#;
    waiting.headers[0].value = Value::Varying(serde_json::from_str(pieces).unwrap());
    let (table, refused) = compiler().compile(live(waiting), None);
    assert_eq!(refused["api"], "a token is placed, and there is none");
    assert_eq!(table.find("api").unwrap_err().slug, Slug::Unsupported);
}
