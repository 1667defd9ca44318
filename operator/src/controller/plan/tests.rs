//! Plans, as tables.

mod cluster;
mod findings;
mod signed;
mod token;
mod verified;

use credence_core::bundle::{Entry, Unavailable};
use credence_core::resolve::{Material, SecretObject};
use credence_crds::{ApiCollection, EnvironmentName};
use serde_json::{Value, json};

use super::*;
use crate::collection_key::CollectionKey;
use crate::revision::{Found, SourceKind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn manifest(spec: &Value) -> ApiCollection {
    serde_json::from_value(json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ApiCollection",
        "metadata": {"name": "openai", "namespace": "shop", "uid": "u", "generation": 3},
        "spec": spec,
    }))
    .unwrap()
}

fn openai() -> ApiCollection {
    manifest(&json!({
        "baseUrl": "https://api.openai.com/v1",
        "auth": {"apiKey": {"in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}"}},
        "live": {"secretRef": {"name": "openai-live"}},
        "development": {"secretRef": {"name": "openai-dev"}},
        "access": {"serviceAccounts": ["checkout"]},
    }))
}

fn inputs(environment: Environment, found: Found) -> Inputs {
    let name = match environment {
        Environment::Live => "openai-live",
        Environment::Development => "openai-dev",
    };
    Inputs {
        uid: "u".to_owned(),
        generation: 3,
        environment,
        objects: BTreeMap::from([((SourceKind::Secret, name.to_owned()), found)]),
    }
}

fn material(secret: &str, key: &str) -> Gathered {
    let secret_object = SecretObject {
        data: BTreeMap::from([(key.to_owned(), b"sk_planted".to_vec().into())]),
        ..SecretObject::default()
    };
    Gathered::Material(Material {
        secrets: BTreeMap::from([(secret.to_owned(), secret_object)]),
        ..Material::default()
    })
}

fn found(environment: Environment) -> (Environment, Sight) {
    let secret = match environment {
        Environment::Live => "openai-live",
        Environment::Development => "openai-dev",
    };
    let inputs = inputs(environment, Found::At("7".to_owned()));
    (
        environment,
        Sight::Read(inputs, material(secret, "api-key")),
    )
}

fn observed(object: &ApiCollection) -> Observed {
    let key = CollectionKey::in_namespace("shop", "openai".parse().unwrap());
    Observed {
        manifest: Manifest::of(key, object),
        around: Surroundings {
            environment: Some(Environment::Development),
            ..Surroundings::default()
        },
        sights: BTreeMap::from([found(Environment::Development)]),
        lagging_since: None,
        records: Records::new(),
        rejections: BTreeMap::new(),
        verified: BTreeMap::new(),
    }
}

fn feed(replica: &str, connected: i32, current: i32, refused: i32) -> FeedStatus {
    FeedStatus {
        replica: replica.to_owned(),
        connected,
        current,
        refused,
        ..FeedStatus::default()
    }
}

/// Type, status and reason of each condition.
fn conditions(plan: &Plan) -> Vec<(&str, &str, &str)> {
    plan.status
        .conditions
        .iter()
        .map(|condition| {
            (
                condition.type_.as_str(),
                condition.status.as_str(),
                condition.reason.as_str(),
            )
        })
        .collect()
}

/// Type and reason of the conditions that are there only while they are true.
fn further(plan: &Plan) -> Vec<(&str, &str)> {
    let all = conditions(plan).into_iter().skip(4);
    all.map(|(type_, status, reason)| {
        assert_eq!(status, "True", "{type_}");
        (type_, reason)
    })
    .collect()
}

fn programmed(plan: &Plan) -> (&str, &str) {
    let (_, status, reason) = conditions(plan)
        .into_iter()
        .find(|(type_, ..)| *type_ == condition::PROGRAMMED)
        .unwrap();
    (status, reason)
}

fn message<'a>(plan: &'a Plan, type_: &str) -> &'a str {
    let found = plan
        .status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_);
    &found.unwrap().message
}

#[test]
fn a_collection_with_its_secret_is_ready() {
    let plan = plan(&observed(&openai()), at(100));
    assert_eq!(
        conditions(&plan),
        [
            ("Accepted", "True", "Valid"),
            ("CredentialsResolved", "True", "Resolved"),
            ("Programmed", "True", "NoSidecars"),
            ("Ready", "True", "Ready"),
        ]
    );
    assert!(
        plan.status
            .conditions
            .iter()
            .all(|condition| condition.observed_generation == Some(3))
    );
    assert_eq!(plan.status.observed_generation, Some(3));
    assert_eq!(plan.status.environment, Some(EnvironmentName::Development));
    assert_eq!(plan.status.method, Some(MethodName::ApiKey));
    assert_eq!(
        plan.status.environments,
        [EnvironmentStatus {
            name: EnvironmentName::Development,
            secret_name: Some("openai-dev".to_owned()),
            token: None,
            certificate: None,
            ready: true,
        }]
    );
    assert_eq!(plan.status.sidecars, Some(SidecarStatus::new(0, 0)));
    assert_eq!(
        message(&plan, "CredentialsResolved"),
        "Secret \"openai-dev\" is used."
    );
    assert_eq!(
        message(&plan, "Ready"),
        "Call it at http://localhost:2733/openai."
    );
    assert!(matches!(
        plan.planned.entry(Environment::Development),
        Some((Entry::Ready(_), _))
    ));
    assert!(plan.planned.entry(Environment::Live).is_none());
    assert_eq!(plan.look_again, None);
}

#[test]
fn no_value_of_a_secret_is_in_the_status() {
    let status = serde_json::to_string(&plan(&observed(&openai()), at(100)).status).unwrap();
    assert!(!status.contains("sk_planted"), "{status}");
}

#[test]
fn a_missing_secret_is_a_condition_and_not_an_error() {
    let mut observed = observed(&openai());
    let inputs = inputs(Environment::Development, Found::Absent);
    let sight = Sight::Read(inputs, Gathered::Material(Material::default()));
    observed.sights = BTreeMap::from([(Environment::Development, sight)]);
    let plan = plan(&observed, at(100));
    assert_eq!(
        conditions(&plan),
        [
            ("Accepted", "True", "Valid"),
            ("CredentialsResolved", "False", "SecretNotFound"),
            ("Programmed", "True", "NoSidecars"),
            ("Ready", "False", "SecretNotFound"),
        ]
    );
    assert_eq!(
        message(&plan, "Ready"),
        message(&plan, "CredentialsResolved")
    );
    assert!(!plan.status.environments[0].ready);
    let (entry, _) = plan.planned.entry(Environment::Development).unwrap();
    assert_eq!(*entry, Entry::Unavailable(Unavailable::CredentialsMissing));
}

#[test]
fn a_forbidden_namespace_says_how_to_allow_it() {
    let mut observed = observed(&openai());
    let gathered = Gathered::Forbidden {
        kind: SourceKind::Secret,
        namespace: "shop".to_owned(),
        command: "kubectl create rolebinding x".to_owned(),
    };
    let sight = Sight::Read(inputs(Environment::Development, Found::Forbidden), gathered);
    observed.sights = BTreeMap::from([(Environment::Development, sight)]);
    let plan = plan(&observed, at(100));
    assert_eq!(
        conditions(&plan)[1],
        ("CredentialsResolved", "False", "AccessForbidden")
    );
    assert_eq!(
        message(&plan, "CredentialsResolved"),
        "The operator may not get, list and watch secrets in namespace \"shop\": it needs all of them, \
         so a Role with resourceNames does not do. Allow it: kubectl create rolebinding x"
    );
}

#[test]
fn a_bad_spec_is_not_accepted_and_not_tried_again() {
    let object = manifest(&json!({"baseUrl": "ftp://api.openai.com"}));
    let mut observed = observed(&object);
    let sight = Sight::Rejected(inputs(Environment::Development, Found::Absent));
    observed.sights = BTreeMap::from([(Environment::Development, sight)]);
    let plan = plan(&observed, at(100));
    assert_eq!(
        conditions(&plan),
        [
            ("Accepted", "False", "Invalid"),
            ("CredentialsResolved", "Unknown", "Invalid"),
            ("Programmed", "True", "NoSidecars"),
            ("Ready", "False", "Invalid"),
        ]
    );
    assert!(message(&plan, "Accepted").starts_with("spec.baseUrl"));
    assert_eq!(plan.look_again, None);
    let (entry, _) = plan.planned.entry(Environment::Development).unwrap();
    assert_eq!(*entry, Entry::Unavailable(Unavailable::NotReady));
    assert_eq!(plan.planned.outline, observed.manifest.outline);
}

#[test]
fn a_lowered_pod_makes_both_environments_be_used() {
    let mut observed = observed(&openai());
    observed.around.environment = Some(Environment::Live);
    observed.sights = BTreeMap::from([found(Environment::Live), found(Environment::Development)]);
    let plan = plan(&observed, at(100));
    let names: Vec<_> = plan
        .status
        .environments
        .iter()
        .map(|environment| environment.name)
        .collect();
    assert_eq!(names, [EnvironmentName::Development, EnvironmentName::Live]);
    assert_eq!(plan.status.environment, Some(EnvironmentName::Live));
    assert_eq!(
        message(&plan, "CredentialsResolved"),
        "Secrets \"openai-dev\" and \"openai-live\" are used."
    );
}

#[test]
fn sidecars_of_all_replicas_are_summed() {
    let mut observed = observed(&openai());
    observed.manifest.status.feeds = vec![feed("a", 2, 2, 0), feed("b", 1, 1, 0)];
    let plan = plan(&observed, at(100));
    assert_eq!(plan.status.sidecars, Some(SidecarStatus::new(3, 3)));
    assert_eq!(programmed(&plan), ("True", "Programmed"));
    assert!(plan.status.feeds.is_empty(), "each replica's own");
}

#[test]
fn a_lag_becomes_false_after_ten_seconds_and_not_before() {
    let mut observed = observed(&openai());
    observed.manifest.status.feeds = vec![feed("a", 2, 1, 0)];
    observed.lagging_since = Some(at(100));
    let first = plan(&observed, at(100));
    assert_eq!(programmed(&first), ("Unknown", "Pending"));
    assert_eq!(first.look_again, Some(Duration::from_secs(10)));

    observed.manifest.status.conditions = first.status.conditions;
    let busy = plan(&observed, at(104));
    assert_eq!(programmed(&busy), ("Unknown", "Pending"));
    assert_eq!(busy.look_again, Some(Duration::from_secs(6)));

    let late = plan(&observed, at(110));
    assert_eq!(programmed(&late), ("False", "SidecarsBehind"));
    assert_eq!(late.look_again, None);
}

#[test]
fn a_busy_moment_does_not_change_what_was_said() {
    let mut observed = observed(&openai());
    observed.manifest.status.feeds = vec![feed("a", 2, 2, 0)];
    observed.manifest.status.conditions = plan(&observed, at(50)).status.conditions;
    observed.manifest.status.feeds = vec![feed("a", 2, 1, 0)];
    observed.lagging_since = Some(at(100));
    let busy = plan(&observed, at(101));
    assert_eq!(programmed(&busy), ("True", "Programmed"));
    assert_eq!(busy.look_again, Some(Duration::from_secs(9)));
}

#[test]
fn sidecars_of_a_replica_that_has_not_seen_the_newest_version_are_behind() {
    let mut observed = observed(&openai());
    let newest = inputs(Environment::Development, Found::At("7".to_owned())).revision(None);
    let sent = |replica: &str, revision: &str| FeedStatus {
        revisions: vec![revision.to_owned()],
        ..feed(replica, 2, 2, 0)
    };
    observed.manifest.status.feeds = vec![sent("a", &newest), sent("b", &newest)];
    let all = plan(&observed, at(50));
    assert_eq!(all.lagging_since, None);
    assert_eq!(programmed(&all), ("True", "Programmed"));
    assert_eq!(all.status.sidecars, Some(SidecarStatus::new(4, 4)));

    observed.manifest.status = all.status;
    observed.manifest.status.feeds = vec![sent("a", &newest), sent("b", "older")];
    let busy = plan(&observed, at(100));
    assert_eq!(busy.lagging_since, Some(at(100)));
    assert_eq!(programmed(&busy), ("True", "Programmed"), "for a moment");
    assert_eq!(busy.status.sidecars, Some(SidecarStatus::new(4, 4)));

    observed.lagging_since = busy.lagging_since;
    let late = plan(&observed, at(110));
    assert_eq!(late.lagging_since, Some(at(100)));
    assert_eq!(programmed(&late), ("False", "SidecarsBehind"));
    assert_eq!(late.status.sidecars, Some(SidecarStatus::new(4, 2)));
}

#[test]
fn a_sidecar_that_refuses_is_not_waited_for() {
    let mut observed = observed(&openai());
    observed.manifest.status.feeds = vec![feed("a", 2, 1, 1)];
    assert_eq!(programmed(&plan(&observed, at(100))), ("False", "Refused"));
}

#[test]
fn the_same_observation_gives_the_same_status() {
    let mut observed = observed(&openai());
    let first = plan(&observed, at(100));
    observed.manifest.status = first.status.clone();
    assert_eq!(plan(&observed, at(200)).status, first.status);
}

/// A client certificate for 2026 and the Secret that it is in.
fn certified() -> (ApiCollection, Gathered) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let secret = SecretObject {
        kind: "kubernetes.io/tls".to_owned(),
        environment: None,
        data: BTreeMap::from([
            ("tls.crt".to_owned(), certificate.pem().into_bytes().into()),
            (
                "tls.key".to_owned(),
                key.serialize_pem().into_bytes().into(),
            ),
        ]),
        ..SecretObject::default()
    };
    let object = manifest(&json!({
        "baseUrl": "https://api.bank.test",
        "auth": {"clientCertificate": {}},
        "development": {"tlsSecretRef": {"name": "client"}},
    }));
    let material = Material {
        secrets: BTreeMap::from([("client".to_owned(), secret)]),
        ..Material::default()
    };
    (object, Gathered::Material(material))
}

#[test]
fn a_certificate_is_watched_until_its_end() {
    let plan_at = |time: &str| {
        let (object, gathered) = certified();
        let inputs = inputs(Environment::Development, Found::At("7".to_owned()));
        let sight = Sight::Read(inputs, gathered);
        let observed = Observed {
            sights: BTreeMap::from([(Environment::Development, sight)]),
            ..observed(&object)
        };
        plan(&observed, time.parse().unwrap())
    };
    let revision = |plan: &Plan| {
        let resolution = &plan.planned.resolutions[&Environment::Development];
        resolution.revision.clone()
    };
    let good = plan_at("2026-11-21T00:00:00Z");
    assert_eq!(good.look_again, Some(LONGEST_WAIT));
    assert_eq!(good.status.method, Some(MethodName::ClientCertificate));
    let end = "2027-01-01T00:00:00Z";
    assert_eq!(good.status.expires.as_deref(), Some(end));
    let certificate = good.status.environments[0].certificate.as_ref().unwrap();
    assert_eq!(certificate.not_after, end);
    assert_eq!(further(&good), []);

    let soon = plan_at("2026-12-31T23:00:00Z");
    assert_eq!(soon.look_again, Some(Duration::from_hours(1)));
    let said = message(&soon, condition::CERTIFICATE_EXPIRING);
    assert!(
        said.contains("client certificate in Secret \"client\" expires"),
        "{said}"
    );
    assert_eq!(revision(&soon), revision(&good));

    let over = plan_at(end);
    assert_eq!(over.look_again, None);
    assert_eq!(over.status.expires, None);
    let resolution = &over.planned.resolutions[&Environment::Development];
    assert_eq!(
        resolution.entry,
        Entry::Unavailable(Unavailable::CredentialsMissing)
    );
    // The same objects, and sidecars must hear of it.
    assert_ne!(revision(&over), revision(&good));
}
