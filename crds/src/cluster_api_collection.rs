//! The kind `ClusterApiCollection`.

use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::api_collection::ApiCollectionSpec;
use crate::label_selector::LabelSelector;
use crate::status::ApiCollectionStatus;
use crate::{rule, schema};

/// Describes one API for many namespaces: what an ApiCollection describes, and
/// for which of them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "credence.dev",
    version = "v1alpha1",
    kind = "ClusterApiCollection",
    plural = "clusterapicollections",
    singular = "clusterapicollection",
    shortname = "capic",
    category = "credence",
    status = "ApiCollectionStatus",
    derive = "PartialEq",
    doc = "An API that pods of all selected namespaces call at http://localhost:2733/NAME, without holding its \
           credential. NAME is the object's name. Its Secrets and ConfigMaps are in the one namespace for the \
           credentials of the cluster, which of them is used is decided by the label credence.dev/environment of \
           the caller's namespace. An ApiCollection of the same name in that namespace wins.",
    validation = rule::name(),
    printcolumn(name = "Method", type_ = "string", json_path = ".status.method",
        description = "How calls are authenticated."),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether calls can be made."),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not.", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expires",
        description = "When the credential expires, if that is known."),
    printcolumn(name = "Sidecars", type_ = "string", json_path = ".status.sidecars.summary",
        description = "Sidecars that use the current version, of those that are connected."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = of_cluster)]
#[schemars(extend("x-kubernetes-validations" = rule::cluster_spec()))]
pub struct ClusterApiCollectionSpec {
    /// What an ApiCollection says too.
    #[serde(flatten)]
    pub api: ApiCollectionSpec,

    /// The namespaces whose pods may make calls, by their labels. Left out, it
    /// means none of them; {} means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
}

/// What is said differently than of an ApiCollection.
fn of_cluster(schema: &mut Schema) {
    schema::without_null(schema);
    let Some(properties) = schema.get_mut("properties") else {
        return;
    };
    let accounts = &mut properties["access"]["properties"]["serviceAccounts"];
    accounts["description"] =
        "ServiceAccounts whose pods may make calls, written as NAMESPACE/NAME. Left out, it \
        means all of the selected namespaces; an empty list means none."
            .into();
    accounts["items"]["maxLength"] = 317.into();
    accounts["items"]["pattern"] = rule::ACCOUNT_NAME.into();
    let place = "in the namespace for the credentials of the cluster";
    for (block, said) in [
        (
            "live",
            "namespaces with the label credence.dev/environment: live",
        ),
        ("development", "all other namespaces"),
    ] {
        let block = &mut properties[block];
        block["description"] = format!("What is used for callers in {said}.").into();
        let settings = &mut block["properties"];
        settings["secretRef"]["description"] =
            format!("The Secret {place} that ${{secret.KEY}} refers to.").into();
        settings["tlsSecretRef"]["description"] = format!(
            "A Secret of type kubernetes.io/tls {place}: the certificate in tls.crt and its key in tls.key are shown \
             to the API when it asks for a client certificate, whatever the method of auth. Authorities in ca.crt are \
             trusted as if caRef named them."
        )
        .into();
        settings["caRef"]["properties"]["name"]["description"] =
            format!("Name of the object {place}.").into();
    }
    properties["developmentFallback"]["description"] =
        "Deny: callers of the development environment get no credential where development is left out. (UseLive is \
         for ApiCollection only.)"
            .into();
}
