//! Collections of the cluster.

use credence_core::collection::AccountName;
use credence_core::label_selector::{LabelSelector, Operator, Requirement};

use super::*;

fn cluster(spec: &Value) -> Result<Collection, Rejected> {
    let object = json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ClusterApiCollection",
        "metadata": {"name": "openai"},
        "spec": spec,
    });
    let object: ClusterApiCollection = serde_json::from_value(object).unwrap();
    Collection::try_from(&object)
}

#[test]
fn a_cluster_collection_is_a_collection_with_namespaces() {
    let collection = cluster(&json!({
        "baseUrl": "https://api.openai.com/v1",
        "access": {"serviceAccounts": ["shop/checkout"]},
        "live": {"secretRef": {"name": "s"}},
        "namespaceSelector": {
            "matchLabels": {"team": "payments"},
            "matchExpressions": [
                {"key": "zone", "operator": "In", "values": ["eu"]},
                {"key": "zone", "operator": "NotIn", "values": ["us"]},
                {"key": "tier", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        },
    }))
    .unwrap();
    assert_eq!(
        collection.base_url.unwrap().as_str(),
        "https://api.openai.com/v1"
    );
    assert_eq!(collection.live.unwrap().secret.as_deref(), Some("s"));
    let requirement = |key: &str, operator| Requirement {
        key: key.to_owned(),
        operator,
    };
    let values = |value: &str| BTreeSet::from([value.to_owned()]);
    assert_eq!(
        collection.scope,
        Scope::Cluster {
            namespaces: Some(LabelSelector {
                match_labels: [("team".to_owned(), "payments".to_owned())].into(),
                expressions: vec![
                    requirement("zone", Operator::In(values("eu"))),
                    requirement("zone", Operator::NotIn(values("us"))),
                    requirement("tier", Operator::Exists),
                    requirement("old", Operator::DoesNotExist),
                ],
            }),
            service_accounts: Some(BTreeSet::from([AccountName {
                namespace: "shop".to_owned(),
                name: "checkout".to_owned(),
            }])),
        }
    );
    let nowhere = cluster(&json!({})).unwrap().scope;
    let none = Scope::Cluster {
        namespaces: None,
        service_accounts: None,
    };
    assert_eq!(nowhere, none);
}

#[test]
fn what_is_wrong_with_a_cluster_collection_is_said_too() {
    let values = |operator: &str, values: &[&str]| {
        json!({"namespaceSelector": {"matchExpressions": [
            {"key": "zone", "operator": operator, "values": values},
        ]}})
    };
    for (spec, expected) in [
        (
            json!({"developmentFallback": "UseLive", "live": {}}),
            "spec.developmentFallback: UseLive is for ApiCollection only: name Secrets for development in \
             spec.development",
        ),
        (
            json!({"access": {"serviceAccounts": ["checkout"]}}),
            "spec.access.serviceAccounts: \"checkout\" must name the namespace too: write NAMESPACE/NAME",
        ),
        (
            values("In", &[]),
            "spec.namespaceSelector.matchExpressions[0].values: must have at least one value for In and NotIn",
        ),
        (
            values("Exists", &["a"]),
            "spec.namespaceSelector.matchExpressions[0].values: must be left out for Exists and DoesNotExist",
        ),
        (
            json!({"baseUrl": "nowhere"}),
            "spec.baseUrl: is not a URL: write it like https://api.example.com/v1",
        ),
    ] {
        assert_eq!(cluster(&spec).unwrap_err().to_string(), expected, "{spec}");
    }
}
