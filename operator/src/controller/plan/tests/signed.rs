//! Collections whose calls are signed.

use super::*;

#[test]
fn each_day_brings_sidecars_the_keys_of_the_next() {
    let object = manifest(&json!({
        "baseUrl": "https://shop.s3.amazonaws.com",
        "auth": {"awsSigV4": {
            "region": "eu-central-1",
            "service": "s3",
            "accessKeyId": "AKID",
            "secretAccessKey": "${secret.key}",
        }},
        "development": {"secretRef": {"name": "aws"}},
    }));
    let plan_at = |time: &str| {
        let secret = SecretObject {
            kind: "Opaque".to_owned(),
            data: BTreeMap::from([("key".to_owned(), b"k".to_vec().into())]),
            ..SecretObject::default()
        };
        let gathered = Gathered::Material(Material {
            secrets: BTreeMap::from([("aws".to_owned(), secret)]),
            ..Material::default()
        });
        let inputs = inputs(Environment::Development, Found::At("7".to_owned()));
        let observed = Observed {
            sights: BTreeMap::from([(Environment::Development, Sight::Read(inputs, gathered))]),
            ..observed(&object)
        };
        let plan = plan(&observed, time.parse().unwrap());
        let resolution = &plan.planned.resolutions[&Environment::Development];
        (resolution.revision.clone(), plan.look_again)
    };
    let (first, look_again) = plan_at("2026-11-21T22:00:00Z");
    assert_eq!(look_again, Some(Duration::from_hours(2)));
    let (late, look_again) = plan_at("2026-11-21T23:59:00Z");
    assert_eq!(look_again, Some(Duration::from_mins(1)));
    assert_eq!(first, late);
    let (next, look_again) = plan_at("2026-11-22T00:00:00Z");
    assert_eq!(look_again, Some(Duration::from_hours(24)));
    assert_ne!(next, late);
}
