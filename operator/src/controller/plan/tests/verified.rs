//! What is said of credentials that are verified.

use super::*;
use crate::tokens::tests::{on_token, order};
use crate::verification::{Outcome, Verified};

const DEVELOPMENT: Environment = Environment::Development;
const LIVE: Environment = Environment::Live;

fn verifying() -> ApiCollection {
    let mut object = openai();
    object.spec.verification = serde_json::from_value(json!({"path": "/models"})).unwrap();
    object
}

fn of(environment: Environment, outcome: Outcome) -> (Environment, Verified) {
    let inputs = inputs(environment, Found::At("7".to_owned()));
    (environment, Verified { inputs, outcome })
}

fn planned(object: &ApiCollection, verified: &[(Environment, Verified)]) -> Plan {
    let observed = Observed {
        verified: verified.iter().cloned().collect(),
        ..observed(object)
    };
    plan(&observed, at(100))
}

fn after(outcome: Outcome) -> Plan {
    planned(&verifying(), &[of(DEVELOPMENT, outcome)])
}

fn said(plan: &Plan) -> Option<(&str, &str)> {
    let all = conditions(plan).into_iter();
    let mut verified = all.filter(|(type_, ..)| *type_ == condition::VERIFIED);
    verified.next().map(|(_, status, reason)| (status, reason))
}

#[test]
fn without_a_verification_nothing_is_said_of_one() {
    let verified = [of(DEVELOPMENT, Outcome::Answered(401))];
    assert_eq!(said(&planned(&openai(), &verified)), None);
}

#[test]
fn an_answer_as_expected_verifies_the_credential() {
    let plan = after(Outcome::Answered(200));
    assert_eq!(said(&plan), Some(("True", "VerificationSucceeded")));
    let message = message(&plan, condition::VERIFIED);
    assert_eq!(message, "GET /models is answered 200 (development).");
}

#[test]
fn another_answer_fails_it_and_says_what_to_do_and_leaves_the_collection_ready() {
    for (status, words) in [
        (
            401,
            [
                "refuses the credential in Secret \"openai-dev\"",
                "spec.auth",
            ],
        ),
        (
            403,
            [
                "refuses the credential in Secret \"openai-dev\"",
                "the right to it",
            ],
        ),
        (302, ["a redirect, which is not followed", "spec.baseUrl"]),
        (404, ["has no such call", "spec.verification"]),
        (429, ["too often", "intervalMinutes"]),
        (503, ["the API's own fault", "nothing of the credential"]),
        (204, ["documentation", "expectStatus"]),
    ] {
        let plan = after(Outcome::Answered(status));
        assert_eq!(said(&plan), Some(("False", "VerificationFailed")));
        let text = message(&plan, condition::VERIFIED);
        let start = format!("GET /models is answered {status} instead of 200 (development): ");
        assert!(text.starts_with(&start), "{text}");
        for word in words.into_iter().chain(["otherwise every 60 minutes"]) {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(conditions(&plan).contains(&("Ready", "True", "Ready")));
        let shown = serde_json::to_string(&plan.status).unwrap();
        assert!(!shown.contains("planted"), "{shown}");
    }
}

#[test]
fn a_client_certificate_that_is_refused_fails_it() {
    let plan = after(Outcome::CertificateRefused);
    assert_eq!(said(&plan), Some(("False", "VerificationFailed")));
    assert!(message(&plan, condition::VERIFIED).contains("tlsSecretRef"));
}

#[test]
fn without_an_answer_nothing_is_known() {
    let plan = after(Outcome::Private);
    assert_eq!(said(&plan), Some(("Unknown", "Unreachable")));
    assert!(message(&plan, condition::VERIFIED).contains("broker.privateNetworks"));
    let why = "the API gave no answer within 30.0 s";
    let plan = after(Outcome::NoAnswer(why.to_owned()));
    assert_eq!(said(&plan), Some(("Unknown", "Unreachable")));
    assert!(message(&plan, condition::VERIFIED).contains(why));
}

#[test]
fn before_the_first_call_and_after_a_change_nothing_is_known() {
    let plan = planned(&verifying(), &[]);
    assert_eq!(said(&plan), Some(("Unknown", "Pending")));
    let (_, mut old) = of(DEVELOPMENT, Outcome::Answered(200));
    old.inputs = inputs(DEVELOPMENT, Found::At("6".to_owned()));
    let plan = planned(&verifying(), &[(DEVELOPMENT, old)]);
    assert_eq!(said(&plan), Some(("Unknown", "Pending")));
    assert!(message(&plan, condition::VERIFIED).contains("has changed"));
}

/// Who begins to lead has made no call, and what was said may still be true.
#[test]
fn what_the_last_leader_said_stays_until_it_is_found_out_anew() {
    let failed = after(Outcome::Answered(401)).status.conditions;
    let mut object = verifying();
    object.status = Some(ApiCollectionStatus {
        conditions: failed.clone(),
        ..ApiCollectionStatus::default()
    });
    let plan = planned(&object, &[]);
    assert_eq!(said(&plan), Some(("False", "VerificationFailed")));
    let kept = |conditions: &[Condition]| {
        let mut conditions = conditions.iter();
        conditions
            .find(|said| said.type_ == condition::VERIFIED)
            .cloned()
    };
    assert_eq!(kept(&plan.status.conditions), kept(&failed));
    object.metadata.generation = Some(4);
    assert_eq!(said(&planned(&object, &[])), Some(("Unknown", "Pending")));
}

#[test]
fn both_environments_must_be_accepted() {
    let both = |verified: &[(Environment, Verified)]| {
        let observed = Observed {
            sights: BTreeMap::from([found(DEVELOPMENT), found(LIVE)]),
            verified: verified.iter().cloned().collect(),
            ..observed(&verifying())
        };
        plan(&observed, at(100))
    };
    let good = of(DEVELOPMENT, Outcome::Answered(200));
    let plan = both(&[good.clone(), of(LIVE, Outcome::Answered(200))]);
    assert_eq!(said(&plan), Some(("True", "VerificationSucceeded")));
    let plan = both(&[good.clone(), of(LIVE, Outcome::Answered(401))]);
    assert_eq!(said(&plan), Some(("False", "VerificationFailed")));
    let text = message(&plan, condition::VERIFIED);
    assert!(
        text.contains("(live)") && !text.contains("(development)"),
        "{text}"
    );
    assert_eq!(said(&both(&[good])), Some(("Unknown", "Pending")));
}

#[test]
fn without_a_token_or_a_secret_no_call_can_be_made() {
    let resolution = Resolution {
        entry: on_token(),
        order: Some(order(1)),
        ..Resolution::rejected(inputs(DEVELOPMENT, Found::At("7".to_owned())))
    };
    let observed_with = |sight| Observed {
        sights: BTreeMap::from([(DEVELOPMENT, sight)]),
        ..observed(&verifying())
    };
    let without_token = plan(
        &observed_with(Sight::Unchanged(Arc::new(resolution))),
        at(100),
    );
    assert_eq!(said(&without_token), Some(("Unknown", "NoToken")));
    let absent = inputs(DEVELOPMENT, Found::Absent);
    let gathered = Gathered::Material(Material::default());
    let without_secret = plan(&observed_with(Sight::Read(absent, gathered)), at(100));
    assert_eq!(said(&without_secret), Some(("Unknown", "Pending")));
}
