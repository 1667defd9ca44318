//! Collections of the cluster, and what others have to do with a collection.

use credence_crds::ClusterApiCollection;

use super::*;
use crate::catalogue::Shadow;

fn cluster_collection() -> Observed {
    let mut object: ClusterApiCollection = serde_json::from_value(json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ClusterApiCollection",
        "metadata": {"name": "openai", "uid": "u", "generation": 3},
        "spec": openai().spec,
    }))
    .unwrap();
    let key = CollectionKey::of_cluster("openai".parse().unwrap());
    object.spec.api.access = None;
    Observed {
        manifest: Manifest::of(key, &object),
        around: Surroundings::default(),
        sights: BTreeMap::from([found(Environment::Live), found(Environment::Development)]),
        lagging_since: None,
        records: Records::new(),
        rejections: BTreeMap::new(),
        verified: BTreeMap::new(),
    }
}

#[test]
fn a_cluster_collection_has_the_environments_of_its_namespaces_and_none_of_its_own() {
    let plan = plan(&cluster_collection(), at(100));
    assert_eq!(plan.status.environment, None);
    let secrets: Vec<_> = plan
        .status
        .environments
        .iter()
        .map(|environment| (environment.name, environment.secret_name.as_deref()))
        .collect();
    assert_eq!(
        secrets,
        [
            (EnvironmentName::Development, Some("openai-dev")),
            (EnvironmentName::Live, Some("openai-live")),
        ]
    );
    assert_eq!(conditions(&plan)[3], ("Ready", "True", "Ready"));
}

#[test]
fn a_cluster_collection_that_nobody_may_use_says_so() {
    let nobody = Observed {
        sights: BTreeMap::new(),
        ..cluster_collection()
    };
    let plan = plan(&nobody, at(100));
    assert_eq!(
        conditions(&plan),
        [
            ("Accepted", "True", "Valid"),
            ("CredentialsResolved", "Unknown", "NoNamespaces"),
            ("Programmed", "True", "NoSidecars"),
            ("Ready", "False", "NoNamespaces"),
        ]
    );
}

#[test]
fn a_condition_about_others_is_gone_when_it_is_no_longer_so() {
    let mut observed = observed(&openai());
    observed.around.shadow = Some(Shadow::OfCluster);
    let first = plan(&observed, at(100));
    let shadowed = (condition::SHADOWED, "False", reason::SHADOWS_CLUSTER);
    assert_eq!(conditions(&first).last(), Some(&shadowed));
    observed.around.shadow = None;
    observed.manifest.status.conditions = first.status.conditions;
    let second = plan(&observed, at(101));
    assert_eq!(conditions(&second).len(), 4);
}
