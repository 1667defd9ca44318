//! The conditions that are there only while they are true.

use credence_core::reception::Said;

use super::*;

fn rejection(status: u16, until: Option<Timestamp>) -> Rejection {
    Rejection {
        said: Said {
            status: Some(status),
            worked: true,
            generation: None,
            named: false,
        },
        until,
    }
}

#[test]
fn a_refused_credential_is_a_condition_for_as_long_as_it_is_in_use() {
    let plan_with = |revision: &str, until| Observed {
        rejections: BTreeMap::from([(revision.to_owned(), rejection(401, until))]),
        ..observed(&openai())
    };
    let now = at(100);
    let good = plan(&observed(&openai()), now);
    let current = &good.planned.resolutions[&Environment::Development].revision;
    let refused = plan(&plan_with(current, None), now);
    assert_eq!(
        further(&refused),
        [(condition::CREDENTIAL_REJECTED, "NoLongerAccepted")]
    );
    let said = message(&refused, condition::CREDENTIAL_REJECTED);
    assert!(said.contains("\"openai-dev\" (development)"), "{said}");
    assert!(conditions(&refused).contains(&("Ready", "True", "Ready")));
    assert_eq!(refused.look_again, None);
    let another = plan(&plan_with("another", None), now);
    assert_eq!(further(&another), [], "it is not in use any more");
    let ending = plan(&plan_with(current, Some(at(107))), now);
    assert_eq!(ending.look_again, Some(Duration::from_secs(7)));
}

#[test]
fn what_may_not_be_read_is_a_condition_with_the_command_that_allows_it() {
    let command = "kubectl create rolebinding credence-credentials --namespace=shop";
    let gathered = Gathered::Forbidden {
        kind: SourceKind::Secret,
        namespace: "shop".to_owned(),
        command: command.to_owned(),
    };
    let inputs = inputs(Environment::Development, Found::Forbidden);
    let observed = Observed {
        sights: BTreeMap::from([(Environment::Development, Sight::Read(inputs, gathered))]),
        ..observed(&openai())
    };
    let plan = plan(&observed, at(100));
    let expected = [(condition::ACCESS_FORBIDDEN, reason::ACCESS_FORBIDDEN)];
    assert_eq!(further(&plan), expected);
    assert!(message(&plan, condition::ACCESS_FORBIDDEN).contains(command));
}

#[test]
fn live_credentials_in_development_are_said_so() {
    let object = manifest(&json!({
        "baseUrl": "https://api.openai.com/v1",
        "auth": {"apiKey": {"in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}"}},
        "live": {"secretRef": {"name": "openai-live"}},
        "developmentFallback": "UseLive",
    }));
    let inputs = inputs(Environment::Development, Found::At("7".to_owned()));
    let sight = Sight::Read(inputs, material("openai-live", "api-key"));
    let plan = plan(
        &Observed {
            sights: BTreeMap::from([(Environment::Development, sight)]),
            ..observed(&object)
        },
        at(100),
    );
    let expected = [(
        condition::DEVELOPMENT_USES_LIVE_CREDENTIALS,
        reason::DEVELOPMENT_FALLBACK,
    )];
    assert_eq!(further(&plan), expected);
    assert!(conditions(&plan).contains(&("CredentialsResolved", "True", "Resolved")));
}

#[test]
fn a_key_that_is_plainly_for_the_other_environment_is_a_condition_without_the_key() {
    let secret = SecretObject {
        data: BTreeMap::from([("api-key".to_owned(), b"sk_live_planted".to_vec().into())]),
        ..SecretObject::default()
    };
    let gathered = Gathered::Material(Material {
        secrets: BTreeMap::from([("openai-dev".to_owned(), secret)]),
        ..Material::default()
    });
    let inputs = inputs(Environment::Development, Found::At("7".to_owned()));
    let plan = plan(
        &Observed {
            sights: BTreeMap::from([(Environment::Development, Sight::Read(inputs, gathered))]),
            ..observed(&openai())
        },
        at(100),
    );
    let expected = [(condition::KEY_OF_OTHER_ENVIRONMENT, "WellKnownPrefix")];
    assert_eq!(further(&plan), expected);
    let said = message(&plan, condition::KEY_OF_OTHER_ENVIRONMENT);
    assert!(
        said.contains("\"api-key\" of Secret \"openai-dev\""),
        "{said}"
    );
    assert!(!said.contains("planted"), "{said}");
}
