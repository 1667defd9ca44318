//! What is said about tokens.

use credence_core::resolve::{Warning, WarningKind};
use credence_core::token::refused::Forced;
use credence_core::token::{Next, Order, Record, Setback, SetbackReason};
use credence_crds::TokenStatus;

use super::*;
use crate::resolution::Resolution;
use crate::tokens::tests::{on_token, order, record};

/// A collection whose calls need a token of this order, of which this is kept.
fn planned_with(order: &Arc<Order>, kept: Option<Record>, now: i64) -> Plan {
    planned_despite(Vec::new(), order, kept, now)
}

/// The same, with something that should be looked at.
fn planned_despite(
    warnings: Vec<Warning>,
    order: &Arc<Order>,
    kept: Option<Record>,
    now: i64,
) -> Plan {
    let object = openai();
    let inputs = inputs(Environment::Development, Found::At("7".to_owned()));
    let resolution = Resolution {
        revision: inputs.revision(None),
        entry: on_token(),
        order: Some(order.clone()),
        warnings,
        ..Resolution::rejected(inputs)
    };
    let sight = Sight::Unchanged(Arc::new(resolution));
    let kept = kept.map(|kept| (Environment::Development, Arc::new(kept)));
    let observed = Observed {
        sights: BTreeMap::from([(Environment::Development, sight)]),
        records: kept.into_iter().collect(),
        ..observed(&object)
    };
    plan(&observed, at(now))
}

fn said<'a>(plan: &'a Plan, type_: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut conditions = plan.status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == type_)?;
    Some((&condition.status, &condition.reason, &condition.message))
}

fn setback(order: &Order, reason: SetbackReason, next: Next) -> Option<Setback> {
    Some(Setback {
        order: order.terms.order,
        failures: 2,
        at: at(90),
        next,
        reason,
        code: None,
        message: "the token endpoint answered 503".to_owned(),
    })
}

fn held(order: &Order) -> Record {
    (*record(order, "t0k", Some(at(3_600)))).clone()
}

#[test]
fn a_token_that_is_refused_as_soon_as_it_is_obtained_is_told_until_it_is_over() {
    let order = order(1);
    let forced = |times| Forced { at: at(100), times };
    let refused = Record {
        refused: Some(1),
        ..held(&order)
    };
    let plan = planned_with(&order, Some(refused.clone()), 101);
    assert_eq!(said(&plan, "CredentialRejected"), None);
    let again = Record {
        forced: Some(forced(1)),
        ..refused
    };
    let plan = planned_with(&order, Some(again.clone()), 101);
    let (status, reason, message) = said(&plan, "CredentialRejected").unwrap();
    assert_eq!((status, reason), ("True", "FreshTokenRefused"));
    assert!(
        message.contains("scopes, audience and base URL"),
        "{message}"
    );
    assert_eq!(said(&plan, "Ready").unwrap().0, "True");
    assert_eq!(plan.look_again, Some(Duration::from_secs(599)));
    let plan = planned_with(&order, Some(again), 700);
    assert_eq!(said(&plan, "CredentialRejected"), None);
}

fn environment(plan: &Plan) -> &EnvironmentStatus {
    &plan.status.environments[0]
}

#[test]
fn a_token_makes_a_collection_ready_and_its_end_is_told() {
    let order = order(1);
    let plan = planned_with(&order, Some(held(&order)), 100);
    let message = "The token holds until 1970-01-01T01:00:00Z.";
    assert_eq!(
        said(&plan, "TokenReady"),
        Some(("True", "Obtained", message))
    );
    assert_eq!(said(&plan, "Ready").unwrap().0, "True");
    assert!(environment(&plan).ready);
    assert_eq!(plan.status.expires.as_deref(), Some("1970-01-01T01:00:00Z"));
    let token = environment(&plan).token.clone().unwrap();
    let expected = TokenStatus {
        obtained_at: Some("1970-01-01T00:00:00Z".to_owned()),
        expires_at: Some("1970-01-01T01:00:00Z".to_owned()),
        next_refresh_at: Some("1970-01-01T00:59:00Z".to_owned()),
        ..TokenStatus::default()
    };
    assert_eq!(token, expected);
    assert_eq!(plan.look_again, Some(Duration::from_secs(3_500)));
    let shown = serde_json::to_string(&plan.status).unwrap();
    assert!(!shown.contains("t0k"), "{shown}");
}

#[test]
fn before_the_first_answer_nothing_is_said_for_sure() {
    let plan = planned_with(&order(1), None, 100);
    assert_eq!(said(&plan, "TokenReady").unwrap().0, "Unknown");
    assert_eq!(said(&plan, "Ready").unwrap().1, "Pending");
    assert!(!environment(&plan).ready);
}

#[test]
fn a_failing_renewal_is_told_while_the_token_holds_and_fails_the_collection_afterwards() {
    let order = order(1);
    let failing = || Record {
        setback: setback(&order, SetbackReason::Refused, Next::At(at(120))),
        ..held(&order)
    };
    let plan = planned_with(&order, Some(failing()), 100);
    let (status, reason, message) = said(&plan, "TokenReady").unwrap();
    assert_eq!((status, reason), ("True", "TokenRefused"));
    assert_eq!(
        message,
        "The token holds until 1970-01-01T01:00:00Z. The token endpoint answered 503. \
         It is asked again at 1970-01-01T00:02:00Z."
    );
    assert!(environment(&plan).ready);
    assert_eq!(environment(&plan).token.as_ref().unwrap().failures, 2);

    let plan = planned_with(&order, Some(failing()), 3_600);
    let (status, reason, _) = said(&plan, "TokenReady").unwrap();
    assert_eq!((status, reason), ("False", "TokenRefused"));
    assert_eq!(said(&plan, "Ready").unwrap().0, "False");
    assert!(!environment(&plan).ready);
    assert_eq!(plan.status.expires, None);
}

#[test]
fn what_waits_for_a_person_says_so() {
    let order = order(1);
    let refused = Record {
        setback: setback(&order, SetbackReason::GrantRefused, Next::Person),
        ..Record::default()
    };
    let plan = planned_with(&order, Some(refused), 100);
    let message = "The token endpoint answered 503. Have access granted again and put the new \
                   refresh token into the Secret.";
    let required = said(&plan, "ReauthorizationRequired");
    assert_eq!(required, Some(("True", "GrantRefused", message)));
    assert_eq!(said(&plan, "TokenReady").unwrap().0, "False");
}

#[test]
fn what_waits_for_a_change_says_so() {
    let order = order(1);
    let refused = Record {
        setback: setback(&order, SetbackReason::Refused, Next::Change),
        ..Record::default()
    };
    let plan = planned_with(&order, Some(refused), 100);
    let (_, _, message) = said(&plan, "TokenReady").unwrap();
    assert!(message.ends_with("It is asked again when the collection or its Secret changes."));
    assert_eq!(said(&plan, "ReauthorizationRequired"), None);
}

#[test]
fn a_collection_that_needs_no_token_says_nothing_of_one() {
    let plan = plan(&observed(&openai()), at(100));
    assert_eq!(said(&plan, "TokenReady"), None);
    assert_eq!(environment(&plan).token, None);
}

/// A status is not written with each renewal.
#[test]
fn what_is_said_of_a_token_of_a_minute_stays_the_same_while_it_is_renewed() {
    let order = order(1);
    let obtained = |second| {
        let mut kept = held(&order);
        let token = kept.held.as_mut().unwrap();
        token.obtained_at = at(second);
        let end = at(second + 60) + SignedDuration::from_millis(250);
        token.expires_at = Some(end);
        planned_with(&order, Some(kept), second + 1)
    };
    let [first, second] = [600, 1_100].map(obtained);
    assert_eq!(environment(&first), environment(&second));
    assert_eq!(first.status.expires, second.status.expires);
    let message = "The token is renewed every few minutes.";
    for plan in [&first, &second] {
        assert_eq!(said(plan, "TokenReady").unwrap().2, message);
    }
    assert_eq!(
        first.status.expires.as_deref(),
        Some("1970-01-01T00:20:00Z")
    );
    // It is looked at when it ends all the same.
    assert_eq!(first.look_again, Some(Duration::from_millis(59_250)));
}

#[test]
fn what_was_not_granted_and_clocks_that_differ_are_told_with_what_to_do() {
    let order = order(1);
    let mut kept = held(&order);
    kept.clock_skew = SignedDuration::from_secs(-95);
    kept.held.as_mut().unwrap().missing_scopes = vec!["orders.write".to_owned()];
    let plan = planned_with(&order, Some(kept), 100);
    assert_eq!(
        said(&plan, "TokenReady").unwrap().2,
        "The token holds until 1970-01-01T01:00:00Z. The provider did not grant all scopes: \
         orders.write missing. Have them granted, or take them out of token.scopes. The token \
         endpoint's clock is about 1 min behind this one: check the time of the cluster's nodes."
    );
    let mut near = held(&order);
    near.clock_skew = SignedDuration::from_secs(30);
    let plan = planned_with(&order, Some(near), 100);
    assert!(!said(&plan, "TokenReady").unwrap().2.contains("clock"));
}

#[test]
fn the_scopes_that_were_granted_are_told() {
    let mut order = (*order(1)).clone();
    order.terms.scopes = ["read", "write", "admin"].map(str::to_owned).into();
    let mut kept = held(&order);
    kept.held.as_mut().unwrap().missing_scopes = vec!["admin".to_owned()];
    let plan = planned_with(&Arc::new(order), Some(kept), 100);
    let token = plan.status.environments[0].token.as_ref().unwrap();
    assert_eq!(token.scope.as_deref(), Some("read write"));
}

/// It works, so that nothing is false.
#[test]
fn a_password_that_is_exchanged_for_tokens_is_advised_against() {
    let order = order(1);
    let warning = Warning {
        kind: WarningKind::PasswordGrant,
        field: "spec.auth.oauth2Password".to_owned(),
        message: "Use another.".to_owned(),
    };
    let plan = planned_despite(vec![warning], &order, Some(held(&order)), 100);
    let told = "The token holds until 1970-01-01T01:00:00Z. Use another.";
    assert_eq!(said(&plan, "TokenReady"), Some(("True", "Obtained", told)));
}
